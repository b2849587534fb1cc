package scrub

import (
	"regexp"
	"strings"
)

// rule removes one kind of thing. It runs only on the lines where one of its
// needles occurs, which is what keeps most text cheap.
type rule struct {
	name    string
	needles []string // lower case, any of them; none: always
	apply   func(string) string
	across  bool // sees the whole text, because what it removes may have line breaks
}

func (r *rule) mayApply(s string) bool {
	if len(r.needles) == 0 {
		return true
	}
	for _, n := range r.needles {
		if containsFold(s, n) {
			return true
		}
	}
	return false
}

// run applies r to s, or to those of its lines that r may concern.
func (r *rule) run(s string) string {
	if !r.mayApply(s) {
		return s
	}
	if r.across || strings.IndexByte(s, '\n') < 0 {
		return r.apply(s)
	}
	var out strings.Builder
	for line := range strings.Lines(s) {
		if !r.mayApply(line) {
			out.WriteString(line)
			continue
		}
		text, ended := strings.CutSuffix(line, "\n")
		out.WriteString(r.apply(text))
		if ended {
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// acrossLines makes r see the whole text.
func acrossLines(r rule) rule {
	r.across = true
	return r
}

// containsFold reports whether s contains the lower-case ASCII needle in any case.
func containsFold(s, needle string) bool {
	first := needle[0]
	upper := first
	if first >= 'a' && first <= 'z' {
		upper -= 'a' - 'A'
	}
	for at := 0; at+len(needle) <= len(s); {
		i := strings.IndexByte(s[at:], first)
		if upper != first {
			end := len(s) - at
			if i >= 0 {
				end = i
			}
			if j := strings.IndexByte(s[at:at+end], upper); j >= 0 {
				i = j
			}
		}
		if i < 0 || at+i+len(needle) > len(s) {
			return false
		}
		at += i
		if equalFold(s[at:at+len(needle)], needle) {
			return true
		}
		at++
	}
	return false
}

func equalFold(s, lower string) bool {
	for i := range len(lower) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// replace makes a rule of one regular expression.
func replace(name string, needles []string, pattern, by string) rule {
	re := regexp.MustCompile(pattern)
	return rule{name: name, needles: needles, apply: func(s string) string { return re.ReplaceAllString(s, by) }}
}

// decide makes a rule of an expression and a function of its groups; the last of
// them is up to 64 bytes of what stands before the match.
func decide(name string, needles []string, pattern string, by func(groups []string) string) rule {
	re := regexp.MustCompile(pattern)
	return rule{name: name, needles: needles, apply: func(s string) string {
		found := re.FindAllStringSubmatchIndex(s, -1)
		if found == nil {
			return s
		}
		var out strings.Builder
		groups := make([]string, re.NumSubexp()+2)
		before := len(groups) - 1
		last := 0
		for _, loc := range found {
			groups[before] = s[max(0, loc[0]-64):loc[0]]
			for g := range before {
				groups[g] = ""
				if loc[2*g] >= 0 {
					groups[g] = s[loc[2*g]:loc[2*g+1]]
				}
			}
			out.WriteString(s[last:loc[0]])
			out.WriteString(by(groups))
			last = loc[1]
		}
		out.WriteString(s[last:])
		return out.String()
	}}
}

var colour = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)

// rules in the order in which they run: credentials that mark themselves first,
// then values in errors, then personal data, then whatever looks random.
var rules = concat(credentialRules, valueRules, personalRules, blobRules)

func concat(lists ...[]rule) []rule {
	var all []rule
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
