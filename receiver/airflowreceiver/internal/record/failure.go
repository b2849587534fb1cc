package record

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/scrub"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// Bounds of what a failure says, in bytes.
const (
	maxType    = 256
	maxMessage = 2 << 10
	maxStack   = 8 << 10
	maxTail    = 4 << 10
	// maxRawStack is how much of a stack trace is scrubbed; its end is kept.
	maxRawStack = 64 << 10
)

// Failure is why a try failed, scrubbed and bounded.
type Failure struct {
	Type, Message, Stacktrace string
	// File, Line and Function are the innermost frame outside of libraries.
	File     string
	Line     int
	Function string
	// Tail is the end of the log, one message a line.
	Tail string
}

// NewFailure reads a failure out of the end of a log; nil where the log says nothing.
//
// Where no exception was logged, as when a process was killed, the last message
// of level error or critical stands for it. An operator's own exception only says
// that the program failed which it ran; then the program's last words are added to
// the message, because they say why.
func NewFailure(log airflow.TaskLog) *Failure {
	f := &Failure{}
	var message strings.Builder
	own := false
	if e := log.Exception; e != nil {
		f.Type = scrub.Text(e.Type, maxType)
		f.Stacktrace = scrubEnd(e.Stacktrace(), maxStack)
		message.WriteString(e.Message)
		for _, m := range e.Group {
			message.WriteString("\n" + m.Type + ": " + m.Message)
		}
		var frame airflow.Frame
		if frame, own = userFrame(*e); own {
			f.File, f.Line, f.Function = scrub.Text(frame.File, maxType), frame.Line, scrub.Text(frame.Function, maxType)
		}
	}
	var tail strings.Builder
	var output []string
	lastError := ""
	for _, l := range log.Lines {
		if preamble(l) {
			continue
		}
		tail.WriteString(l.Event + "\n")
		if l.Level == "error" || l.Level == "critical" {
			lastError = l.Event + ending(l)
		}
		if spoken(l) {
			output = append(output, l.Event)
		}
	}
	if log.Exception == nil {
		message.WriteString(lastError)
	}
	if !own {
		for _, line := range output[max(0, len(output)-maxOutput):] {
			message.WriteString("\n" + line)
		}
	}
	f.Message = scrub.Text(strings.TrimLeft(message.String(), "\n"), maxMessage)
	f.Tail = strings.TrimRight(scrubEnd(tail.String(), maxTail), "\n")
	if f.Type == "" && f.Message == "" && f.Tail == "" {
		return nil
	}
	return f
}

// Tells is true where there is a reason, not only a log.
func (f *Failure) Tells() bool { return f != nil && f.Type+f.Message != "" }

// Verdict adds why the scheduler failed a try whose own log does not tell.
func (f *Failure) Verdict(events []airflow.Event) *Failure {
	if len(events) == 0 {
		return f
	}
	if f == nil {
		f = &Failure{}
	}
	f.Message = scrub.Text(events[0].Event+": "+events[0].Extra, maxMessage)
	return f
}

// maxOutput is how many last lines of a program's output explain a failure.
const maxOutput = 3

// preamble is true of what Airflow itself writes before the task begins.
func preamble(l airflow.LogLine) bool {
	return l.Timestamp.IsZero() && l.Level == "" || strings.HasPrefix(l.Event, "::group::") || strings.HasPrefix(l.Event, "::endgroup::") ||
		strings.HasPrefix(l.Logger, "airflow.dag_processing.") || l.Event == "Worker startup parse complete"
}

// spoken is true of the output of a task's or operator's program.
func spoken(l airflow.LogLine) bool {
	if l.Logger == "task.stdout" || l.Logger == "task.stderr" {
		return true
	}
	if !strings.HasSuffix(l.Logger, ".SubprocessHook") {
		return false
	}
	for _, own := range []string{"Tmp dir root location:", "Running command:", "Output:", "Command exited with"} {
		if strings.HasPrefix(l.Event, own) {
			return false
		}
	}
	return true
}

// ending tells how a process ended, where a message is about that.
func ending(l airflow.LogLine) string {
	switch {
	case l.Signal != "":
		return " (" + l.Signal + ")"
	case l.ExitCode != nil:
		return " (exit code " + strconv.Itoa(*l.ExitCode) + ")"
	}
	return ""
}

// scrubEnd scrubs text and keeps its end, from the start of a line on.
func scrubEnd(s string, limit int) string {
	if len(s) > maxRawStack {
		s = afterLine(s[len(s)-maxRawStack:])
	}
	s = scrub.Text(s, maxRawStack)
	if len(s) <= limit {
		return s
	}
	return "…\n" + afterLine(s[len(s)-limit+len("…\n"):])
}

func afterLine(s string) string {
	if _, rest, ok := strings.Cut(s, "\n"); ok {
		return rest
	}
	return strings.ToValidUTF8(s, "")
}

// library matches files that are not the user's own.
var library = regexp.MustCompile(`(/|\\)(site|dist)-packages(/|\\)|(/|\\)lib(64)?(/|\\)python\d|^<`)

// userFrame is the innermost frame of the user's own code: of the exception, or
// where it has none, of its nearest cause that has one.
func userFrame(e airflow.Exception) (airflow.Frame, bool) {
	for _, x := range append([]airflow.Exception{e}, e.Causes...) {
		for _, f := range slices.Backward(x.Frames) {
			if f.File != "" && !library.MatchString(f.File) {
				return f, true
			}
		}
	}
	return airflow.Frame{}, false
}

func (f *Failure) put(m pcommon.Map) {
	putText(m, vocab.ExceptionType, f.Type)
	putText(m, vocab.ExceptionMessage, f.Message)
	putText(m, vocab.ExceptionStacktrace, f.Stacktrace)
	putText(m, vocab.CodeFilePath, f.File)
	putText(m, vocab.CodeFunctionName, f.Function)
	if f.Line > 0 {
		m.PutInt(vocab.CodeLineNumber, int64(f.Line))
	}
}

func putText(m pcommon.Map, key, value string) {
	if value != "" {
		m.PutStr(key, value)
	}
}
