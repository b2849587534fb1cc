package scrub

import "regexp"

// blobRules take out what looks random: keys, digests and encoded data of
// which nobody said what they are.
var blobRules = []rule{
	replace("hex", nil, `(?:0x)?[0-9a-fA-F]{32,}`, Mask),
	decide("base64", nil, `[A-Za-z0-9+/_\-]{32,}={0,2}`, func(g []string) string {
		if !random(uuid.ReplaceAllString(g[0], "")) {
			return g[0]
		}
		return Mask
	}),
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
