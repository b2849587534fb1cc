package classify

import (
	"regexp"
	"strconv"
	"strings"
)

// Expressions over messages in lower case. Numbers count only with a word that
// says what they are: "503 records were skipped" has no status.
var (
	statusPhrase = regexp.MustCompile(`\b([45]\d\d)\)?[\s:,\-]*(?:reason: )?(?:\(?(?:server error|client error|bad request|unauthorized|forbidden|not found|method not allowed|not acceptable|conflict\b|gone\b|unprocessable|too many requests|internal server error|internal error|not implemented|bad gateway|service unavailable|service temporarily|the service|gateway time-?out|(?:get|post|put|patch|delete|head) (?:https?:|/)|quota|rate limit|permission|access denied|invalid|error\b|backend error|http\b))`)
	statusWord   = regexp.MustCompile(`(?:\bstatus(?:[ _]?code)?|\bhttp(?:_?error|/[\d.]+)?(?: error| status| code| response)*|\bresponse(?:[ _]?code)?|[-=]>|(?:error|unavailable|forbidden|unauthorized|denied|found|timeout|gateway|failed|response|server|request|refused) \()["']?[ =:]*(?:of |was |is |code )?[\[(<"']?([45]\d\d)\b`)
	statusVerb   = regexp.MustCompile(`\b(?:answered|answers|returned|returns|responded|responds|replied|replies|received|got|gave|gives|said|says|failed|respond)(?: (?:with|back|an?|the|http|status|code|error))* ?:?["'(]?([45]\d\d)\b["')]?(?:$|[.,;:)\]]|\s*(?:$|at\b|for\b|from\b|on\b|after\b|while\b|when\b|to\b|during\b|http|error|status|code|response|\())`)
	statusEnd    = regexp.MustCompile(`\b(?:rejected|refused|denied|failed|failure|error|errored|unavailable)\b[^\n:]{0,60}: ([45]\d\d)\.?$`)
	sqlStateWord = regexp.MustCompile(`sqlstate["']?[ =:\[(]*([0-9a-z]{5})\b`)
	sqlStateODBC = regexp.MustCompile(`^\('([0-9a-z]{5})'|^\d{6} \(([0-9a-z]{5})\)|\[([0-9a-z]{2}[0-9s][0-9]{2})\]`)
	sqlStateCode = regexp.MustCompile(`\b(?:pgcode|error code)["']?[ =:]*["']?([0-9a-z]{5})\b`)
	pgClass      = regexp.MustCompile(`^\(?(?:psycopg2?\.errors|asyncpg\.exceptions(?:\._base)?)\.(\w+)`)
	mysqlCode    = regexp.MustCompile(`\((\d{4}), ["']|\berror (\d{4}) \(`)
	errno        = regexp.MustCompile(`\berrno (-?\d+)`)
	exitCode     = regexp.MustCompile(`(?:\bexit(?:ed)?(?: with)?(?: an?)?(?: non-?zero)?(?: exit)?(?: status| code)+(?: is| was)?|\breturn(?:ed)?(?: a)?(?: non-?zero)?(?: exit| return)?(?: status| code)+|\bexitcode|\bexit_code)["']?[ =:]*(-?\d{1,5})\b`)
	signalWord   = regexp.MustCompile(`\bsignal[ :]+(?:number )?(\d{1,2})\b|\bsig(kill|term|segv|abrt)\b`)
)

var signals = map[string]int{"kill": 9, "term": 15, "segv": 11, "abrt": 6}

func httpStatus(message string) int {
	if !mayHaveStatus(message) {
		return 0
	}
	for _, re := range []*regexp.Regexp{statusPhrase, statusWord, statusVerb, statusEnd} {
		if n := number(re, message); n != 0 {
			return n
		}
	}
	return 0
}

// mayHaveStatus reports whether three digits stand alone that can be a status.
func mayHaveStatus(message string) bool {
	for i := 0; i+3 <= len(message); i++ {
		if (message[i] == '4' || message[i] == '5') && digit(message[i+1]) && digit(message[i+2]) &&
			(i == 0 || !digit(message[i-1])) && (i+3 == len(message) || !digit(message[i+3])) {
			return true
		}
	}
	return false
}

// sqlState is told in words, or by the class that psycopg and asyncpg have for it.
func sqlState(fullType, message string) string {
	for _, re := range []*regexp.Regexp{sqlStateWord, sqlStateCode, sqlStateODBC} {
		for i, state := range re.FindStringSubmatch(message) {
			if i > 0 && strings.ContainsAny(state, "0123456789") {
				return state
			}
		}
	}
	for _, text := range []string{fullType, message} {
		if m := pgClass.FindStringSubmatch(text); m != nil {
			name := strings.TrimSuffix(m[1], "error")
			if s, ok := pgStates[name]; ok {
				return s
			}
		}
	}
	return ""
}

