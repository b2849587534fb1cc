// Package exception reads what failed, and where, from an error message and its
// stack trace as Python and the JVM print them.
package exception

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/scrub"
)

// Bounds of the texts, in bytes.
const (
	MaxMessage = 2 << 10
	MaxStack   = 8 << 10

	maxType = 256
	// maxRead is how much of a stack trace is read; of a longer one the end,
	// where Python puts the exception itself.
	maxRead = 64 << 10
	// head of a stack trace that is kept when it is cut.
	head = 2 << 10
)

// Exception is what an error says. Its texts have been scrubbed.
type Exception struct {
	Type, Message, Stacktrace string
	// File, Function and Line of the innermost frame outside of libraries; empty where none can be told.
	File, Function string
	Line           int64
}

var (
	pythonFrame = regexp.MustCompile(`(?m)^\s*File "([^"\n]+)", line (\d+), in (\S+)`)
	pythonError = regexp.MustCompile(`^((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?::|$)`)
	javaFrame   = regexp.MustCompile(`(?m)^\s*at ([\w.$]+)\.([\w$<>]+)\(([\w.$]+):(\d+)\)`)
	javaError   = regexp.MustCompile(`^(?:Exception in thread "[^"]*" |Caused by: )?((?:[a-z]\w*\.)+[A-Z][\w$]*)(?::|$)`)
)

// Read reads an error message and its stack trace. Either may be empty.
func Read(message, stack string) Exception {
	if len(stack) > maxRead {
		stack = strings.ToValidUTF8(stack[len(stack)-maxRead:], "")
	}
	e := Exception{Message: scrub.Text(message, MaxMessage), Stacktrace: cut(scrub.Text(stack, maxRead))}
	e.Type = clip(typeOf(message, stack), maxType)
	e.locate(stack)
	e.File, e.Function = scrub.Text(clip(e.File, MaxMessage), MaxMessage), clip(e.Function, maxType)
	return e
}

func typeOf(message, stack string) (name string) {
	lines := strings.Split(strings.TrimSpace(stack), "\n")
	// The JVM names the exception first, and the root cause in the last "Caused by".
	for i, line := range slices.Backward(lines) {
		if m := javaError.FindStringSubmatch(strings.TrimSpace(line)); m != nil && (i == 0 || strings.HasPrefix(line, "Caused by: ")) {
			return m[1]
		}
	}
	// Python names it after the last frame, at the left edge.
	if strings.Contains(stack, "Traceback (most recent call last)") {
		for i := len(lines) - 1; i >= 0 && !pythonFrame.MatchString(lines[i]); i-- {
			if m := pythonError.FindStringSubmatch(lines[i]); m != nil {
				name = m[1]
			}
		}
	}
	if name != "" {
		return name
	}
	if m := javaError.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	if m := pythonError.FindStringSubmatch(message); m != nil && strings.HasSuffix(m[0], ":") && looksLikeError(m[1]) {
		return m[1]
	}
	return ""
}

func looksLikeError(name string) bool {
	return strings.HasSuffix(name, "Error") || strings.HasSuffix(name, "Exception")
}

// library tells frames of installed packages from the user's own code.
func library(file string) bool {
	for _, part := range []string{"site-packages/", "dist-packages/", "/lib/python", "<frozen", "<string>"} {
		if strings.Contains(file, part) {
			return true
		}
	}
	return false
}

func libraryClass(class string) bool {
	for _, prefix := range []string{"java.", "javax.", "jdk.", "sun.", "scala.", "org.apache.", "io.openlineage."} {
		if strings.HasPrefix(class, prefix) {
			return true
		}
	}
	return false
}

func (e *Exception) locate(stack string) {
	frames := pythonFrame.FindAllStringSubmatch(stack, -1)
	for _, f := range slices.Backward(frames) {
		if !library(f[1]) {
			e.File, e.Function = f[1], f[3]
			e.Line, _ = strconv.ParseInt(f[2], 10, 64)
			return
		}
	}
	// The cause that is printed last is the root; its first frame is the innermost.
	if i := strings.LastIndex(stack, "Caused by: "); i >= 0 {
		stack = stack[i:]
	}
	for _, f := range javaFrame.FindAllStringSubmatch(stack, -1) {
		if !libraryClass(f[1]) {
			e.File, e.Function = f[3], f[1]+"."+f[2]
			e.Line, _ = strconv.ParseInt(f[4], 10, 64)
			return
		}
	}
}

// cut keeps the head and the tail of a long stack trace, whole lines of both.
func cut(s string) string {
	if len(s) <= MaxStack {
		return s
	}
	const mark = "\n…\n"
	begin, end := s[:head], s[len(s)-(MaxStack-head-len(mark)):]
	if i := strings.LastIndexByte(begin, '\n'); i > 0 {
		begin = begin[:i]
	}
	if i := strings.IndexByte(end, '\n'); i >= 0 {
		end = end[i+1:]
	}
	return strings.ToValidUTF8(begin+mark+end, "")
}

func clip(s string, limit int) string {
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "")
	}
	return s
}
