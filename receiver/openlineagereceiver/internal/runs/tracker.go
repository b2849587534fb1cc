package runs

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/recent"
)

// Limits bound what the tracker remembers. Each must be positive.
type Limits struct {
	// Runs that are remembered, running and ended together.
	Runs int
	// Datasets of each kind (read, written) that are remembered of one run.
	Datasets int
	// Timeout after which a run of which nothing more is heard counts as unfinished.
	Timeout time.Duration
}

// View is what an event means for its run.
type View struct {
	Run Run
	// Ends: this event ended the run. It is true again when the same event comes again.
	Ends bool
	// Late: the run had ended before, by another event.
	Late bool
}

type tracked struct {
	run     Run
	ended   bool
	endedBy event.UID
	last    time.Time // latest event, on the sender's clock
}

// Tracker remembers runs. It is safe for concurrent use.
type Tracker struct {
	limits Limits
	now    func() time.Time

	mu      sync.Mutex
	runs    *recent.Map[string, *tracked]
	running int
}

// NewTracker makes an empty one. A run that ended is forgotten a timeout after
// it was last heard of, at the next call of Overdue.
func NewTracker(limits Limits, now func() time.Time) *Tracker {
	return &Tracker{limits: limits, now: now, runs: recent.New[string, *tracked](limits.Runs, math.MaxInt64)}
}

// Observe takes in an event of a run. Evicted reports that a run which had not
// ended was forgotten to make room: its end will have no start.
//
// The first event that ends a run ends it; what comes later changes nothing.
func (t *Tracker) Observe(e *event.Event) (_ View, evicted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	r, ok := t.runs.Get(e.Run.ID, now)
	if ok && r.ended {
		again := r.endedBy == e.UID
		return view(r, e, again), false
	}
	if !ok {
		r = &tracked{}
		t.running++
	}
	r.run.merge(e, t.limits.Datasets)
	if e.Time.After(r.last) {
		r.last = e.Time
	}
	if e.Ended() {
		r.run.finish(e.Time)
		r.ended, r.endedBy = true, e.UID
		t.running--
	}
	gone, full := t.runs.Put(e.Run.ID, r, now)
	if full && !gone.ended {
		t.running--
		evicted = true
	}
	return view(r, e, r.ended), evicted
}

// view adds the error, which is not kept: it can be long, and comes with the
// event that ends the run.
func view(r *tracked, e *event.Event, ends bool) View {
	v := View{Run: r.run.snapshot(), Ends: ends, Late: r.ended && !ends}
	v.Run.Error = e.Run.Facets.ErrorMessage
	return v
}

// snapshot can be read while the run goes on.
func (r *Run) snapshot() Run {
	s := *r
	s.Inputs, s.Outputs = slices.Clone(r.Inputs), slices.Clone(r.Outputs)
	return s
}

// Running is the number of runs that have not ended.
func (t *Tracker) Running() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.running
}

// Overdue lists up to limit runs of which nothing has been heard for the
// timeout, as they look when they are given up. They stay until GiveUp.
func (t *Tracker) Overdue(limit int) []Run {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Run
	now := t.now()
	t.runs.Oldest(func(id string, r *tracked, put time.Time) bool {
		age := now.Sub(put)
		switch {
		case age < t.limits.Timeout || len(out) == limit:
			return false
		case !r.ended:
			run := r.run.snapshot()
			run.finish(r.last)
			run.Timing = Unfinished
			out = append(out, run)
		default:
			t.runs.Delete(id)
		}
		return true
	})
	return out
}

// GiveUp marks runs as ended, so that they are not overdue again. A late end
// makes no second span.
func (t *Tracker) GiveUp(list []Run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for i := range list {
		if r, ok := t.runs.Get(list[i].ID, now); ok && !r.ended {
			r.run, r.ended = list[i], true
			t.runs.Put(list[i].ID, r, now)
			t.running--
		}
	}
}
