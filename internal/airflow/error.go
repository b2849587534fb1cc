package airflow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/scrub"
)

// Error is any failure of a call.
type Error struct {
	// Status is the HTTP status; 0 where no answer came.
	Status int
	Method string
	// Path is the path of the call, without host and query.
	Path string
	// Detail is what Airflow said, or what was wrong with its answer; at most 512 bytes of printable text.
	Detail string
	// RetryAfter is how long Airflow asked to wait; 0 where it did not say.
	RetryAfter time.Duration
	// Sent is true when the request may have reached Airflow.
	Sent bool
	// Err is the cause, nil where the status says everything.
	Err error
}

// Error says what was tried and what came of it.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "airflow: %s %s: ", e.Method, e.Path)
	switch {
	case e.Status != 0:
		fmt.Fprintf(&b, "status %d", e.Status)
	case e.Sent:
		b.WriteString("no answer")
	default:
		b.WriteString("not sent")
	}
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func status(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}

// IsNotFound is true when Airflow does not know the thing (404).
func IsNotFound(err error) bool { return status(err) == http.StatusNotFound }

// IsConflict is true when the thing is already there or busy (409).
func IsConflict(err error) bool { return status(err) == http.StatusConflict }

// IsUnauthorized is true when the login is wrong (401).
func IsUnauthorized(err error) bool { return status(err) == http.StatusUnauthorized }

// IsForbidden is true when the user may not do this (403).
func IsForbidden(err error) bool { return status(err) == http.StatusForbidden }

// isStale is true when Airflow does not know the token, as after a change of its
// secret. It says so with 403, which also says that a user may not do something,
// so the words decide.
func isStale(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusForbidden && e.Detail == "Invalid JWT token"
}

// IsRetryable is true when the same call may succeed later: no answer, 408, 429, or 5xx.
// Whether it may be *repeated* is another question: see [IsUnclear].
func IsRetryable(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch {
	case errors.Is(e.Err, errInvalid):
		return false
	case e.Status == 0, e.Status == http.StatusRequestTimeout, e.Status == http.StatusTooManyRequests, e.Status >= 500:
		return true
	}
	return e.Status < 300 // half an answer
}

// IsUnclear is true when the call may have taken effect although it failed: the
// request may have reached Airflow and no answer came, or the answer was 5xx or
// 408, or a success that could not be read. The caller asks Airflow what is the
// case before it sends an action again. False means that nothing was done.
func IsUnclear(err error) bool {
	var e *Error
	if !errors.As(err, &e) || !e.Sent {
		return false
	}
	return e.Status == 0 || e.Status < 300 || e.Status == http.StatusRequestTimeout || e.Status >= 500
}

// IsLimited is true when the client's own rate limit left no time for the call; it was not sent.
func IsLimited(err error) bool { return errors.Is(err, errLimited) }

// RetryAfter is how long Airflow asked to wait before the next call; 0 where it did not.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// Kind names the error in one word of a closed list, for telemetry: timeout,
// canceled, unreachable, unauthorized, forbidden, not_found, conflict, throttled,
// server, rejected, redirect, too_large, malformed, limited, invalid, other.
func Kind(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return "other"
	}
	switch {
	case errors.Is(e.Err, errInvalid):
		return "invalid"
	case errors.Is(e.Err, errLimited):
		return "limited"
	case errors.Is(e.Err, errTooLarge):
		return "too_large"
	case errors.Is(e.Err, context.Canceled):
		return "canceled"
	case isTimeout(e.Err):
		return "timeout"
	case e.Status == 0:
		return "unreachable"
	case e.Status < 300:
		return "malformed"
	case e.Status < 400:
		return "redirect"
	case e.Status == http.StatusUnauthorized:
		return "unauthorized"
	case e.Status == http.StatusForbidden:
		return "forbidden"
	case e.Status == http.StatusNotFound:
		return "not_found"
	case e.Status == http.StatusConflict:
		return "conflict"
	case e.Status == http.StatusTooManyRequests:
		return "throttled"
	case e.Status >= 500:
		return "server"
	}
	return "rejected"
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// maxDetail bounds what of an error answer is kept, in bytes.
const maxDetail = 512

// explanation makes an error's text from outside fit to be logged.
func explanation(s string) string { return printable(scrub.Text(s, maxDetail)) }

// printable makes text from outside fit for one line of a log.
func printable(s string) string {
	if len(s) > maxDetail {
		s = s[:maxDetail]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\ufffd' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
