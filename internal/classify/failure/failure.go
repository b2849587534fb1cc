// Package failure reads what a failure says of itself: the exceptions that it
// is made of, from the one that was reported down to its causes, and the line
// of the user's own code where it began. It reads tracebacks of Python, stack
// traces of the JVM, panics of Go and plain messages, in any mixture, and takes
// text of any origin: it never fails, it only understands less.
package failure

import (
	"strings"
	"unicode/utf8"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/scrub"
)

// Bounds of what is read and kept, in bytes and links.
const (
	MaxType     = 256
	MaxMessage  = 2 << 10
	MaxStack    = 8 << 10
	MaxLocation = 512
	MaxChain    = 8

	maxRead = 64 << 10
)

// Link is one exception of a chain.
type Link struct {
	Type, Message string
	// Raised is true when the exception above was raised on purpose because of this
	// one (Python's "raise … from", the JVM's "Caused by"), false when the one above
	// came up while this one was handled.
	Raised bool

	location string
}

// Failure is what was read.
type Failure struct {
	Error observation.Error
	// Chain is outermost first; never empty unless there was nothing to read.
	Chain []Link
}

// Text is what a source says of a failure. Any field may be empty.
type Text struct {
	Type, Message, Stacktrace string
	// Location is used when the stack trace shows none in the user's own code.
	Location string
}

// Read reads t. All texts in the result have been scrubbed and bounded.
func Read(t Text) Failure {
	typ := firstLine(t.Type)
	message := strings.TrimSpace(scrub.Text(t.Message, MaxMessage))
	stack := scrub.Text(ends(t.Stacktrace), maxRead)

	chain := python(stack)
	if chain == nil {
		chain = java(stack)
	}
	if chain == nil {
		chain = panicked(stack)
	}
	chain = outermost(chain, typ, message)
	// A Python exception often carries the JVM's trace in its message.
	if inner := java(message); len(inner) > 0 && !sameType(inner[0].Type, chain[0].Type) {
		inner[0].Raised = true
		chain = append(chain[:1:1], append(inner, chain[1:]...)...)
	}
	if len(chain) > MaxChain {
		// The ends of a chain tell the most: what was reported, and why.
		chain = append(chain[:MaxChain/2:MaxChain/2], chain[len(chain)-MaxChain/2:]...)
	}
	f := Failure{Chain: chain}
	for i := range chain {
		l := &chain[i]
		l.Type = clip(scrub.Text(l.Type, MaxType), MaxType)
		l.Message = strings.TrimSpace(scrub.Text(l.Message, MaxMessage))
		if i > 0 && l.Type != "" {
			f.Error.Causes = append(f.Error.Causes, l.Type)
		}
	}
	for i := len(chain) - 1; i >= 0 && f.Error.Location == ""; i-- {
		f.Error.Location = chain[i].location
	}
	if f.Error.Location == "" {
		f.Error.Location = t.Location
	}
	f.Error.Location = scrub.Text(firstLine(f.Error.Location), MaxLocation)
	f.Error.Stacktrace = scrub.Text(ends(stack), MaxStack)
	if len(chain) > 0 {
		f.Error.Type, f.Error.Message = chain[0].Type, chain[0].Message
	}
	return f
}

// Empty reports whether nothing was said.
func (f *Failure) Empty() bool { return len(f.Chain) == 0 }

// outermost puts what was reported beside the trace at the head of the chain.
func outermost(chain []Link, typ, message string) []Link {
	if typ == "" {
		var rest string
		if typ, rest = splitError(message); typ != "" {
			message = rest
		}
	}
	switch {
	case typ == "" && message == "":
		return chain
	case len(chain) == 0:
		return []Link{{Type: typ, Message: message}}
	case typ == "" && strings.Contains(message, chain[0].Message), sameType(typ, chain[0].Type):
		if strings.Contains(typ, ".") || chain[0].Type == "" {
			chain[0].Type = typ
		}
		if message != "" {
			chain[0].Message = message
		}
		return chain
	}
	// Some sources name the cause, not the exception that the trace ends in.
	for i := range chain {
		if sameType(typ, chain[i].Type) {
			return chain
		}
	}
	chain[0].Raised = true
	return append([]Link{{Type: typ, Message: message}}, chain...)
}

// sameType compares class names where one of them may lack its package.
func sameType(a, b string) bool { return a != "" && b != "" && Short(a) == Short(b) }

// Short is a class name without its package.
func Short(typ string) string {
	if i := strings.LastIndexAny(typ, ".:$/"); i >= 0 {
		return typ[i+1:]
	}
	return typ
}

// ends keeps the head and the tail of a long text: a trace begins or ends with
// what matters, depending on the language.
func ends(s string) string {
	if len(s) <= MaxStack {
		return s
	}
	const mark = "\n…\n"
	head, tail := s[:MaxStack/4], s[len(s)-(MaxStack-MaxStack/4-len(mark)-8):]
	if i := strings.LastIndexByte(head, '\n'); i > 0 {
		head = head[:i]
	}
	if i := strings.IndexByte(tail, '\n'); i >= 0 {
		tail = tail[i+1:]
	}
	return strings.ToValidUTF8(head+mark+tail, "")
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Parse reads a text of which nothing is known: a message, a stack trace, or a
// log that has one in it.
func Parse(text string) Failure {
	text = strings.TrimSpace(text)
	if traced(text) {
		return Read(Text{Stacktrace: text})
	}
	return Read(Text{Message: text})
}

// traced reports whether a stack trace is in the text.
func traced(text string) bool {
	for _, sign := range []string{"Traceback (most recent call last)", "\tat ", "\n    at ", "\nCaused by: ", "\ngoroutine ", "panic: "} {
		if strings.Contains(text, sign) {
			return len(Read(Text{Stacktrace: text}).Chain) > 0
		}
	}
	return false
}
