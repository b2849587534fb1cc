package scrub

import (
	"regexp"
	"strings"
)

// personalRules take out what identifies a person.
var personalRules = []rule{
	replace("e-mail", []string{"@"}, `[A-Za-z0-9._%+\-]+@[A-Za-z0-9](?:[A-Za-z0-9\-]*\.)+[A-Za-z]{2,}`, Mask),
	decide("record number", []string{"mrn", "medical", "patient", "nhs", "member", "dob", "birth", "ssn", "social security", "passport", "policy n"},
		`(?i)\b(mrn|medical[ _-]record(?:[ _-](?:number|no\.?|id|#))?|patient[ _-]?(?:id|no\.?|number|#)|nhs[ _-]?(?:no\.?|number)|member[ _-]?(?:id|no\.?|number)|dob|date[ _-]of[ _-]birth|ssn|social security(?: number)?|passport(?:[ _-]?(?:no\.?|number))?|policy number)(["']?\s*(?:[:=#]|\bis\b)?\s*["'(]?)([A-Za-z0-9][A-Za-z0-9\-/.]*)`,
		func(g []string) string {
			if !strings.ContainsAny(g[3], "0123456789") {
				return g[0]
			}
			return g[1] + g[2] + Mask
		}),
	replace("ssn", []string{"-", " "}, `\b\d{3}([- ])\d{2}[- ]\d{4}\b`, Mask),
	replace("telephone", []string{"-", ".", ")"}, `\(\d{3}\) ?\d{3}[-. ]\d{4}\b|\b\d{3}[-.]\d{3}[-.]\d{4}\b`, Mask),
	{name: "iban", apply: func(s string) string {
		return runs(s, 15, isIBAN, func(run string) string { return iban.ReplaceAllStringFunc(run, maskIBAN) })
	}},
	{name: "digits", apply: func(s string) string {
		return runs(s, 13, isCard, func(run string) string { return digits.ReplaceAllStringFunc(run, maskCard) })
	}},
}

var (
	iban   = regexp.MustCompile(`\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}\b`)
	digits = regexp.MustCompile(`\d(?:[ \-]?\d){12,}`)
)

func isIBAN(c byte) bool { return c == ' ' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' }

func isCard(c byte) bool { return c == ' ' || c == '-' || c >= '0' && c <= '9' }

func maskIBAN(s string) string {
	if validIBAN(s) {
		return Mask
	}
	return s
}

func maskCard(s string) string {
	if cardLike(s) {
		return Mask
	}
	return s
}

// cardLike tells payment cards by their first digit, length and check digit
// (ISO/IEC 7812-1, Luhn). Longer numbers count as well: nothing that says what
// failed has twenty digits.
func cardLike(s string) bool {
	n, sum := 0, 0
	first := s[0]
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] < '0' || s[i] > '9' {
			continue
		}
		d := int(s[i] - '0')
		if n%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		n++
	}
	return n >= 20 && !strings.ContainsAny(s, " -") || n <= 19 && first >= '2' && first <= '6' && sum%10 == 0
}

// validIBAN checks the length and the remainder of ISO 13616: four characters
// moved to the end, letters as 10 to 35, the number modulo 97 is 1.
func validIBAN(s string) bool {
	s = strings.ReplaceAll(s, " ", "")
	if len(s) < 15 || len(s) > 34 {
		return false
	}
	rest := 0
	for _, c := range s[4:] + s[:4] {
		switch {
		case c >= '0' && c <= '9':
			rest = (rest*10 + int(c-'0')) % 97
		case c >= 'A' && c <= 'Z':
			rest = (rest*100 + int(c-'A') + 10) % 97
		default:
			return false
		}
	}
	return rest == 1
}
