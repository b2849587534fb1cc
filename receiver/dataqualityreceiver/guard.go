package dataqualityreceiver

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect"
)

// How long a driver has to come back once its context has ended. Reads of a
// file on a dead mount never do.
const grace = 500 * time.Millisecond

// guard lets one call at a time into a driver and waits for it no longer than
// its context and the grace allow.
type guard struct{ inside atomic.Bool }

// do returns an error when f has not returned. Then f may still be running:
// what it wrote to must not be read.
func (g *guard) do(ctx context.Context, f func(context.Context)) error {
	if !g.inside.CompareAndSwap(false, true) {
		return dialect.Failure{Kind: dialect.Hanging, Text: "an earlier statement has not come back, although it was ended; the tables of this database wait for it"}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer g.inside.Store(false)
		f(ctx)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case <-done:
		return nil
	case <-late.C:
		return dialect.Failure{Kind: dialect.Hanging, Text: "the statement did not come back when it was ended"}
	}
}

func (g *guard) occupied() bool { return g.inside.Load() }
