package airflow

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// LogLimits bound what is read and kept of a task's log.
type LogLimits struct {
	// MaxBytes is how much is read at most. A longer log is read up to there.
	MaxBytes int64
	// MaxLines is how many of the last lines are kept.
	MaxLines int
	// MaxLine is how many bytes of a message are kept.
	MaxLine int
}

// TaskLog is the end of the log of one try.
type TaskLog struct {
	// Lines are the last messages, oldest first.
	Lines []LogLine
	// Exception is the last error with details that the log tells; nil where there is none.
	Exception *Exception
	// Truncated is true when the log is longer than MaxBytes.
	Truncated bool
}

// LogLine is one message.
type LogLine struct {
	Timestamp time.Time `json:"timestamp"`
	Level     string    `json:"level"`
	Logger    string    `json:"logger"`
	Event     string    `json:"event"`
	// ExitCode and Signal tell how a process ended, where the message is about that.
	ExitCode *int   `json:"exit_code"`
	Signal   string `json:"signal_name"`
}

// Exception is a Python exception with those that caused it. It is as Airflow
// told it: not scrubbed.
type Exception struct {
	Type    string
	Message string
	// Frames are of the outermost exception, outermost call first.
	Frames []Frame
	// Causes are the chained exceptions, nearest first.
	Causes []Exception
	// Group are the members of an exception group.
	Group []Exception
	// Explicit is true of a cause that was named with "raise … from".
	Explicit bool
}

// Frame is one call on the stack.
type Frame struct {
	File     string `json:"filename"`
	Line     int    `json:"lineno"`
	Function string `json:"name"`
}

// Stacktrace writes the exception as Python does, causes first; the innermost
// frames come last, so the end of the text tells the most.
func (e *Exception) Stacktrace() string {
	var b strings.Builder
	for i := len(e.Causes) - 1; i >= 0; i-- {
		e.Causes[i].write(&b)
		if e.Causes[i].Explicit {
			b.WriteString("\nThe above exception was the direct cause of the following exception:\n\n")
		} else {
			b.WriteString("\nDuring handling of the above exception, another exception occurred:\n\n")
		}
	}
	e.write(&b)
	return b.String()
}

func (e *Exception) write(b *strings.Builder) {
	b.WriteString("Traceback (most recent call last):\n")
	for _, f := range e.Frames {
		fmt.Fprintf(b, "  File %q, line %d, in %s\n", f.File, f.Line, f.Function)
	}
	b.WriteString(e.Type)
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	b.WriteString("\n")
	for _, m := range e.Group {
		b.WriteString("  member " + m.Type + ": " + m.Message + "\n")
	}
}

// errorDetail is how Airflow's structured log tells an exception (structlog's
// ExceptionDict).
type errorDetail struct {
	Type    string  `json:"exc_type"`
	Value   string  `json:"exc_value"`
	IsCause bool    `json:"is_cause"`
	Frames  []Frame `json:"frames"`
	// Exceptions are the chains of a group's members.
	Exceptions [][]errorDetail `json:"exceptions"`
}

// Bounds of one exception; Python's own recursion limit is 1000 frames.
const (
	maxCauses = 8
	maxFrames = 64
)

// TaskLog reads the log of one try, keeping its end. It is streamed, so a long
// log costs time but no memory.
func (c *Client) TaskLog(ctx context.Context, dag, run, task string, mapIndex, try int, limits LogLimits) (TaskLog, error) {
	path, err := join(http.MethodGet, "dags", dag, "dagRuns", run, "taskInstances", task, "logs", strconv.Itoa(try))
	if err != nil {
		return TaskLog{}, err
	}
	var log TaskLog
	_, err = c.do(ctx, call{
		method: http.MethodGet,
		path:   path,
		query:  url.Values{"map_index": {strconv.Itoa(mapIndex)}, "full_content": {"true"}},
		accept: "application/x-ndjson",
		read: func(r io.Reader) error {
			log = TaskLog{}
			return log.read(r, limits)
		},
	})
	return log, err
}

func (l *TaskLog) read(r io.Reader, limits LogLimits) error {
	counted := &io.LimitedReader{R: r, N: limits.MaxBytes + 1}
	buffered := bufio.NewReaderSize(counted, 64<<10)
	for {
		raw, err := readLine(buffered)
		if err != nil && counted.N <= 0 {
			l.Truncated = true // and raw is a record cut off
			return nil
		}
		if len(raw) > 0 {
			if lineErr := l.add(raw, limits); lineErr != nil {
				return lineErr
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// maxRecord is the longest record of a log that is looked into, in bytes.
const maxRecord = 1 << 20

// readLine returns one line without its end, nil where it is longer than maxRecord.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	tooLong := false
	for {
		part, err := r.ReadSlice('\n')
		if !tooLong {
			line = append(line, part...)
		}
		if len(line) > maxRecord {
			line, tooLong = nil, true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return []byte(strings.TrimRight(string(line), "\r\n")), err
		}
	}
}

func (l *TaskLog) add(raw []byte, limits LogLimits) error {
	var rec struct {
		LogLine
		Detail json.RawMessage `json:"error_detail"`
	}
	if err := json.Unmarshal(raw, &rec); err != nil {
		return err
	}
	if limits.MaxLines > 0 {
		if len(rec.Event) > limits.MaxLine {
			rec.Event = strings.ToValidUTF8(rec.Event[:limits.MaxLine], "")
		}
		if len(rec.Signal) > limits.MaxLine {
			rec.Signal = ""
		}
		if len(l.Lines) >= limits.MaxLines {
			l.Lines = append(l.Lines[:0], l.Lines[1:]...)
		}
		l.Lines = append(l.Lines, rec.LogLine)
	}
	// The field is the task's own to misuse: what does not look like an exception
	// is no reason to lose the rest of the log.
	var chain []errorDetail
	if json.Unmarshal(rec.Detail, &chain) != nil || len(chain) == 0 || chain[0].Type == "" {
		return nil
	}
	top := chain[0].exception()
	for _, d := range chain[1:min(len(chain), maxCauses+1)] {
		top.Causes = append(top.Causes, d.exception())
	}
	l.Exception = &top
	return nil
}

func (d errorDetail) exception() Exception {
	frames := d.Frames
	if len(frames) > maxFrames {
		frames = frames[len(frames)-maxFrames:]
	}
	e := Exception{Type: d.Type, Message: d.Value, Frames: frames, Explicit: d.IsCause}
	for _, chain := range d.Exceptions[:min(len(d.Exceptions), maxCauses)] {
		if len(chain) > 0 {
			e.Group = append(e.Group, Exception{Type: chain[0].Type, Message: chain[0].Value})
		}
	}
	return e
}
