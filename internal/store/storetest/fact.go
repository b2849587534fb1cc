package storetest

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

const rows = "data.dataset.rows"

func fact(name, part string, value float64, minute int) store.Fact {
	return store.Fact{Entity: orders, Name: name, Part: part, Value: value, Time: at(minute), Received: at(minute)}
}

func putFacts(t *testing.T, s store.Store, all ...store.Fact) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		for _, f := range all {
			if err := tx.PutFact(f); err != nil {
				return err
			}
		}
		return nil
	})
}

func factsOf(t *testing.T, s store.Store, e entity.Ref) []store.Fact {
	t.Helper()
	return read(t, s, func(r store.Reader) ([]store.Fact, error) { return r.Facts(e) })
}

func history(t *testing.T, s store.Store, name string) []store.FactPoint {
	t.Helper()
	return read(t, s, func(r store.Reader) ([]store.FactPoint, error) { return r.FactHistory(orders, name) })
}

func factLast(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	putFacts(t, s, fact(rows, "", 10, 1), fact("data.age", "b", 1, 1), fact("data.age", "a", 2, 1))
	putFacts(t, s, fact(rows, "", 10, 2))
	want := fact(rows, "", 10, 2)
	want.Changed = at(1)
	got := factsOf(t, s, orders)
	require.Len(t, got, 3)
	require.Equal(t, []string{"a", "b", ""}, []string{got[0].Part, got[1].Part, got[2].Part})
	require.Equal(t, want, got[2], "the same value again is no change")
	putFacts(t, s, fact(rows, "", 11, 3))
	want = fact(rows, "", 11, 3)
	want.Changed = at(3)
	require.Equal(t, want, factsOf(t, s, orders)[2])
	require.Empty(t, factsOf(t, s, load))
}

func factHistory(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	putFacts(t, s, fact(rows, "", 10, 1), fact(rows, "", 10, 2), fact(rows, "", 11, 3), fact(rows, "", 10, 4), fact("other", "", 1, 1))
	require.Equal(t, []store.FactPoint{{Value: 10, Time: at(1)}, {Value: 11, Time: at(3)}, {Value: 10, Time: at(4)}}, history(t, s, rows))

	const loads = store.FactHistory + 44
	for n := range loads {
		putFacts(t, s, fact("per_load", "load-"+strconv.Itoa(n), 1000, n))
	}
	points := history(t, s, "per_load")
	require.Len(t, points, store.FactHistory, "a new part is a new point, bounded")
	require.Equal(t, "load-"+strconv.Itoa(loads-1), points[len(points)-1].Part)
	require.Equal(t, "load-44", points[0].Part)
	require.Len(t, factsOf(t, s, orders), store.FactHistory+2, "parts are bounded as well")
	require.Len(t, history(t, s, rows), 3)
}

func factLate(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	late := fact(rows, "", 5, 1)
	late.Received = at(3)
	putFacts(t, s, fact(rows, "", 10, 2), late)
	require.InDelta(t, 10, factsOf(t, s, orders)[0].Value, 0)
	require.Len(t, history(t, s, rows), 1)

	// A source whose clock ran ahead is believed again once it was set right.
	ahead := fact(rows, "", 20, 1000)
	ahead.Received = at(4)
	putFacts(t, s, ahead, fact(rows, "", 30, 5))
	require.InDelta(t, 30, factsOf(t, s, orders)[0].Value, 0)
}

func factNumbers(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	values := []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64, 1 << 53, -0.1}
	for n, v := range values {
		putFacts(t, s, fact(rows, strconv.Itoa(n), v, n), fact(rows, strconv.Itoa(n), v, n))
	}
	points := history(t, s, rows)
	require.Len(t, points, len(values), "none of them differs from itself")
	for n, f := range factsOf(t, s, orders) {
		require.Equal(t, math.Float64bits(values[n]), math.Float64bits(f.Value))
		require.Equal(t, math.Float64bits(values[n]), math.Float64bits(points[n].Value))
	}
	// Times that no clock shows are drawn to the nearest that fit, and none stays none.
	far := fact("far", "", 1, 0)
	far.Time = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	putFacts(t, s, far)
	require.Greater(t, history(t, s, "far")[0].Time.Year(), 2200)
	none := fact("none", "", 1, 0)
	none.Time = time.Time{}
	putFacts(t, s, none)
	require.True(t, history(t, s, "none")[0].Time.IsZero())
}

func factBounds(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{MaxFacts: 3})
	for n := range 5 {
		putFacts(t, s, fact("f"+strconv.Itoa(n), "", 1, n))
	}
	var left []string
	for _, f := range factsOf(t, s, orders) {
		left = append(left, f.Name)
	}
	require.Equal(t, []string{"f2", "f3", "f4"}, left)
	require.Equal(t, int64(2), read(t, s, store.Reader.Stats).Dropped["facts"])
}

func factEntity(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	nothing := fact(rows, "", 1, 1)
	nothing.Entity = entity.Ref{}
	require.Error(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.PutFact(nothing) }))
	// Names that look alike are told apart.
	a := entity.Ref{Kind: entity.Dataset, Namespace: "x/y", Name: "z"}
	b := entity.Ref{Kind: entity.Dataset, Namespace: "x", Name: "y/z"}
	fa, fb := fact(rows, "", 1, 1), fact(rows, "", 2, 1)
	fa.Entity, fb.Entity = a, b
	putFacts(t, s, fa, fb)
	require.InDelta(t, 1, factsOf(t, s, a)[0].Value, 0)
	require.InDelta(t, 2, factsOf(t, s, b)[0].Value, 0)
}
