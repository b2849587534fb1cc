package record

import (
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/scrub"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// ImportError is a DAG file that cannot be loaded.
type ImportError struct {
	// File is its path in its bundle.
	File string
	// Trace is the stack trace as Airflow has it; empty for one that is cleared.
	Trace string
	// First is when it was first seen, which tells one bout from the next.
	First time.Time
}

// AddImportError appends the record of a file that cannot be loaded.
func (b *Batch) AddImportError(e ImportError) {
	rec := b.add(vocab.EventImportError, e.First, plog.SeverityNumberError, e.File, uid(e.Trace), e.First.UTC().Format(time.RFC3339Nano))
	m := rec.Attributes()
	m.PutStr(vocab.CodeFilePath, cut(e.File, maxName))
	typ, message := lastLine(e.Trace)
	putText(m, vocab.ExceptionType, scrub.Text(typ, maxType))
	putText(m, vocab.ExceptionMessage, scrub.Text(message, maxMessage))
	putText(m, vocab.ExceptionStacktrace, scrubEnd(e.Trace, maxStack))
}

// AddImportErrorCleared appends the record of a file that can be loaded again, or is gone.
func (b *Batch) AddImportErrorCleared(e ImportError, at time.Time) {
	rec := b.add(vocab.EventImportErrorCleared, at, plog.SeverityNumberInfo, e.File, e.First.UTC().Format(time.RFC3339Nano))
	rec.Attributes().PutStr(vocab.CodeFilePath, cut(e.File, maxName))
}

// Fingerprint is the same for errors that say the same.
func (e ImportError) Fingerprint() string { return uid(e.File, e.Trace) }

// lastLine reads class and message from the last line of a Python stack trace. A
// message of several lines has its first line there where a line looks like it.
func lastLine(trace string) (typ, message string) {
	lines := strings.Split(strings.TrimRight(trace, "\n "), "\n")
	for i, line := range slices.Backward(lines) {
		if line == "" || line[0] == ' ' {
			continue
		}
		name, rest, ok := strings.Cut(line, ": ")
		if isClass(name) {
			if ok {
				message = strings.Join(append([]string{rest}, lines[i+1:]...), "\n")
			}
			return name, message
		}
	}
	return "", lines[len(lines)-1]
}

// isClass is true of a dotted Python name.
func isClass(s string) bool {
	if s == "" {
		return false
	}
	for _, r := range s {
		if r != '.' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return true
}

// cut bounds text that is no free text.
func cut(s string, limit int) string {
	return strings.ToValidUTF8(s[:min(len(s), limit)], "")
}
