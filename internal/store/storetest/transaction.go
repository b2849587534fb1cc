package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

var errBoom = errors.New("boom")

// everything writes a row of each kind.
func everything(tx store.Tx, i *incident.Incident, r *store.AuditRecord) error {
	_, seen := tx.See("observation", at(0))
	return errors.Join(seen, tx.PutIncident(i, ""), tx.AppendAudit(r), tx.PutFact(fact(rows, "", 1, 1)), tx.PutRun(run("r", 1)),
		tx.PutAnomaly(verdict("a", true, 1)), tx.Touch(orders, "airflow", at(1)), tx.PutMeta("k", []byte("v")),
		tx.PutEdge(entity.Edge{From: load, To: orders, Relation: entity.Writes, Source: "airflow", LastSeen: at(1)}),
		tx.PutUser(store.User{Name: "ann"}), tx.PutCheckpoint(store.Checkpoint{Size: 1}))
}

func requireEmpty(t *testing.T, s store.Store, i *incident.Incident, r *store.AuditRecord) {
	t.Helper()
	require.Zero(t, i.Version)
	require.Equal(t, record(0), *r)
	view(t, s, func(r store.Reader) {
		all, err := r.Incidents(store.IncidentFilter{})
		require.NoError(t, err)
		require.Empty(t, all)
		size, err := r.AuditSize()
		require.NoError(t, err)
		require.Zero(t, size)
		box, err := r.Outbox("x", 0)
		require.NoError(t, err)
		require.Empty(t, box)
		edges, err := r.Edges()
		require.NoError(t, err)
		require.Empty(t, edges)
		sources, err := r.Sources()
		require.NoError(t, err)
		require.Empty(t, sources)
		value, err := r.Meta("k")
		require.NoError(t, err)
		require.Nil(t, value)
	})
	require.Empty(t, factsOf(t, s, orders))
	require.Empty(t, history(t, s, rows))
	require.Empty(t, anomaliesOf(t, s))
	// The same objects can be tried again.
	update(t, s, func(tx store.Tx) error {
		fresh, err := tx.See("observation", at(0))
		require.True(t, fresh)
		return errors.Join(err, tx.PutIncident(i, ""), tx.AppendAudit(r))
	})
	require.Equal(t, int64(1), i.Version)
	require.Equal(t, []string{i.ID}, ids(read(t, s, func(r store.Reader) ([]*incident.Incident, error) {
		return r.Incidents(store.IncidentFilter{})
	})))
}

func rollbackOnError(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	i, r := newIncident("a", at(0)), record(0)
	require.ErrorIs(t, s.Update(t.Context(), func(tx store.Tx) error {
		require.NoError(t, everything(tx, i, &r))
		require.Equal(t, int64(1), i.Version)
		return errBoom
	}), errBoom)
	requireEmpty(t, s, i, &r)
}

func rollbackOnPanic(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	i, r := newIncident("a", at(0)), record(0)
	require.PanicsWithValue(t, "boom", func() {
		_ = s.Update(t.Context(), func(tx store.Tx) error {
			require.NoError(t, everything(tx, i, &r))
			panic("boom")
		})
	})
	require.PanicsWithValue(t, "boom", func() {
		_ = s.View(t.Context(), func(store.Reader) error { panic("boom") })
	})
	requireEmpty(t, s, i, &r)
}

func rollbackOnCancel(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	i, r := newIncident("a", at(0)), record(0)
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, s.Update(ctx, func(tx store.Tx) error {
		require.NoError(t, everything(tx, i, &r))
		cancel()
		return nil
	}), context.Canceled)
	require.ErrorIs(t, s.Update(ctx, func(store.Tx) error {
		t.Error("ran after its context was over")
		return nil
	}), context.Canceled)
	require.ErrorIs(t, s.View(ctx, func(store.Reader) error { return nil }), context.Canceled)
	requireEmpty(t, s, i, &r)
}

func ownWrites(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	update(t, s, func(tx store.Tx) error {
		i, r := newIncident("a", at(0)), record(0)
		require.NoError(t, everything(tx, i, &r))
		got, err := tx.Incident("a")
		require.NoError(t, err)
		require.Equal(t, i, got)
		require.NoError(t, tx.PutIncident(got, incident.Open))
		size, err := tx.AuditSize()
		require.Equal(t, int64(1), size)
		return err
	})
}

