package failure

import (
	"regexp"
	"strings"
)

const (
	explicit = "The above exception was the direct cause of the following exception:"
	implicit = "During handling of the above exception, another exception occurred:"
)

var (
	pythonFrame = regexp.MustCompile(`^\s*File "([^"]+)", line (\d+)(?:, in (.+))?$`)
	className   = regexp.MustCompile(`^(?:[A-Za-z_]\w*\.)*[A-Za-z_][\w$]*$`)
	errorName   = regexp.MustCompile(`(?:Error|Exception|Exit|Interrupt|Timeout|Failure|Fault|Warning|Refused|Denied|Found|Expired|Unavailable|Exhausted|Violation|Detected|Cancelled|Canceled|Killed)$`)
	javaHead    = regexp.MustCompile(`^(?:Exception in thread "[^"]*" |Caused by: |: )?((?:[a-z_][\w]*\.)+[A-Z][\w$]*)(?:: (.*)|:?)$`)
	javaFrame   = regexp.MustCompile(`^\s+at ([\w.$<>/@\-]+)\.([\w$<>]+)\(([\w.$\-]+):(\d+)\)`)
	goFrame     = regexp.MustCompile(`^\s+(/[^\s:]+\.go):(\d+)`)
)

// python reads the tracebacks in s, which Python prints innermost first, and
// returns them outermost first.
func python(s string) []Link {
	if !strings.Contains(s, "Traceback (most recent call last)") && !strings.Contains(s, "\n  File \"") && !strings.HasPrefix(s, "  File \"") {
		return nil
	}
	var printed []Link
	link, started, frames := Link{}, false, false
	end := func(raised bool) {
		if link.Type != "" || link.Message != "" {
			link.Raised = raised
			printed = append(printed, link)
		}
		link, started, frames = Link{}, false, false
	}
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == explicit:
			end(true)
		case trimmed == implicit:
			end(false)
		case strings.HasPrefix(trimmed, "Traceback (most recent call last)"):
			if started {
				end(false)
			}
			frames = true
		case pythonFrame.MatchString(line):
			frames = true
			if m := pythonFrame.FindStringSubmatch(line); !libraryFile(m[1]) {
				link.location = place(m[1], m[2], m[3])
			}
		case frames && line != "" && line[0] != ' ' && line[0] != '\t' && !started:
			typ, rest, _ := strings.Cut(line, ":")
			if !className.MatchString(typ) {
				continue
			}
			link.Type, link.Message, started = typ, strings.TrimSpace(rest), true
		case started:
			// Messages may have several lines.
			link.Message = strings.TrimSpace(clip(link.Message+"\n"+line, MaxMessage))
		}
	}
	end(false)
	// printed[i].Raised says how printed[i+1] came up, which is what a Link means.
	for i, j := 0, len(printed)-1; i < j; i, j = i+1, j-1 {
		printed[i], printed[j] = printed[j], printed[i]
	}
	return printed
}

// java reads a stack trace of the JVM, which is outermost first.
func java(s string) []Link {
	if !strings.Contains(s, "\tat ") && !strings.Contains(s, "Caused by: ") && !strings.Contains(s, "    at ") && !strings.Contains(s, "\n: ") {
		return nil
	}
	var chain []Link
	message := false
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, "\r\n")
		if m := javaFrame.FindStringSubmatch(line); m != nil {
			message = false
			if len(chain) > 0 && chain[len(chain)-1].location == "" && !libraryClass(m[1]) {
				chain[len(chain)-1].location = place(m[3], m[4], m[1]+"."+m[2])
			}
			continue
		}
		if m := javaHead.FindStringSubmatch(line); m != nil && (len(chain) == 0 || strings.HasPrefix(line, "Caused by: ")) {
			chain = append(chain, Link{Type: m[1], Message: m[2], Raised: len(chain) > 0})
			message = true
			continue
		}
		if message && strings.TrimSpace(line) != "" && !strings.HasPrefix(strings.TrimSpace(line), "at ") {
			last := &chain[len(chain)-1]
			last.Message = clip(last.Message+"\n"+line, MaxMessage)
		}
	}
	return chain
}

// panicked reads a panic of Go.
func panicked(s string) []Link {
	_, rest, ok := strings.Cut("\n"+s, "\npanic: ")
	if !ok {
		return nil
	}
	l := Link{Type: "panic", Message: firstLine(rest)}
	for line := range strings.Lines(rest) {
		if m := goFrame.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil && !strings.Contains(m[1], "/go/src/") && !strings.Contains(m[1], "/pkg/mod/") {
			l.location = place(m[1], m[2], "")
			break
		}
	}
	return []Link{l}
}

// splitError takes the class off a message that starts with one.
func splitError(message string) (typ, rest string) {
	line := firstLine(message)
	line = strings.TrimPrefix(line, "Uncaught ")
	if strings.HasPrefix(line, "panic: ") {
		return "panic", strings.TrimSpace(message[len("panic: "):])
	}
	if m := javaHead.FindStringSubmatch(line); m != nil {
		return m[1], m[2] + message[len(firstLine(message)):]
	}
	head, tail, found := strings.Cut(line, ":")
	if !className.MatchString(head) || !errorName.MatchString(head) || !found && strings.Contains(line, " ") {
		return "", message
	}
	return head, strings.TrimSpace(tail + message[len(firstLine(message)):])
}

func place(file, line, function string) string {
	at := file + ":" + line
	if function != "" && function != "<module>" {
		at += " in " + strings.TrimSpace(function)
	}
	return at
}

// libraryFile tells files of Python itself and of installed packages from the user's own.
func libraryFile(file string) bool {
	for _, part := range []string{"site-packages/", "dist-packages/", "/lib/python", "/lib64/python", "<", `\Lib\`, "/airflow/sdk/", "/airflow/models/", "/airflow/providers/", "/pyspark/"} {
		if strings.Contains(file, part) {
			return true
		}
	}
	return false
}

// libraryClass tells classes of the JVM and of common frameworks from the user's own.
func libraryClass(class string) bool {
	if _, after, ok := strings.Cut(class, "/"); ok { // java.base/java.lang.Thread
		class = after
	}
	for _, prefix := range []string{
		"java.", "javax.", "jdk.", "sun.", "com.sun.", "scala.", "kotlin.", "org.apache.", "org.springframework.", "org.postgresql.", "org.hibernate.",
		"com.mysql.", "com.zaxxer.", "com.microsoft.sqlserver.", "oracle.jdbc.", "com.amazonaws.", "software.amazon.", "com.google.", "com.fasterxml.", "io.netty.",
		"io.openlineage.", "py4j.", "net.snowflake.", "okhttp3.", "reactor.", "com.databricks.",
	} {
		if strings.HasPrefix(class, prefix) {
			return true
		}
	}
	return false
}
