package classify

import (
	"strings"
	"unicode/utf8"
)

// maxNames bounds the bytes of the names that are read from one message.
const maxNames = 512

// names spells out what libraries call their errors, so that one rule knows
// NoSuchBucket, NO_SUCH_BUCKET, no-such-bucket's class NoSuchBucketException and
// errors.NoSuchBucket. They are the class and the words of the message that are
// written as names are: with capitals inside or with underscores. The result is
// in small letters, "; " between names, and begins and ends with a space.
func names(typ, message string) string {
	var b strings.Builder
	b.Grow(len(typ) + 64)
	b.WriteByte(' ')
	spell(&b, typ)
	for start := 0; start < len(message) && b.Len() < maxNames; {
		c := message[start]
		if !letter(c) {
			start++
			continue
		}
		end := start + 1
		for end < len(message) && (letter(message[end]) || digit(message[end]) || message[end] == '_') {
			end++
		}
		if word := message[start:end]; end-start <= 80 && isName(word) && (start == 0 || message[start-1] != '/') {
			b.WriteString("; ")
			spell(&b, word)
		}
		start = end
	}
	return b.String()
}

// isName tells names of errors from words and from the names that people give
// columns, which are in small letters.
func isName(word string) bool {
	inner, small, underscore := 0, 0, false
	for i := 0; i < len(word); i++ {
		switch c := word[i]; {
		case c == '_':
			underscore = true
		case c >= 'a' && c <= 'z':
			small++
		case c >= 'A' && c <= 'Z' && i > 0:
			inner++
		}
	}
	return inner > 0 && (small > 0 && !underscore || small == 0 && underscore)
}

// spell writes a name's words.
func spell(b *strings.Builder, name string) {
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			follows := i+1 < len(name) && name[i+1] >= 'a' && name[i+1] <= 'z'
			if i > 0 && (name[i-1] >= 'a' && name[i-1] <= 'z' || follows && name[i-1] >= 'A' && name[i-1] <= 'Z') {
				b.WriteByte(' ')
			}
			b.WriteByte(c + 'a' - 'A')
		case letter(c) || digit(c):
			b.WriteByte(c)
		case c < utf8.RuneSelf:
			b.WriteByte(' ')
		}
	}
	b.WriteByte(' ')
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func digit(c byte) bool { return c >= '0' && c <= '9' }
