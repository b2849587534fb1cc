package storetest

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

func touch(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	update(t, s, func(tx store.Tx) error {
		for _, c := range []struct {
			e      entity.Ref
			source string
			minute int
		}{{orders, "airflow", 5}, {orders, "airflow", 3}, {load, "airflow", 4}, {orders, "openlineage", 2}} {
			if err := tx.Touch(c.e, c.source, at(c.minute)); err != nil {
				return err
			}
		}
		return nil
	})
	last := func(e entity.Ref, source string) time.Time {
		return read(t, s, func(r store.Reader) (time.Time, error) { return r.LastSeen(e, source) })
	}
	require.Equal(t, at(5), last(orders, "airflow"), "an older word changes nothing")
	require.Equal(t, at(2), last(orders, "openlineage"))
	require.True(t, last(load, "openlineage").IsZero())
	require.Equal(t, map[string]time.Time{"airflow": at(5), "openlineage": at(2)}, read(t, s, store.Reader.Sources))
	require.Error(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.Touch(entity.Ref{}, "airflow", at(1)) }))
}

func touchBound(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{MaxTouches: 2})
	update(t, s, func(tx store.Tx) error {
		for n := range 4 {
			if err := tx.Touch(orders, strconv.Itoa(n), at(n+1)); err != nil {
				return err
			}
		}
		return nil
	})
	require.True(t, read(t, s, func(r store.Reader) (time.Time, error) { return r.LastSeen(orders, "1") }).IsZero())
	require.Equal(t, at(3), read(t, s, func(r store.Reader) (time.Time, error) { return r.LastSeen(orders, "2") }))
	require.Equal(t, int64(2), read(t, s, store.Reader.Stats).Dropped["touches"])
}

func putEdges(t *testing.T, s store.Store, all ...entity.Edge) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		for _, e := range all {
			if err := tx.PutEdge(e); err != nil {
				return err
			}
		}
		return nil
	})
}

func edgesBySource(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	edge := func(from, to entity.Ref, r entity.Relation, source string, minute int) entity.Edge {
		return entity.Edge{From: from, To: to, Relation: r, Source: source, LastSeen: at(minute)}
	}
	odd := entity.Ref{Kind: entity.Dataset, Namespace: "a/b%2F:c", Name: "x/y:z ☃"}
	writes, declared := edge(load, orders, entity.Writes, "openlineage", 1), edge(load, orders, entity.Writes, "declared", 1)
	reads := edge(orders, load, entity.ReadBy, "openlineage", 2)
	strange := edge(load, odd, entity.Writes, "openlineage", 5)
	putEdges(t, s, reads, writes, declared, strange)
	require.Equal(t, []entity.Edge{reads, strange, declared, writes}, read(t, s, store.Reader.Edges))

	writes.LastSeen = at(7)
	putEdges(t, s, writes)
	old := writes
	old.LastSeen = at(3)
	putEdges(t, s, old)
	require.Equal(t, []entity.Edge{reads, strange, declared, writes}, read(t, s, store.Reader.Edges))

	var n int
	update(t, s, func(tx store.Tx) (err error) {
		n, err = tx.DeleteEdges("openlineage", at(5))
		return err
	})
	require.Equal(t, 1, n)
	require.Equal(t, []entity.Edge{strange, declared, writes}, read(t, s, store.Reader.Edges), "what others say stays")
	require.Error(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.PutEdge(entity.Edge{To: orders, Relation: entity.Writes}) }))
}

func edgeBound(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{MaxEdges: 2})
	for n := range 4 {
		putEdges(t, s, entity.Edge{From: load, To: orders, Relation: entity.Writes, Source: strconv.Itoa(n), LastSeen: at(n)})
	}
	left := read(t, s, store.Reader.Edges)
	require.Len(t, left, 2)
	require.Equal(t, "2", left[0].Source)
	require.Equal(t, int64(2), read(t, s, store.Reader.Stats).Dropped["edges"])
}
