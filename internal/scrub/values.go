package scrub

import (
	"regexp"
	"strings"
)

// valueRules take data values out of the errors of databases and parsers.
var valueRules = []rule{
	{name: "postgres key", needles: []string{"key ("}, apply: postgresKeys, across: true},
	{name: "postgres row", needles: []string{"row contains ("}, apply: postgresRow, across: true},
	replace("postgres copy", []string{"copy "}, `(?i)(\bCOPY [^\n]{0,200}?, line \d+(?:, column [^:\n]+)?: )"[^\n]*`, `${1}"`+Mask+`"`),
	replace("postgres parameter", []string{"$"}, `(\$\d+ = )'(?:[^']|'')*(?:'|$)`, "${1}'"+Mask+"'"),
	replace("statement line", []string{"line "}, `^(LINE \d+: )[^\n]*$`, "${1}"+Mask),
	acrossLines(replace("mysql duplicate", []string{"duplicate entry"}, `(?is)(duplicate entry ').*?(' for key|'?$)`, "${1}"+Mask+"${2}")),
	replace("sql server duplicate", []string{"duplicate key value is"}, `(?i)(duplicate key value is \()[^\n]*`, "${1}"+Mask+")"),
	replace("sqlalchemy parameters", []string{"[parameters: "}, `(?i)(\[parameters: )[^\n]*`, "${1}"+Mask+"]"),
	decide("statement literals", []string{"insert", "update", "select", "delete", "merge", "values"},
		`(?i)\b(?:insert into|update|select|delete from|merge into|values)\b[^\n]*`, func(g []string) string {
			return literal.ReplaceAllString(g[0], "'"+Mask+"'")
		}),
	replace("invalid input", []string{"invalid input", "out of range:", "invalid value", "bad ", "invalid date", "invalid timestamp"},
		`(?i)(invalid input (?:syntax|value) for [^\n:]{1,100}: |out of range: |bad \w+ value: |invalid (?:value|date|timestamp)[^\n:"']{0,40}: )("[^\n]*"|'[^\n]*'|[^\s,;"']+)`, `${1}`+Mask),
	replace("value is", []string{"value ", "date ", "timestamp ", "time data ", "string ", "parse "},
		`(?i)(\b(?:value|values|time data|date|timestamp|unable to parse string|could not parse|failed to parse|cannot parse|parsing string|varchar value)[ :]+)("[^"\n]*"|'[^'\n]*')`, "${1}"+Mask),
	replace("literal for", []string{"invalid literal", "input string", "convert", "string format", "unparseable", "could not be parsed", "unconverted data"},
		`(?i)(invalid literal for [^\n:]{1,60}: |for input string: |could not convert string to \w+: |unknown string format:? |unparseable \w+: |text (?:)|unconverted data remains: |(?:can(?:no|')t|could not) convert )("[^"\n]*"|'[^'\n]*'|[^\s,;"']*\d[^\s,;"']*)`, "${1}"+Mask),
	replace("incorrect value", []string{"value:"}, `(?i)(\bvalue: )'[^\n]*?'( for|$|\n)`, "${1}'"+Mask+"'${2}"),
	replace("pydantic", []string{"input_value="}, `(input_value=)(?:'[^'\n]*'|"[^"\n]*"|[^,\n]*)`, "${1}"+Mask),
	replace("unexpected lists", []string{"unexpected_"}, `(["']?(?:partial_)?unexpected_(?:list|values|index_list|counts)["']?\s*[:=]\s*)(?:\[[^\]]*\]?|[^\s,]+)`, "${1}"+Mask),
}

var literal = regexp.MustCompile(`'(?:[^'\n]|'')*(?:'|$)`)

// keyEnds are how PostgreSQL goes on after the values of a key.
var keyEnds = regexp.MustCompile(`\) (?:already exists|is not present|is still referenced|is duplicated|conflicts with)`)

var keyStart = regexp.MustCompile(`(?i)\bkey \([^\n]*?\)=\(`)

// postgresKeys masks the values in "Key (a, b)=(1, x) already exists", also
// where a value has parentheses or line breaks of its own.
func postgresKeys(s string) string {
	var out strings.Builder
	for {
		at := keyStart.FindStringIndex(s)
		if at == nil {
			break
		}
		out.WriteString(s[:at[1]])
		out.WriteString(Mask)
		s = s[at[1]:]
		line, _, _ := strings.Cut(s, "\n")
		if ends := keyEnds.FindAllStringIndex(line, -1); ends != nil {
			// A second key on the line ("conflicts with existing key") is found next.
			s = s[ends[0][0]:]
			continue
		}
		if end := keyEnds.FindStringIndex(s[:min(len(s), 2048)]); end != nil {
			s = s[end[0]:]
			continue
		}
		out.WriteString(")")
		s = s[len(line):]
	}
	out.WriteString(s)
	return out.String()
}

var rowStart = regexp.MustCompile(`(?i)row contains \(`)

// postgresRow masks "Failing row contains (…)." up to the full stop that ends it,
// or all that follows where none does.
func postgresRow(s string) string {
	var out strings.Builder
	for {
		at := rowStart.FindStringIndex(s)
		if at == nil {
			break
		}
		out.WriteString(s[:at[1]])
		out.WriteString(Mask + ")")
		s = s[at[1]:]
		end := len(s)
		for _, mark := range []string{").\n", ").\\n", ")\n", ")."} {
			if i := strings.Index(s, mark); i >= 0 && i < end {
				end = i
			}
		}
		s = strings.TrimPrefix(s[end:], ")")
	}
	out.WriteString(s)
	return out.String()
}