func snapshot(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	put(t, s, newIncident("a", at(0)))
	view(t, s, func(r store.Reader) {
		before, err := r.Incidents(store.IncidentFilter{})
		require.NoError(t, err)
		put(t, s, newIncident("b", at(0))) // a writer does not wait for readers
		after, err := r.Incidents(store.IncidentFilter{})
		require.NoError(t, err)
		require.Equal(t, before, after)
	})
	require.Len(t, read(t, s, func(r store.Reader) ([]*incident.Incident, error) { return r.Incidents(store.IncidentFilter{}) }), 2)
	require.ErrorIs(t, s.View(t.Context(), func(store.Reader) error { return errBoom }), errBoom)
}

func viewReads(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	i, r := newIncident("a", at(0)), record(0)
	view(t, s, func(reader store.Reader) {
		if tx, ok := reader.(store.Tx); ok {
			require.Error(t, everything(tx, i, &r))
		}
	})
	requireEmpty(t, s, i, &r)
}

func kept(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	var tx store.Tx
	update(t, s, func(inside store.Tx) error { tx = inside; return nil })
	require.Error(t, tx.PutMeta("k", []byte("v")))
	var reader store.Reader
	view(t, s, func(r store.Reader) { reader = r })
	_, err := reader.AuditSize()
	require.Error(t, err)
	require.Nil(t, read(t, s, func(r store.Reader) ([]byte, error) { return r.Meta("k") }))
}

func durability(t *testing.T, open Open) {
	s, reopen := open(t, Config{Now: newClock().Now})
	i, r := newIncident("a", at(0)), record(0)
	update(t, s, func(tx store.Tx) error { return everything(tx, i, &r) })
	for range 2 {
		s = reopen()
		require.Equal(t, i, read(t, s, func(r store.Reader) (*incident.Incident, error) { return r.Incident("a") }))
		require.Equal(t, []store.AuditRecord{r}, read(t, s, func(r store.Reader) ([]store.AuditRecord, error) { return r.Audit(0, 0) }))
		require.Len(t, factsOf(t, s, orders), 1)
		require.Len(t, history(t, s, rows), 1)
		require.Equal(t, []string{"a=1"}, anomaliesOf(t, s))
		require.Len(t, read(t, s, store.Reader.Edges), 1)
		require.Len(t, read(t, s, store.Reader.Users), 1)
	}
}

const (
	writers   = 8
	perWriter = 25
)

func concurrentWriters(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	put(t, s, newIncident("shared", at(0)))
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for n := range perWriter {
				assert.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
					shared, err := tx.Incident("shared")
					if err != nil {
						return err
					}
					r := record(n)
					return errors.Join(tx.PutIncident(shared, shared.State), tx.PutIncident(newIncident(fmt.Sprintf("%d-%d", w, n), at(n)), ""), tx.AppendAudit(&r))
				}))
				assert.NoError(t, s.View(t.Context(), func(r store.Reader) error {
					if _, err := r.Incident(fmt.Sprintf("%d-%d", w, n)); err != nil {
						return err // acknowledged, so everyone sees it
					}
					shared, err := r.Incident("shared")
					if err != nil {
						return err
					}
					size, err := r.AuditSize()
					assert.Equal(t, shared.Version-1, size, "row and record together")
					return err
				}))
			}
		})
	}
	group.Wait()
	require.Equal(t, int64(writers*perWriter), read(t, s, store.Reader.AuditSize))
	sent, _ := waiting(t, s, "x", 0)
	require.Len(t, sent, 2*writers*perWriter+1)
}

func concurrentFailures(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for n := range perWriter {
				r, i := record(n), newIncident(fmt.Sprintf("%d-%d", w, n), at(n))
				fail := (w+n)%3 == 0
				attempt := func() (err error) {
					defer func() {
						if recover() != nil {
							err = errBoom
						}
					}()
					return s.Update(t.Context(), func(tx store.Tx) error {
						if err := errors.Join(tx.PutIncident(i, ""), tx.AppendAudit(&r)); err != nil {
							return err
						}
						if fail && n%2 == 0 {
							panic("boom")
						} else if fail {
							return errBoom
						}
						return nil
					})
				}
				err := attempt()
				if fail {
					assert.ErrorIs(t, err, errBoom)
				} else {
					assert.NoError(t, err)
				}
			}
		})
	}
	group.Wait()
	all := read(t, s, func(r store.Reader) ([]*incident.Incident, error) { return r.Incidents(store.IncidentFilter{}) })
	want := 0
	for w := range writers {
		for n := range perWriter {
			if (w+n)%3 != 0 {
				want++
			}
		}
	}
	require.Len(t, all, want)
	require.Equal(t, int64(want), read(t, s, store.Reader.AuditSize))
}

func closed(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.Error(t, s.Update(t.Context(), func(store.Tx) error { return nil }))
	require.Error(t, s.View(t.Context(), func(store.Reader) error { return nil }))
}