func exit(message string) (code, signal int) {
	code = number(exitCode, message)
	switch {
	case code > 128 && code <= 192:
		signal = code - 128
	case code < 0 && code >= -64:
		signal = -code
	}
	if m := signalWord.FindStringSubmatch(message); m != nil && signal == 0 {
		if signal = signals[m[2]]; m[1] != "" {
			signal, _ = strconv.Atoi(m[1])
		}
	}
	return code, signal
}

// number is the first group of re that matched, as a number.
func number(re *regexp.Regexp, s string) int {
	m := re.FindStringSubmatch(s)
	for i := 1; i < len(m); i++ {
		if n, err := strconv.Atoi(m[i]); err == nil {
			return n
		}
	}
	return 0
}

// pgStates are the names that psycopg (psycopg.errors) and asyncpg give to
// SQLSTATEs, in lower case and without "error".
// Source: PostgreSQL 17 documentation, appendix A.
var pgStates = map[string]string{
	"deadlockdetected": "40p01", "serializationfailure": "40001", "serialization": "40001", "locknotavailable": "55p03", "querycanceled": "57014",
	"adminshutdown": "57p01", "crashshutdown": "57p02", "cannotconnectnow": "57p03", "idleintransactionsessiontimeout": "25p03",
	"connectionfailure": "08006", "connectiondoesnotexist": "08003", "sqlclientunabletoestablishsqlconnection": "08001",
	"toomanyconnections": "53300", "insufficientresources": "53000", "diskfull": "53100", "outofmemory": "53200", "configurationlimitexceeded": "53400",
	"invalidpassword": "28p01", "invalidauthorizationspecification": "28000", "insufficientprivilege": "42501",
	"undefinedcolumn": "42703", "undefinedtable": "42p01", "undefinedfunction": "42883", "undefinedobject": "42704", "syntax": "42601", "postgressyntax": "42601",
	"ambiguouscolumn": "42702", "duplicatetable": "42p07", "duplicatecolumn": "42701", "datatypemismatch": "42804", "grouping": "42803",
	"invalidtextrepresentation": "22p02", "numericvalueoutofrange": "22003", "stringdatarighttruncation": "22001", "invaliddatetimeformat": "22007",
	"datetimefieldoverflow": "22008", "divisionbyzero": "22012", "badcopyfileformat": "22p04", "characternotinrepertoire": "22021",
	"uniqueviolation": "23505", "notnullviolation": "23502", "foreignkeyviolation": "23503", "checkviolation": "23514", "exclusionviolation": "23p01",
	"readonlysqltransaction": "25006", "invalidcatalogname": "3d000", "invalidschemaname": "3f000",
}

// programErrors are classes, without packages and in lower case, that only a
// mistake in the program raises.
var programErrors = setOf(
	"keyerror", "typeerror", "attributeerror", "nameerror", "unboundlocalerror", "indexerror", "zerodivisionerror", "importerror", "modulenotfounderror",
	"syntaxerror", "indentationerror", "taberror", "notimplementederror", "recursionerror", "unicodedecodeerror", "unicodeencodeerror",
	"overflowerror", "floatingpointerror", "jsondecodeerror", "undefinederror", "templatesyntaxerror", "templatenotfound", "mergeerror", "parsererror", "airflownotfoundexception", "airflowconfigexception", "intcastingnanerror",
	"nullpointerexception", "classcastexception", "indexoutofboundsexception", "arrayindexoutofboundsexception", "stringindexoutofboundsexception",
	"illegalargumentexception", "numberformatexception", "arithmeticexception", "classnotfoundexception", "noclassdeffounderror", "nosuchmethoderror",
	"nosuchfielderror", "unsupportedoperationexception", "nosuchelementexception", "datetimeparseexception", "inputmismatchexception", "matcherror",
	"jsonparseexception", "jsonmappingexception", "invalidformatexception", "yamlerror", "scannererror",
	"airflowdagcycleexception", "duplicatetaskidfound", "paramvalidationerror", "referenceerror", "rangeerror", "lexererror",
)

// ofTheJVM reports classes that the JVM itself raises for mistakes: all of
// java.lang, java.util and java.time but those that say nothing or something else.
func ofTheJVM(full string) bool {
	pkg, class, _ := strings.Cut(full, ".")
	if pkg != "java" {
		return false
	}
	for _, prefix := range []string{"lang.", "lang.reflect.", "util.", "util.regex.", "time.", "time.format.", "time.zone."} {
		if name, ok := strings.CutPrefix(class, prefix); ok && !strings.Contains(name, ".") {
			return !vagueOfTheJVM[name]
		}
	}
	return false
}

var vagueOfTheJVM = setOf(
	"exception", "runtimeexception", "throwable", "error", "illegalstateexception", "interruptedexception", "outofmemoryerror", "securityexception",
	"invocationtargetexception", "undeclaredthrowableexception", "virtualmachineerror", "internalerror", "unknownerror", "exceptionininitializererror", "bootstrapmethoderror", "threaddeath",
)

func setOf(words ...string) map[string]bool {
	set := make(map[string]bool, len(words))
	for _, w := range words {
		set[w] = true
	}
	return set
}
