package fleet

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/identity"
	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/series"
)

const minute = int64(60e9)

func name(n int) (id identity.ID) {
	r := rand.New(rand.NewPCG(uint64(n), 5))
	binary.LittleEndian.PutUint64(id[:], r.Uint64())
	binary.LittleEndian.PutUint64(id[8:], r.Uint64())
	return id
}

func settings(most int) Settings {
	return Settings{Params: series.DefaultParams(), MaxSeries: most, StaleAfter: 3600, Budget: 10}
}

func see(f *Fleet, n int, at int64, v float64) (series.Result, bool) {
	return f.Observe(name(n), at/1e9, series.Observation{Time: at, Value: v})
}

func TestAFullFleetKeepsWhatItKnows(t *testing.T) {
	t.Parallel()
	f := New(settings(1000))
	for round := range int64(40) {
		for n := range 500 {
			_, ok := see(f, n, (round+1)*minute, float64(n))
			require.True(t, ok)
		}
	}
	require.EqualValues(t, 500, f.Counts().Ready)
	now := 41 * minute
	for n := range 100_000 {
		see(f, 1000+n, now, 1)
	}
	c := f.Counts()
	assert.LessOrEqual(t, c.Learning+c.Ready, int64(1000))
	assert.EqualValues(t, 500, c.Ready, "known and alive: none made room")
	assert.Positive(t, f.Rejected())
	r, ok := see(f, 3, now, 3)
	require.True(t, ok)
	assert.Equal(t, series.Scored, r.Status)
}

func TestStaleSeriesMakeRoom(t *testing.T) {
	t.Parallel()
	f := New(settings(20_000))
	for n := range 20_000 {
		see(f, n, minute, 1)
	}
	later := minute + 2*3600*1e9
	taken := 0
	for n := range 5000 {
		if _, ok := see(f, 100_000+n, later, 1); ok {
			taken++
		}
	}
	assert.Greater(t, taken, 4500)
	assert.Positive(t, f.Evicted())
}

func TestASnapshotRestoresTheFleet(t *testing.T) {
	t.Parallel()
	f := New(settings(1000))
	for round := range int64(50) {
		for n := range 300 {
			see(f, n, (round+1)*minute, float64(n)+float64(round%3))
		}
	}
	g := New(settings(1000))
	for i := range Shards {
		b, changed := f.Snapshot(i, nil)
		if !changed {
			continue
		}
		_, err := g.Restore(b)
		require.NoError(t, err)
		_, again := f.Snapshot(i, nil)
		assert.False(t, again, "nothing has changed since")
	}
	assert.Equal(t, f.Counts(), g.Counts())
	for n := range 300 {
		a, _ := see(f, n, 60*minute, 5000)
		b, _ := see(g, n, 60*minute, 5000)
		require.Equal(t, a, b)
	}
}

func TestDamagedSnapshotsAreRefused(t *testing.T) {
	t.Parallel()
	f := New(settings(10_000))
	for n := range 2000 {
		see(f, n, minute, 1)
	}
	b, ok := f.Snapshot(0, nil)
	require.True(t, ok)
	for _, damage := range []func([]byte) []byte{
		func(b []byte) []byte { return b[:4] },
		func(b []byte) []byte { return b[:len(b)-1] },
		func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		func(b []byte) []byte { b[0]++; return b },
	} {
		g := New(settings(10_000))
		n, err := g.Restore(damage(append([]byte{}, b...)))
		require.Error(t, err)
		assert.Zero(t, n)
	}
}

func TestManyPipelinesAtOnce(t *testing.T) {
	t.Parallel()
	f := New(settings(10_000))
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for round := range int64(20) {
				for n := range 200 {
					see(f, n, round*minute+int64(w)+1, 1)
				}
				f.Snapshot(int(round), nil)
				f.LearningUntil()
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 200, f.Counts().Learning+f.Counts().Ready)
}

// BenchmarkFleet reports the cost of a point of a known series, and the bytes
// that each of 100,000 series takes.
func BenchmarkFleet(b *testing.B) {
	const many = 100_000
	names := make([]identity.ID, many)
	for n := range names {
		names[n] = name(n)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f := New(settings(200_000))
	at := minute
	for range 40 {
		for _, id := range names {
			f.Observe(id, at/1e9, series.Observation{Time: at, Value: 1})
		}
		at += minute
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	bytes := float64(after.HeapAlloc-before.HeapAlloc) / many
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n == many {
			n, at = 0, at+minute
		}
		f.Observe(names[n], at/1e9, series.Observation{Time: at, Value: float64(n % 3)})
		n++
	}
	b.ReportMetric(bytes, "B/series")
}
