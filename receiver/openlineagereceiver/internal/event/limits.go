package event

import (
	"strconv"
	"strings"
)

// Limits bound what one event may hold. Each must be positive.
type Limits struct {
	// Depth of nested objects and arrays.
	Depth int
	// StringBytes is the length of one string as it stands in the JSON text.
	StringBytes int
	// Keys of one object.
	Keys int
	// Values of all kinds in one event.
	Values int
	// Datasets is the number of inputs and outputs together.
	Datasets int
}

// FieldError says which field of the JSON text is wrong, and why.
type FieldError struct {
	// Field is the path of the field, such as inputs[2].facets.schema; empty for the text as a whole.
	Field string
	// Reason says what is wrong with it. It never holds the field's value.
	Reason string
}

// Error gives "field: reason".
func (e *FieldError) Error() string {
	if e.Field == "" {
		return "event: " + e.Reason
	}
	return e.Field + ": " + e.Reason
}

// step is one part of a path: a key, or an index where key is empty and index is not negative.
type step struct {
	key   string
	index int
}

const (
	maxPathKey   = 64  // bytes of one key in an error
	maxPathSteps = 16  // first steps of a path in an error
	noIndex      = -1  // a step that is a key
	cutMark      = "…" // stands for what was cut
)

type path []step

func (p *path) key(k string) { *p = append(*p, step{key: k, index: noIndex}) }
func (p *path) at(i int)     { *p = append(*p, step{index: i}) }
func (p *path) pop()         { *p = (*p)[:len(*p)-1] }

func (p *path) fail(reason string) error {
	return &FieldError{Field: p.String(), Reason: reason}
}

// String joins the steps. Keys come from the sender: they are cut, and control
// characters are replaced.
func (p *path) String() string {
	var b strings.Builder
	for i, s := range *p {
		if i == maxPathSteps {
			b.WriteString("." + cutMark)
			break
		}
		if s.index != noIndex {
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(printable(s.key))
	}
	return b.String()
}

func printable(key string) string {
	cut := ""
	if len(key) > maxPathKey {
		key, cut = key[:maxPathKey], cutMark
	}
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, key), "") + cut
}
