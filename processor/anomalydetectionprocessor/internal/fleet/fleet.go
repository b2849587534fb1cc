package fleet

import (
	"sync"
	"sync/atomic"

	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/identity"
	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/series"
)

// Shards is the number of parts that the fleet is cut into. A snapshot holds
// one of their locks at a time, so it bounds how long a batch may wait.
const Shards = 256

// Settings of a fleet.
type Settings struct {
	Params series.Params
	// MaxSeries bounds the series that are held.
	MaxSeries int
	// StaleAfter is the time in seconds after which a series that was not seen may make room for a new one.
	StaleAfter int64
	// Budget is the number of false alarms a day that all series together may raise.
	Budget float64
}

// Counts are the sizes of a fleet.
type Counts struct {
	Learning, Ready, Anomalous int64
}

// Fleet is safe for concurrent use.
type Fleet struct {
	set    Settings
	shards [Shards]shard
	live   atomic.Int64
	ready  atomic.Int64
	active atomic.Int64

	evicted  atomic.Int64
	rejected atomic.Int64
}

type shard struct {
	mu    sync.Mutex
	index map[identity.ID]uint32
	slabs [][]slot
	free  []uint32
	used  uint32
	hand  uint32
	dirty bool
	_     [24]byte
}

// slabSize is the number of series that are allocated at a time; they never move.
const slabSize = 64

type slot struct {
	id     identity.ID
	seen   int64 // Unix seconds
	taken  bool
	series series.Series
}

func (s *shard) at(i uint32) *slot { return &s.slabs[i/slabSize][i%slabSize] }

// New returns an empty fleet.
func New(set Settings) *Fleet {
	f := &Fleet{set: set}
	for i := range f.shards {
		f.shards[i].index = map[identity.ID]uint32{}
	}
	return f
}

// Observe shows an observation to the series of an identity, made where there
// is none. now is in Unix seconds. It returns false where the series is new and
// there is no room for it.
func (f *Fleet) Observe(id identity.ID, now int64, o series.Observation) (series.Result, bool) {
	sh := &f.shards[id.Shard(Shards)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	i, ok := sh.index[id]
	if !ok {
		if i, ok = f.room(sh, now); !ok {
			f.rejected.Add(1)
			return series.Result{}, false
		}
		sh.index[id] = i
		*sh.at(i) = slot{id: id, taken: true}
		f.live.Add(1)
	}
	sl := sh.at(i)
	sl.seen = now
	sh.dirty = true
	was, hot := sl.series.Ready(&f.set.Params), sl.series.Active()
	r := sl.series.See(&f.set.Params, o, f.Share())
	f.count(&sl.series, was, hot)
	return r, true
}

func (f *Fleet) count(s *series.Series, was, hot bool) {
	if is := s.Ready(&f.set.Params); is != was {
		if is {
			f.ready.Add(1)
		} else {
			f.ready.Add(-1)
		}
	}
	if is := s.Active(); is != hot {
		if is {
			f.active.Add(1)
		} else {
			f.active.Add(-1)
		}
	}
}

// Share returns the number of alarms a day that one series may raise when
// nothing is wrong: an equal part of the budget.
func (f *Fleet) Share() float64 { return f.set.Budget / float64(max(f.live.Load(), 1)) }

// Counts returns the sizes of the fleet.
func (f *Fleet) Counts() Counts {
	ready := f.ready.Load()
	return Counts{Learning: f.live.Load() - ready, Ready: ready, Anomalous: f.active.Load()}
}

// Evicted returns the number of series that made room for others, Rejected that of points that found no room.
func (f *Fleet) Evicted() int64 { return f.evicted.Load() }

// Rejected returns the number of points whose series found no room.
func (f *Fleet) Rejected() int64 { return f.rejected.Load() }

// limit is the number of series that a shard holds: its part and some more, because identities do not spread quite evenly.
func (f *Fleet) limit() int { return f.set.MaxSeries/Shards*5/4 + 32 }

// room returns a slot for a new series. A full shard looks at a few of its
// series in turn and gives up the one that was not seen for longest, but only
// if it is stale or still learns: series that are known and alive are never
// given up for new ones.
func (f *Fleet) room(sh *shard, now int64) (uint32, bool) {
	if n := len(sh.free); n > 0 {
		i := sh.free[n-1]
		sh.free = sh.free[:n-1]
		return i, true
	}
	if len(sh.index) < f.limit() && int(f.live.Load()) < f.set.MaxSeries {
		i := sh.used
		if i%slabSize == 0 && int(i/slabSize) == len(sh.slabs) {
			sh.slabs = append(sh.slabs, make([]slot, slabSize))
		}
		sh.used++
		return i, true
	}
	const looks = 16
	victim, oldest := uint32(0), int64(0)
	found := false
	for range min(looks, sh.used) {
		i := sh.hand % sh.used
		sh.hand++
		sl := sh.at(i)
		age := now - sl.seen
		if !sl.taken || age <= 0 || (age < f.set.StaleAfter && sl.series.Ready(&f.set.Params)) {
			continue
		}
		if !found || sl.seen < oldest {
			victim, oldest, found = i, sl.seen, true
		}
	}
	if !found {
		return 0, false
	}
	sl := sh.at(victim)
	f.drop(sh, sl)
	f.evicted.Add(1)
	return victim, true
}

func (f *Fleet) drop(sh *shard, sl *slot) {
	delete(sh.index, sl.id)
	f.live.Add(-1)
	if sl.series.Ready(&f.set.Params) {
		f.ready.Add(-1)
	}
	if sl.series.Active() {
		f.active.Add(-1)
	}
	*sl = slot{}
}

// Threshold returns the score that raises an alarm for a series with the given interval in ns.
func (f *Fleet) Threshold(interval float64) float64 {
	return f.set.Params.Threshold(f.Share(), interval)
}

// LearningUntil returns when the last of the series that are learning now will
// be ready, if their points keep coming as they do, in ns since the Unix
// epoch. It is 0 when none is learning, or when none has shown its interval.
func (f *Fleet) LearningUntil() int64 {
	var last int64
	for i := range f.shards {
		sh := &f.shards[i]
		sh.mu.Lock()
		for j := range sh.used {
			if sl := sh.at(j); sl.taken {
				last = max(last, sl.series.LearningUntil(&f.set.Params))
			}
		}
		sh.mu.Unlock()
	}
	return last
}
