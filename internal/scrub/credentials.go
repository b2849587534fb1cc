package scrub

import (
	"regexp"
	"strings"
)

// secretWords end the name of a setting whose value is a secret.
const secretWords = `passw(?:or)?d|passwd|passphrase|passcode|pwd|secret|token|api[_\-. ]?key|access[_-]?key(?:[_-]?id)?|` +
	`account[_-]?key|private[_-]?key|secret[_-]?key|shared[_-]?access[_-]?(?:key|signature)|signing[_-]?key|encryption[_-]?key|` +
	`fernet[_-]?key|master[_-]?key|client[_-]?secret|credentials?|session[_-]?id|set-cookie|cookie|connection[_-]?string`

var secretNeedles = []string{"pass", "pwd", "secret", "token", "key", "shared", "credential", "session", "cookie", "connection"}

var credentialRules = []rule{
	acrossLines(replace("pem", []string{"-----begin"}, `(?is)-----BEGIN [A-Z0-9 ]{1,40}-----.*?(?:-----END [A-Z0-9 ]{1,40}-----|\z)`, Mask)),
	// The greedy form takes a password with an @ in it whole.
	replace("url userinfo", []string{"://"}, `(://)[^\s/?#"'<>]*@`, "${1}"+Mask+"@"),
	decide("url userinfo with slash", []string{"://"}, `(://)([^\s/:@?#"'<>]*):([^\s"'<>@]*)@`, slashedUserinfo),
	replace("oracle dsn", []string{"jdbc:oracle"}, `(?i)(jdbc:oracle:\w+:)[^\s@"']+@`, "${1}"+Mask+"@"),
	replace("mysql dsn", []string{"@tcp(", "@unix(", "@udp("}, `[^\s"'@]+(?:@[^\s"'@(]+)*@(tcp|unix|udp)\(`, Mask+"@${1}("),
	replace("user:password@host", []string{"@"}, `(^|[\s"'(=])[\w.+\-]+:[^\s@"'/]+@([\w\-]+[\w.\-]*)`, "${1}"+Mask+"@${2}"),

	replace("authorization", []string{"authorization"},
		`(?i)(authorization["']?\s*[:=]\s*["']?)(?:(bearer|basic|token|digest|negotiate|apikey|aws4-hmac-sha256|sharedkey)\s+)?[^\s"',;}\]]+(?:,\s*\w+=[^\s,]+)*`,
		"${1}${2} "+Mask),
	decide("scheme and token", []string{"bearer", "basic"}, `(?i)\b(bearer|basic)(\s+)([A-Za-z0-9+/=_\-.~]{6,})`, func(g []string) string {
		if !mixed(g[3]) {
			return g[0]
		}
		return g[1] + g[2] + Mask
	}),
	decide("secret setting", secretNeedles,
		`(?i)((?:`+secretWords+`)(?:s|_?value|_?id|_?\d+)?)(\\?["']?\s*(?:=>|:=|=|:)\s*)(\\"(?:[^"\\]|\\[^"])*(?:\\"|$)|"(?:[^"\\]|\\.)*(?:"|$)|'(?:[^'\\]|\\.)*(?:'|$)|\{[^}\n]*\}|[^\s"',;&)}\]…]+)`,
		secretSetting),
	decide("secret line", secretNeedles,
		`(?i)^([ \t]*(?:- )?(?:[\w.\-]*[_.\-])?(?:passw(?:or)?d|passphrase|secret|api[_-]?key|client[_-]?secret)[ \t]*:[ \t]+)(\*\*\*)([^\n]*)$`,
		func(g []string) string { return g[1] + g[2] }),
	replace("flag", []string{"--"}, `(?i)(--[\w\-]*(?:password|passwd|token|secret|api-?key|access-?key)[\s=]+)("[^"]*"|'[^']*'|[^\s"',;\]]+)`, "${1}"+Mask),
	replace("mysql -p", []string{"mysql"}, `(?i)(\bmysql(?:dump|admin|import)?\b[^\n]{0,200}?\s-p)[^\s"',;\]]+`, "${1}"+Mask),
	replace("curl -u", []string{"curl"}, `(?i)(\bcurl\b[^\n]{0,200}?\s(?:-u|--user)[\s=]*)("[^"]*"|'[^']*'|[^\s"',;\]]+)`, "${1}"+Mask),
	replace("query string", []string{"?", "&"}, `(?i)([?&](?:sig|signature|key|code|auth|pass|user|username|email|phone|jwt|sid|x-amz-[a-z\-]+|x-goog-[a-z\-]+|googleaccessid|se|sp|sv|state|nonce|otp|pin)=)[^\s&"'<>#)\]]*`, "${1}"+Mask),
	replace("slack hook", []string{"hooks.slack.com", "webhook"}, `(?i)(hooks\.slack\.com/(?:services|workflows)/|webhook\.office\.com/\w+/|discord(?:app)?\.com/api/webhooks/)[^\s"'<>]+`, "${1}"+Mask),
	replace("jwt", []string{"eyj"}, `\beyJ[A-Za-z0-9_\-]{6,}(?:\.[A-Za-z0-9_\-]*){0,4}`, Mask),
	replace("aws key", []string{"akia", "asia", "aroa", "aida", "agpa", "anpa"}, `(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{12,}`, Mask),
	replace("known tokens",
		[]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "xox", "xapp-", "k_live_", "k_test_", "whsec_", "sk-", "aiza", "ya29.", "glpat-", "npm_", "_v1_", "sg.", "hvs.", "hvb.", "dapi", "pypi-", "gocspx-", "shpat_", "shpca_", "shppa_", "shpss_", "dp.pt.", "sq0"},
		`\b(?:gh[pousr]_[A-Za-z0-9]{10,}|github_pat_\w{10,}|xox[a-z]-[A-Za-z0-9\-]{6,}|xapp-[A-Za-z0-9\-]{6,}|[spr]k_(?:live|test)_[A-Za-z0-9]{6,}|whsec_[A-Za-z0-9]{6,}|`+
			`sk-[A-Za-z0-9_\-]{16,}|AIza[\w\-]{20,}|ya29\.[\w\-]{6,}|glpat-[\w\-]{10,}|npm_[A-Za-z0-9]{20,}|do[opr]_v1_[a-f0-9]{16,}|SG\.[\w\-]{10,}\.[\w\-]{10,}|`+
			`hv[sb]\.[\w\-]{10,}|dapi[a-f0-9]{16,}|pypi-[\w\-]{16,}|GOCSPX-[\w\-]{10,}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{16,}|dp\.pt\.\w{16,}|sq0[a-z]{3}-[\w\-]{10,})`, Mask),
}

