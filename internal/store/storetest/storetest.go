// Package storetest is the contract of package store as tests. An engine passes
// when Run does.
package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// Config is what a test wants of the store that it opens.
type Config struct {
	Now    func() time.Time
	Bounds store.Bounds
}

// Open opens an empty store, closed at the end of the test. reopen closes it and
// opens the same state again, as a restart does.
type Open func(t *testing.T, c Config) (s store.Store, reopen func() store.Store)

// Run tests everything that an engine promises.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, open Open)
	}{
		{"AnIncidentComesBackAsItWasStored", incidentRoundTrip},
		{"AnIncidentIsNotOverwrittenBlindly", incidentConflict},
		{"IncidentsAreFoundNewestFirst", incidentFilters},
		{"PlansAreFoundOldestFirst", planFilters},
		{"OutboxDeliversInOrderAtLeastOnce", outboxOrder},
		{"OutboxKeepsRowsForEverySubscriber", outboxSubscribers},
		{"OutboxForgetsSubscribersThatLeft", outboxLeave},
		{"OutboxIsBounded", outboxBound},
		{"OutboxRefusesWhatWasNeverSent", outboxFuture},
		{"AnObservationIsSeenOnce", seeOnce},
		{"FactsKeepTheirLastValue", factLast},
		{"FactsKeepTheirHistory", factHistory},
		{"ALateFactChangesNothing", factLate},
		{"FactsMayBeNoNumber", factNumbers},
		{"FactsAreBounded", factBounds},
		{"FactsHaveEntities", factEntity},
		{"RunsAreFoundNewestFirst", runs},
		{"VerdictsStayWhileActive", anomalyActive},
		{"VerdictsAreBounded", anomalyBound},
		{"TouchesRememberTheLatest", touch},
		{"TouchesAreBounded", touchBound},
		{"EdgesKeepTheirProvenance", edgesBySource},
		{"EdgesAreBounded", edgeBound},
		{"OutcomesAreFoundNewestFirst", outcomes},
		{"SilencesHoldFromStartToEnd", silences},
		{"UsersComeWithTheirHash", users},
		{"MetaIsStoredAndRemoved", meta},
		{"AuditIsAppendedWithItsTree", auditTree},
		{"AuditPayloadsAreErased", auditErase},
		{"CheckpointsAreFoundNewestFirst", checkpoints},
		{"PruneDropsWhatIsOver", prune},
		{"StatsTellTheSize", stats},
		{"AFailedUpdateLeavesNothing", rollbackOnError},
		{"APanicLeavesNothing", rollbackOnPanic},
		{"ACancelledUpdateLeavesNothing", rollbackOnCancel},
		{"AnUpdateReadsItsOwnWrites", ownWrites},
		{"AViewSeesOneMoment", snapshot},
		{"AViewDoesNotWrite", viewReads},
		{"ATransactionEndsWithItsFunction", kept},
		{"WhatWasAcknowledgedOutlivesARestart", durability},
		{"WritersTakeTurns", concurrentWriters},
		{"AFailureLeavesOtherWritersAlone", concurrentFailures},
		{"AClosedStoreSaysSo", closed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open)
		})
	}
}

// Epoch is when the clock of the tests starts.
var Epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: Epoch} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func at(minutes int) time.Time { return Epoch.Add(time.Duration(minutes) * time.Minute) }

func opened(t *testing.T, open Open, bounds store.Bounds) store.Store {
	t.Helper()
	s, _ := open(t, Config{Now: newClock().Now, Bounds: bounds})
	return s
}

func update(t *testing.T, s store.Store, fn func(tx store.Tx) error) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), fn))
}

func view(t *testing.T, s store.Store, fn func(r store.Reader)) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), func(r store.Reader) error {
		fn(r)
		return nil
	}))
}

// read takes one result out of a View.
func read[T any](t *testing.T, s store.Store, get func(r store.Reader) (T, error)) T {
	t.Helper()
	var got T
	require.NoError(t, s.View(t.Context(), func(r store.Reader) (err error) {
		got, err = get(r)
		return err
	}))
	return got
}

var (
	orders = entity.Ref{Kind: entity.Dataset, Namespace: "sqlite:///warehouse.db", Name: "orders"}
	load   = entity.Ref{Kind: entity.Job, Namespace: "default", Name: "shop.load_orders"}
)

func newIncident(id string, updated time.Time) *incident.Incident {
	return &incident.Incident{ID: id, State: incident.Open, Class: incident.Unknown, Title: "orders", Root: orders, Started: updated, Detected: updated, Updated: updated}
}

func put(t *testing.T, s store.Store, all ...*incident.Incident) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		for _, i := range all {
			if err := tx.PutIncident(i, ""); err != nil {
				return err
			}
		}
		return nil
	})
}

func ids(all []*incident.Incident) []string {
	var names []string
	for _, i := range all {
		names = append(names, i.ID)
	}
	return names
}
