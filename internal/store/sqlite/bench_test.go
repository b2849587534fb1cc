package sqlite_test

import (
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
)

// One durable transition: incident, outbox and audit record.
func BenchmarkUpdate(b *testing.B) {
	s := open(b, b.TempDir(), sqlite.Options{})
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		require.NoError(b, s.Update(b.Context(), func(tx store.Tx) error { return transition(tx, anIncident(strconv.Itoa(n))) }))
	}
}

func BenchmarkUpdateParallel(b *testing.B) {
	s := open(b, b.TempDir(), sqlite.Options{})
	var n atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := strconv.FormatInt(n.Add(1), 10)
			if err := s.Update(b.Context(), func(tx store.Tx) error { return transition(tx, anIncident(id)) }); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
