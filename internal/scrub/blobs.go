package scrub

import (
	"regexp"
	"strings"
)

// blobRules take out what looks random: keys, digests and encoded data of
// which nobody said what they are.
var blobRules = []rule{
	{name: "hex", apply: func(s string) string {
		return runs(s, 32, isHex, func(string) string { return Mask })
	}},
	{name: "base64", apply: func(s string) string {
		return runs(s, 32, isBase64, func(run string) string {
			if random(uuid.ReplaceAllString(run, "")) {
				return Mask
			}
			return run
		})
	}},
}

// runs replaces every run of at least least bytes that are in set by what by
// makes of it. Scanning by hand is some fifty times as fast as an expression,
// and every byte of every text passes here.
func runs(s string, least int, set func(byte) bool, by func(string) string) string {
	var out strings.Builder
	last := 0
	for i := 0; i < len(s); {
		if !set(s[i]) {
			i++
			continue
		}
		start := i
		for i < len(s) && set(s[i]) {
			i++
		}
		if i-start < least {
			continue
		}
		if to := by(s[start:i]); to != s[start:i] {
			out.WriteString(s[last:start])
			out.WriteString(to)
			last = i
		}
	}
	if last == 0 {
		return s
	}
	out.WriteString(s[last:])
	return out.String()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func isBase64(c byte) bool {
	return classOf(c) != 0 || c == '+' || c == '/' || c == '_' || c == '-' || c == '='
}

// uuid is how platforms write the IDs of runs, which say where to look.
var uuid = regexp.MustCompile(`[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)

// random tells encoded bytes from paths and long names by how often capitals,
// small letters and digits change places: at 6 of 10 places in base64, at fewer
// than 3 in anything that a person wrote.
func random(s string) bool {
	if len(s) < 24 {
		return false
	}
	changes, digits := 0, 0
	last := byte(0)
	for i := range len(s) {
		c := classOf(s[i])
		if c == 'd' {
			digits++
		}
		if c == 0 {
			continue
		}
		if last != 0 && c != last {
			changes++
		}
		last = c
	}
	return digits > 0 && changes*10 >= len(s)*3
}

func classOf(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return 'd'
	case c >= 'A' && c <= 'Z':
		return 'u'
	case c >= 'a' && c <= 'z':
		return 'l'
	}
	return 0
}
