// Package delivery remembers which signals of which event have been taken, so
// that an event which comes again reaches only those that refused it, and one
// that all took reaches none.
package delivery

import (
	"context"
	"sync"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/recent"
)

// Signals is a set of signals.
type Signals uint8

// The signals.
const (
	Logs Signals = 1 << iota
	Traces
	Metrics
)

// Status is what is remembered of one event.
type Status struct {
	// Taken are the signals that need not be sent again.
	Taken Signals
	// Done: everything has been taken.
	Done bool
}

// Ledger holds the status of the latest events. It is safe for concurrent use.
type Ledger struct {
	now func() time.Time

	mu     sync.Mutex
	busy   map[event.UID]chan struct{}
	events *recent.Map[event.UID, Status]
}

// NewLedger remembers up to limit events, each for age.
func NewLedger(limit int, age time.Duration, now func() time.Time) *Ledger {
	return &Ledger{now: now, busy: map[event.UID]chan struct{}{}, events: recent.New[event.UID, Status](limit, age)}
}

// Begin gives the status of an event and holds the event until End. A second
// Begin for the same event waits for that, or fails when ctx is done.
func (l *Ledger) Begin(ctx context.Context, id event.UID) (Status, error) {
	for {
		l.mu.Lock()
		ended, busy := l.busy[id]
		if !busy {
			l.busy[id] = make(chan struct{})
			status, _ := l.events.Get(id, l.now())
			l.mu.Unlock()
			return status, nil
		}
		l.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return Status{}, ctx.Err()
		}
	}
}

// End stores what has become of an event. It reports whether another event's
// status was forgotten early to make room.
func (l *Ledger) End(id event.UID, status Status) (evicted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if status != (Status{}) {
		_, evicted = l.events.Put(id, status, l.now())
	}
	close(l.busy[id])
	delete(l.busy, id)
	return evicted
}
