package platform

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what an error means for the plan. The zero Kind is the one that
// must be treated with most care.
type Kind int

const (
	// Unclear: it cannot be told whether the request had an effect.
	Unclear Kind = iota
	// Unreachable: the platform does not answer, and the request did not reach it.
	Unreachable
	// Unauthenticated: the platform refuses the credentials altogether. Nothing happened.
	Unauthenticated
	// Throttled: the platform asks to come back later. Nothing happened.
	Throttled
	// Gone: the target does not exist.
	Gone
	// Conflict: the target is not in a state in which this can be done. Nothing happened.
	Conflict
	// Forbidden: the identity may not do this. Nothing happened.
	Forbidden
	// Refused: the platform takes the request for wrong. Nothing happened, and
	// asking again will not help.
	Refused
)

// Error is what an Adapter returns. Err names what was tried, on what.
type Error struct {
	Kind Kind
	// Wait is how long the platform asks to wait, 0 where it does not say.
	Wait time.Duration
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// AsError finds the Error in err. One that is none is Unclear.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Kind: Unclear, Err: err}
}
