package event

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// parser turns JSON text (RFC 8259) into an OTLP value. It is stricter than
// encoding/json about sizes and depth, and knows where it is. Of several equal
// keys the last one holds. Text that is not UTF-8 gets replacement characters.
type parser struct {
	data   []byte
	pos    int
	limits Limits
	values int
	path   path
}

// parse reads the one object that data holds.
func parse(data []byte, limits Limits, dst pcommon.Value) error {
	p := parser{data: data, limits: limits}
	p.space()
	if p.pos < len(data) && data[p.pos] != '{' {
		return p.path.fail("want a JSON object")
	}
	if err := p.value(dst, 1); err != nil {
		return err
	}
	if p.space(); p.pos < len(p.data) {
		return p.path.fail("has text after the end of the object")
	}
	return nil
}

func (p *parser) space() {
	for p.pos < len(p.data) {
		switch p.data[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

func (p *parser) syntax() error {
	if p.pos >= len(p.data) {
		return p.path.fail("the JSON text ends here")
	}
	return p.path.fail("is not valid JSON at byte " + strconv.Itoa(p.pos))
}

func (p *parser) value(dst pcommon.Value, depth int) error {
	if p.values++; p.values > p.limits.Values {
		return p.path.fail("the event has more than " + strconv.Itoa(p.limits.Values) + " values (limits::values)")
	}
	p.space()
	if p.pos >= len(p.data) {
		return p.syntax()
	}
	switch c := p.data[p.pos]; c {
	case '{', '[':
		if depth > p.limits.Depth {
			return p.path.fail("is nested deeper than " + strconv.Itoa(p.limits.Depth) + " (limits::depth)")
		}
		p.pos++
		if c == '{' {
			return p.object(dst.SetEmptyMap(), depth)
		}
		return p.array(dst.SetEmptySlice(), depth)
	case '"':
		s, err := p.text()
		if err != nil {
			return err
		}
		dst.SetStr(s)
		return nil
	case 't':
		dst.SetBool(true)
		return p.literal("true")
	case 'f':
		dst.SetBool(false)
		return p.literal("false")
	case 'n':
		return p.literal("null")
	default:
		return p.number(dst)
	}
}

func (p *parser) literal(want string) error {
	if !bytes.HasPrefix(p.data[p.pos:], []byte(want)) {
		return p.syntax()
	}
	p.pos += len(want)
	return nil
}

func (p *parser) next(c byte) bool {
	p.space()
	if p.pos < len(p.data) && p.data[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *parser) object(dst pcommon.Map, depth int) error {
	if p.next('}') {
		return nil
	}
	for {
		if p.space(); p.pos >= len(p.data) || p.data[p.pos] != '"' {
			return p.syntax()
		}
		key, err := p.text()
		if err != nil {
			return err
		}
		p.path.key(key)
		if dst.Len() >= p.limits.Keys {
			return p.path.fail("its object has more than " + strconv.Itoa(p.limits.Keys) + " keys (limits::keys)")
		}
		if !p.next(':') {
			return p.syntax()
		}
		if err := p.value(dst.PutEmpty(key), depth+1); err != nil {
			return err
		}
		p.path.pop()
		if p.next('}') {
			return nil
		}
		if !p.next(',') {
			return p.syntax()
		}
	}
}

func (p *parser) array(dst pcommon.Slice, depth int) error {
	if p.next(']') {
		return nil
	}
	for {
		p.path.at(dst.Len())
		if err := p.value(dst.AppendEmpty(), depth+1); err != nil {
			return err
		}
		p.path.pop()
		if p.next(']') {
			return nil
		}
		if !p.next(',') {
			return p.syntax()
		}
	}
}

// text reads a string; pos stands on its opening quote.
func (p *parser) text() (string, error) {
	start := p.pos + 1
	escaped, ascii := false, true
	for i := start; i < len(p.data); i++ {
		switch c := p.data[i]; {
		case c == '"':
			if i-start > p.limits.StringBytes {
				return "", p.path.fail("holds a string longer than " + strconv.Itoa(p.limits.StringBytes) + " bytes (limits::string_bytes)")
			}
			raw := p.data[start:i]
			p.pos = i + 1
			switch {
			case escaped:
				return p.unescape(raw)
			case ascii:
				return string(raw), nil
			default:
				return strings.ToValidUTF8(string(raw), string(utf8.RuneError)), nil
			}
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			p.pos = i
			return "", p.syntax()
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	p.pos = len(p.data)
	return "", p.syntax()
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (p *parser) unescape(raw []byte) (string, error) {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' {
			out = append(out, c)
			continue
		}
		i++
		if i >= len(raw) {
			return "", p.path.fail("has an unfinished escape in a string")
		}
		if raw[i] == 'u' {
			r, ok := hex4(raw[i+1:])
			if !ok {
				return "", p.path.fail("has a bad \\u escape in a string")
			}
			i += 4
			if utf16.IsSurrogate(r) {
				low, ok := rune(0), false
				if i+2 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u' {
					low, ok = hex4(raw[i+3:])
				}
				if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
					r, i = pair, i+6
				} else {
					r = utf8.RuneError
				}
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		e := escapes[raw[i]]
		if e == 0 {
			return "", p.path.fail("has an unknown escape in a string")
		}
		out = append(out, e)
	}
	return strings.ToValidUTF8(string(out), string(utf8.RuneError)), nil
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[:4]), 16, 32)
	return rune(n), err == nil && b[0] != '+' && b[0] != '-' && b[0] != '_'
}

// maxNumberBytes bounds a number's text; 64 bits need no more than 25.
const maxNumberBytes = 128

func (p *parser) number(dst pcommon.Value) error {
	start := p.pos
	digits := func() int {
		from := p.pos
		for p.pos < len(p.data) && p.data[p.pos] >= '0' && p.data[p.pos] <= '9' {
			p.pos++
		}
		return p.pos - from
	}
	has := func(set string) bool {
		if p.pos < len(p.data) && strings.IndexByte(set, p.data[p.pos]) >= 0 {
			p.pos++
			return true
		}
		return false
	}
	has("-")
	first := p.pos
	if n := digits(); n == 0 || n > 1 && p.data[first] == '0' {
		p.pos = start
		return p.syntax()
	}
	whole := true
	if has(".") {
		if whole = false; digits() == 0 {
			return p.syntax()
		}
	}
	if has("eE") {
		whole = false
		if has("+-"); digits() == 0 {
			return p.syntax()
		}
	}
	if p.pos-start > maxNumberBytes {
		return p.path.fail("is a number of more than " + strconv.Itoa(maxNumberBytes) + " digits")
	}
	s := string(p.data[start:p.pos])
	if whole {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			dst.SetInt(n)
			return nil
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return p.path.fail("is a number too large for 64 bits")
	}
	dst.SetDouble(f)
	return nil
}

// Split cuts a JSON array into the texts of its elements without reading them.
// It fails when data is no array, when the array does not end, and when there
// are more than limit elements.
func Split(data []byte, limit int) ([][]byte, error) {
	p := parser{data: data}
	if !p.next('[') {
		return nil, &FieldError{Reason: "want a JSON array of events"}
	}
	var out [][]byte
	if p.next(']') {
		return out, p.end()
	}
	start, depth, quoted := p.pos, 0, false
	for i := p.pos; i < len(data); i++ {
		c := data[i]
		if quoted {
			switch c {
			case '\\':
				i++
			case '"':
				quoted = false
			}
			continue
		}
		switch c {
		case '"':
			quoted = true
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth >= 0 {
				continue
			}
			if c != ']' {
				return nil, &FieldError{Reason: "the array is not valid JSON at byte " + strconv.Itoa(i)}
			}
			p.pos = i + 1
			return append(out, data[start:i]), p.end()
		case ',':
			if depth > 0 {
				continue
			}
			if len(out) == limit-1 {
				return nil, &FieldError{Reason: "the batch has more than " + strconv.Itoa(limit) + " events (limits::batch_events)"}
			}
			out, start = append(out, data[start:i]), i+1
		}
	}
	return nil, &FieldError{Reason: "the JSON array does not end"}
}

func (p *parser) end() error {
	if p.space(); p.pos < len(p.data) {
		return &FieldError{Reason: "there is text after the array"}
	}
	return nil
}