var portAndPath = regexp.MustCompile(`^\d{1,5}/`)

// slashedUserinfo masks user:password where the password has a slash, but not a
// port that a path with an @ follows.
func slashedUserinfo(g []string) string {
	if portAndPath.MatchString(g[3]) {
		return g[0]
	}
	return g[1] + Mask + "@"
}

var (
	// plainWords are what errors say of a secret, not secrets.
	plainWords = regexp.MustCompile(`(?i)^["'\\]*(?:expired|invalid|missing|required|empty|null|none|nil|true|false|denied|rejected|revoked|not|is|has|must|cannot|could|was|unauthorized|authentication|failed|failure|error|undefined)["'\\.!]*$`)
	// errorNames are exception classes and error codes that end like a setting.
	errorNames = regexp.MustCompile(`(?:^|[.\s(])(?:Expired|Invalid|Missing|Unknown|Bad|No|Unexpected|Unrecognized|Malformed|Incorrect|Wrong)(?:[A-Z]\w*)?$`)
)

// secretSetting masks the value of name=value, name: value, "name": "value".
func secretSetting(g []string) string {
	name, sep, value, before := g[1], g[2], g[3], g[4]
	if plainWords.MatchString(value) {
		return g[0]
	}
	if strings.Contains(sep, ":") && name[0] < 'a' && errorNames.MatchString(before) {
		return g[0]
	}
	switch {
	case strings.HasPrefix(value, `\"`):
		return name + sep + `\"` + Mask + `\"`
	case value[0] == '"' || value[0] == '\'':
		return name + sep + value[:1] + Mask + value[:1]
	}
	return name + sep + Mask
}

// mixed tells a token from a word: it has digits or capitals inside.
func mixed(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c >= '0' && c <= '9' || c == '=' || i > 0 && c >= 'A' && c <= 'Z' {
			return true
		}
	}
	return false
}
