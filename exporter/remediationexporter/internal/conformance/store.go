package conformance

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
)

// Store keeps plans as the reliability extension does: what it has accepted
// outlives every process.
type Store struct {
	clock *Clock
	ready chan struct{}

	mu         sync.Mutex
	plans      map[string]*action.Plan
	registered map[string][]action.Capability
	renewals   int
	begins     int
	released   []Release
	// Fail, where set, is asked before each operation; an error is returned and
	// nothing is stored. With after it is asked again when all is stored.
	Fail func(op string, after bool) error
}

// Release is one plan given back.
type Release struct {
	Plan string
	Why  string
	Wait time.Duration
}

var _ reliability.Dispatcher = (*Store)(nil)

// NewStore makes a store with plans that may be leased at once.
func NewStore(clock *Clock, plans ...action.Plan) *Store {
	s := &Store{clock: clock, ready: make(chan struct{}, 1), plans: map[string]*action.Plan{}, registered: map[string][]action.Capability{}}
	for _, p := range plans {
		p.Status = action.Pending
		s.plans[p.ID] = &p
	}
	return s
}

// Plan tells how a plan stands.
func (s *Store) Plan(id string) action.Plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.plans[id]
}

// Releases lists what was given back, oldest first.
func (s *Store) Releases() []Release {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.released)
}

// Renewals counts the renewals.
func (s *Store) Renewals() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renewals
}

// Begins counts the intents that were stored.
func (s *Store) Begins() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begins
}

// Registered tells what an executor offers now.
func (s *Store) Registered(executor string) []action.Capability {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.registered[executor])
}

// Steal gives a plan's lease to another executor.
func (s *Store) Steal(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plans[id].Fence++
}

// Register implements reliability.Dispatcher.
func (s *Store) Register(executor string, can []action.Capability) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registered[executor] = slices.Clone(can)
}

// Unregister implements reliability.Dispatcher.
func (s *Store) Unregister(executor string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.registered, executor)
}

// Ready implements reliability.Dispatcher.
func (s *Store) Ready() <-chan struct{} { return s.ready }

// Wake makes Ready receive.
func (s *Store) Wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Lease implements reliability.Dispatcher.
func (s *Store) Lease(_ context.Context, executor string, most int, ttl time.Duration) (out []action.Lease, err error) {
	err = s.do("lease", func() error {
		now := s.clock.Now()
		for _, id := range slices.Sorted(maps.Keys(s.plans)) {
			p := s.plans[id]
			open := p.Status == action.Pending || ((p.Status == action.Leased || p.Status == action.Begun) && !now.Before(p.LeaseUntil))
			if len(out) == most || !open || now.Before(p.NotBefore) {
				continue
			}
			p.Fence++
			p.LeasedBy, p.LeaseUntil, p.Status = executor, now.Add(ttl), action.Leased
			out = append(out, action.Lease{Plan: *p, Fence: p.Fence, Until: p.LeaseUntil, Prior: p.Intent})
		}
		return nil
	})
	return out, err
}

// Renew implements reliability.Dispatcher.
func (s *Store) Renew(_ context.Context, l action.Lease, ttl time.Duration) (action.Lease, error) {
	err := s.do("renew", func() error {
		p, err := s.held(l)
		if err != nil {
			return err
		}
		s.renewals++
		p.LeaseUntil = s.clock.Now().Add(ttl)
		l.Until = p.LeaseUntil
		return nil
	})
	return l, err
}

// Begin implements reliability.Dispatcher.
func (s *Store) Begin(_ context.Context, l action.Lease, in action.Intent) error {
	return s.do("begin", func() error {
		p, err := s.held(l)
		if err != nil {
			return err
		}
		s.begins++
		p.Status, p.Intent = action.Begun, &in
		p.Attempt++
		return nil
	})
}

// Complete implements reliability.Dispatcher.
func (s *Store) Complete(_ context.Context, l action.Lease, r action.Result) error {
	return s.do("complete", func() error {
		if p := s.plans[l.Plan.ID]; p.Fence == l.Fence && p.Result != nil {
			return nil
		}
		p, err := s.held(l)
		if err != nil {
			return err
		}
		p.Status, p.Result = action.Done, &r
		if r.Status == action.VoidWorld {
			p.Status = action.Void
		}
		return nil
	})
}

// Release implements reliability.Dispatcher.
func (s *Store) Release(_ context.Context, l action.Lease, why string, wait time.Duration) error {
	return s.do("release", func() error {
		p, err := s.held(l)
		if err != nil {
			return err
		}
		s.released = append(s.released, Release{Plan: p.ID, Why: why, Wait: wait})
		p.Status, p.LeasedBy, p.NotBefore = action.Pending, "", s.clock.Now().Add(wait)
		return nil
	})
}

// held finds the plan whose lease l still is.
func (s *Store) held(l action.Lease) (*action.Plan, error) {
	p := s.plans[l.Plan.ID]
	if p.Fence != l.Fence || (p.Status != action.Leased && p.Status != action.Begun) {
		return nil, reliability.ErrStaleFence
	}
	return p, nil
}

func (s *Store) do(op string, change func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Fail != nil {
		if err := s.Fail(op, false); err != nil {
			return err
		}
	}
	if err := change(); err != nil {
		return err
	}
	if s.Fail != nil {
		return s.Fail(op, true)
	}
	return nil
}
