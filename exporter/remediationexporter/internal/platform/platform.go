// Package platform is what the executor must know about a platform: how to read
// a target, how to tell whether a plan still fits it, how to act on it once, and
// how to tell afterwards whether that happened. A platform is added by one
// folder that implements Adapter and passes the suite of package conformance.
package platform

import (
	"context"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
)

// State is what a target looks like, in words that can be stored and compared.
// The adapter documents its keys.
type State map[string]string

// Effect says what an earlier call did, as far as the target tells.
type Effect int

const (
	// Unknown: what is seen fits neither.
	Unknown Effect = iota
	// Absent: the target is as it was; the call had no effect.
	Absent
	// Present: the target has changed in the way the action changes it.
	Present
)

// Adapter acts on one installation of a platform. It is safe for concurrent
// use, keeps no memory of plans, and every method returns soon after ctx ends.
type Adapter interface {
	// Actions lists what it can do.
	Actions() []action.Type

	// Ping asks the platform for something cheap that needs the credentials.
	Ping(ctx context.Context) error

	// Read reads the target of p. It changes nothing. Errors are *Error; Gone where
	// the target is not there and the action needs it.
	Read(ctx context.Context, p action.Plan) (State, error)

	// Judge tells why p does not fit the target as read, as one of the closed words
	// of action.Result and a sentence for a person; "" when it fits. It needs no I/O.
	Judge(p action.Plan, now State) (why, detail string)

	// Compare tells whether a call for p, begun when the target was as in before,
	// has taken effect in now. It needs no I/O. Unknown where it is not sure.
	Compare(p action.Plan, before, now State) Effect

	// Call carries p out with at most one request that changes anything, and never
	// sends that request again. Nil: the target confirmed the effect; after is the
	// target as its answer shows it. Errors are *Error, and Unclear unless it is
	// certain that nothing happened.
	Call(ctx context.Context, p action.Plan, before State) (after State, err error)
}
