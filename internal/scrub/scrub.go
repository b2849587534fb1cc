// Package scrub takes credentials, personal data and data values out of free
// text that a platform wrote, and bounds it. Exception classes, SQLSTATEs, HTTP
// statuses, host names, ports and file:line stay, because they say what failed.
//
// It is a filter for text that nobody can type-check, so it prefers to remove
// too much: a word too many costs a person a look at the platform, a password
// too many costs more.
package scrub

import (
	"strings"
	"unicode/utf8"
)

// Mask stands where something was removed.
const Mask = "***"

const ellipsis = "…"

// maxRounds bounds how often the rules run over one text. Removing one thing
// can uncover another; text that has not settled by then is dropped.
const maxRounds = 8

// slack is how far beyond the limit text is read, so that a secret that crosses
// the limit is seen whole before it is cut.
const slack = 4096

// Text returns s without credentials, personal data and data values, as at most
// limit bytes of valid UTF-8. What is too long keeps its head and ends in an
// ellipsis. Text(Text(s, n), n) equals Text(s, n). The time it takes is linear in
// limit, not in the length of s.
func Text(s string, limit int) string {
	if limit <= 0 || s == "" {
		return ""
	}
	more := false
	if most := 2*limit + slack; len(s) > most {
		s, more = headOfWords(s, most), true
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	for range maxRounds {
		next := truncate(once(s), limit, more)
		if next == s {
			return s
		}
		s, more = next, false
	}
	return truncate(Mask, limit, false)
}

// once runs every rule over s.
func once(s string) string {
	s = printable(s)
	for i := range rules {
		s = rules[i].run(s)
	}
	return s
}

// headOfWords cuts s to at most n bytes at a space, so that no half of a secret
// is left that no rule knows. Without a space near the end it cuts hard.
func headOfWords(s string, n int) string {
	s = s[:n]
	if i := strings.LastIndexAny(s, " \n\t"); i > n-slack/2 {
		return s[:i]
	}
	return s
}

// truncate cuts s to limit bytes between two characters. With more, it marks
// even a short s as cut.
func truncate(s string, limit int, more bool) string {
	if len(s) <= limit && !more {
		return s
	}
	keep := limit - len(ellipsis)
	if keep < 0 {
		return ""
	}
	if len(s) > keep {
		s = s[:keep]
		for s != "" {
			if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size > 1 {
				break
			}
			s = s[:len(s)-1]
		}
	}
	s = strings.TrimSuffix(s, ellipsis)
	return s + ellipsis
}

// printable drops terminal colours and control characters other than line
// breaks and tabs.
func printable(s string) string {
	if strings.IndexFunc(s, isControl) < 0 {
		return s
	}
	s = colour.ReplaceAllString(s, "")
	return strings.Map(func(r rune) rune {
		if isControl(r) {
			return -1
		}
		return r
	}, s)
}

func isControl(r rune) bool {
	return r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0
}
