// Package engine runs the loop: it joins observations to incidents, has actions
// chosen, hands them to executors, has recovery verified, and learns from the
// outcome. All of its state is in the store; each change of an incident, its
// audit record and its place in the outbox are one transaction.
package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/decision"
	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/graph"
	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/policy"
	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/verification"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/killswitch"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// Settings are the engine's bounds and windows. All durations are positive.
type Settings struct {
	Settle        time.Duration // how long evidence is gathered before judging
	JoinWindow    time.Duration // how far apart in time one cause may show
	Hops          int           // how far apart in the graph
	ReopenWithin  time.Duration // how soon after closing the same trouble is the same incident
	IgnoreOlder   time.Duration // what happened longer ago opens no incident
	VerifyWindow  time.Duration // how long all signals have to hold
	VerifyTimeout time.Duration // how long recovery is waited for
	MaxActive     int           // incidents under way
	MaxEvidence   int           // observations kept for each
	Retention     time.Duration // of closed incidents, facts and runs
	Decision      decision.Settings
	Verification  verification.Settings
}

// Signer makes signed checkpoints of the audit log.
type Signer interface {
	Checkpoint(tx store.Tx, now time.Time) (store.Checkpoint, error)
}

// Options are what an engine needs.
type Options struct {
	Store    store.Store
	Signer   Signer
	Dir      string // state folder, where the kill switch is
	Policies *policy.Set
	Settings Settings
	MaxEdges int
	Declared []entity.Edge // edges that the configuration states
	Now      func() time.Time
	Entropy  io.Reader // of IDs; nil: crypto/rand
	Logger   *zap.Logger
}

// Engine is safe for concurrent use.
type Engine struct {
	store    store.Store
	signer   Signer
	dir      string
	policies *policy.Set
	set      Settings
	graph    *graph.Graph
	now      func() time.Time
	entropy  io.Reader
	log      *zap.Logger

	// mu serialises everything that changes state, so that what is in memory and
	// what is stored never differ.
	mu        sync.Mutex
	active    map[string]*incident.Incident
	executors map[string][]action.Capability
	killed    *killswitch.Pulled
	storeErr  error // the last write failed; nil: it did not
	counts    Counts

	ready       chan struct{}
	changed     chan struct{} // closed and replaced whenever the outbox may have grown
	subscribers map[string]bool
}

// Counts are the engine's totals since it started.
type Counts struct {
	Observed, Duplicates, TooOld, Unusable, Overflow, Refused, Intents map[string]int64
}

// New loads the state and returns an engine that does nothing until it is called.
func New(ctx context.Context, o Options) (*Engine, error) {
	e := &Engine{
		store: o.Store, signer: o.Signer, dir: o.Dir, policies: o.Policies, set: o.Settings,
		graph: graph.New(o.MaxEdges), now: o.Now, entropy: o.Entropy, log: o.Logger,
		active: map[string]*incident.Incident{}, executors: map[string][]action.Capability{},
		ready: make(chan struct{}, 1), changed: make(chan struct{}), subscribers: map[string]bool{},
		counts: Counts{Observed: map[string]int64{}, Duplicates: map[string]int64{}, TooOld: map[string]int64{}, Unusable: map[string]int64{}, Overflow: map[string]int64{}, Refused: map[string]int64{}, Intents: map[string]int64{}},
	}
	if e.entropy == nil {
		e.entropy = rand.Reader
	}
	now := e.now()
	err := e.store.Update(ctx, func(tx store.Tx) error {
		edges, err := tx.Edges()
		if err != nil {
			return err
		}
		for _, edge := range edges {
			if edge.Source != sourceDeclared {
				e.graph.Add(edge, 0)
			}
		}
		if _, err := tx.DeleteEdges(sourceDeclared, now.Add(time.Nanosecond)); err != nil {
			return err
		}
		for _, edge := range o.Declared {
			edge.Source, edge.LastSeen = sourceDeclared, now
			e.graph.Add(edge, 0)
			if err := tx.PutEdge(edge); err != nil {
				return err
			}
		}
		for _, f := range []store.IncidentFilter{
			{States: []incident.State{incident.Open, incident.Planned, incident.AwaitingApproval, incident.Acting, incident.Verifying, incident.Escalated, incident.Suppressed}},
			{States: []incident.State{incident.Resolved}, Since: now.Add(-e.set.ReopenWithin)},
		} {
			f.Limit = 2 * o.Settings.MaxActive
			loaded, err := tx.Incidents(f)
			if err != nil {
				return err
			}
			for _, i := range loaded {
				e.active[i.ID] = i
			}
		}
		e.killed = killswitch.Read(e.dir)
		return e.audit(tx, "engine.start", "engine", e.dir, map[string]any{"policies": e.policies.Hash(), "killed": e.killed})
	})
	if err != nil {
		return nil, fmt.Errorf("reliability: load the state in %s: %w", o.Dir, err)
	}
	return e, nil
}

const (
	sourceDeclared = "declared"
	metaProbe      = "engine.probe"
)

func (e *Engine) id(prefix string, at time.Time) (string, error) {
	id, err := ulid.New(ulid.Timestamp(at), e.entropy)
	if err != nil {
		return "", fmt.Errorf("make an ID: %w", err)
	}
	return prefix + id.String(), nil
}

// Status is a snapshot for people and telemetry.
type Status struct {
	Active      map[incident.State]int
	Killed      *killswitch.Pulled
	StoreError  error
	Executors   map[string][]action.Capability
	Counts      Counts
	Edges       int
	EdgesDenied int64
}

// Status tells how the engine stands.
func (e *Engine) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := Status{Active: map[incident.State]int{}, Killed: e.killed, StoreError: e.storeErr, Executors: map[string][]action.Capability{}}
	for _, i := range e.active {
		s.Active[i.State]++
	}
	for name, can := range e.executors {
		s.Executors[name] = slices.Clone(can)
	}
	s.Counts = e.counts.clone()
	s.Edges, s.EdgesDenied = e.graph.Size()
	return s
}

func (c Counts) clone() Counts {
	copied := func(m map[string]int64) map[string]int64 {
		out := make(map[string]int64, len(m))
		maps.Copy(out, m)
		return out
	}
	return Counts{copied(c.Observed), copied(c.Duplicates), copied(c.TooOld), copied(c.Unusable), copied(c.Overflow), copied(c.Refused), copied(c.Intents)}
}

// update runs fn on copies of the incidents in one transaction and makes the
// copies current only when all of it is durable.
func (e *Engine) update(ctx context.Context, fn func(*batch) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var b *batch
	err := e.store.Update(ctx, func(tx store.Tx) error {
		b = &batch{Engine: e, Tx: tx, now: e.now(), dirty: map[string]*incident.Incident{}, from: map[string]incident.State{}}
		if e.storeErr != nil {
			// Only a write tells whether the state can be written again.
			if err := tx.PutMeta(metaProbe, []byte(b.now.UTC().Format(time.RFC3339))); err != nil {
				return err
			}
		}
		if err := fn(b); err != nil {
			return err
		}
		return b.flush()
	})
	if err != nil {
		if b != nil {
			e.graph.Remove(b.edges)
		}
		if failsState(err) {
			e.storeErr = err
		}
		return err
	}
	e.storeErr = nil
	maps.Copy(e.active, b.dirty)
	for _, id := range b.gone {
		delete(e.active, id)
	}
	for _, done := range b.after {
		done()
	}
	if len(b.dirty) > 0 || b.notify {
		close(e.changed)
		e.changed = make(chan struct{})
		select {
		case e.ready <- struct{}{}:
		default:
		}
	}
	return nil
}

// failsState reports whether an error means that the state cannot be written, not
// that what was asked makes no sense or that who asked has gone.
func failsState(err error) bool {
	return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && !isRefusal(err) &&
		!errors.Is(err, ErrInvalid) && !errors.Is(err, store.ErrNotFound)
}

// Stop records that the engine ends.
func (e *Engine) Stop(ctx context.Context) error {
	return e.update(ctx, func(b *batch) error { return e.audit(b.Tx, "engine.stop", "engine", e.dir, nil) })
}
