package series

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC).UnixNano()

// feed shows n points to a series and returns what was raised.
func feed(s *Series, p *Params, n int, every time.Duration, value func(n int, t int64) float64) (results []Result) {
	t := epoch
	if s.n > 0 {
		t = s.last + int64(every)
	}
	for i := range n {
		results = append(results, s.Observe(p, Point{Time: t, Value: value(i, t)}, 0.1))
		t += int64(every)
	}
	return results
}

func raised(results []Result) (n int) {
	for _, r := range results {
		if r.Raised {
			n++
		}
	}
	return n
}

func noise(seed uint64) func() float64 { return rand.New(rand.NewPCG(seed, 1)).NormFloat64 }

func TestALoadOfATenth(t *testing.T) {
	t.Parallel()
	for name, every := range map[string]time.Duration{"a demo": 3 * time.Second, "hourly": time.Hour, "nightly": 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := DefaultParams()
			var s Series
			g := noise(7)
			require.Zero(t, raised(feed(&s, &p, 50, every, func(int, int64) float64 { return math.Round(1000 + 8*g()) })))
			bad := feed(&s, &p, 1, every, func(int, int64) float64 { return 100 })[0]
			assert.True(t, bad.Raised)
			assert.Equal(t, Drop, bad.Reason)
			assert.InDelta(t, 1000, bad.Expected, 10)
			assert.Less(t, bad.Lower, 1000.)
			assert.Greater(t, bad.Lower, 800.)
			back := feed(&s, &p, 2, every, func(int, int64) float64 { return 1000 })
			assert.True(t, back[0].Active, "one normal point may be chance")
			assert.True(t, back[1].Recovered)
		})
	}
}

func TestWhatIsNormalRaisesLittle(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		every time.Duration
		value func(g func() float64) func(int, int64) float64
	}{
		"steady":   {time.Minute, func(g func() float64) func(int, int64) float64 { return func(int, int64) float64 { return 50 + g() } }},
		"constant": {time.Minute, func(func() float64) func(int, int64) float64 { return func(int, int64) float64 { return 3 } }},
		"heavy tails": {time.Minute, func(g func() float64) func(int, int64) float64 {
			return func(int, int64) float64 { return g() / math.Sqrt((sq(g())+sq(g())+sq(g()))/3) }
		}},
		"growing": {time.Minute, func(g func() float64) func(int, int64) float64 {
			return func(n int, _ int64) float64 { return float64(n)*5 + 10*g() }
		}},
		"daily": {5 * time.Minute, func(g func() float64) func(int, int64) float64 {
			return func(_ int, t int64) float64 { return daily(t) + 2*g() }
		}},
		"a random walk that is pulled back": {time.Minute, func(g func() float64) func(int, int64) float64 {
			x := 0.
			return func(int, int64) float64 { x = .9*x + g(); return x }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := DefaultParams()
			alarms, points := 0, 4000
			for seed := range uint64(10) {
				var s Series
				alarms += raised(feed(&s, &p, points, tc.every, tc.value(noise(seed)))[1000:])
			}
			// A tenth of an alarm a day for each: ten series over these points may well have a few.
			days := 10 * 3000 * tc.every.Hours() / 24
			assert.LessOrEqual(t, float64(alarms), 3+3*0.1*days, "%.0f days", days)
		})
	}
}

func sq(v float64) float64 { return v * v }

func daily(t int64) float64 { return 100 + 40*math.Sin(2*math.Pi*float64(t%day)/day) }

func TestASeasonNarrowsTheBand(t *testing.T) {
	t.Parallel()
	p := DefaultParams()
	var s Series
	g := noise(3)
	feed(&s, &p, 6*288, 5*time.Minute, func(_ int, t int64) float64 { return daily(t) + 2*g() })
	require.Equal(t, byDay, s.model.using)
	assert.Less(t, s.season.day.scale, 5., "the plain view is off by 25")
	// A value that is usual at noon, at night.
	wrong := feed(&s, &p, 3, 5*time.Minute, func(_ int, t int64) float64 { return daily(t+day/2) + 60 })
	assert.True(t, wrong[0].Raised || wrong[1].Raised)
}

func TestAWeekIsLearned(t *testing.T) {
	t.Parallel()
	p := DefaultParams()
	var s Series
	g := noise(4)
	weekend := func(_ int, t int64) float64 {
		v := 100.
		if d := time.Unix(0, t).UTC().Weekday(); d == time.Saturday || d == time.Sunday {
			v = 20
		}
		return v + g()
	}
	feed(&s, &p, 6*7*24, time.Hour, weekend)
	require.Equal(t, byWeek, s.model.using)
	assert.LessOrEqual(t, raised(feed(&s, &p, 2*7*24, time.Hour, weekend)), 4, "Saturdays are no news")
}

func TestNothingIsLearnedFromAnAlarm(t *testing.T) {
	t.Parallel()
	p := DefaultParams()
	var s Series
	g := noise(5)
	feed(&s, &p, 200, time.Minute, func(int, int64) float64 { return 10 + g() })
	level, scale := s.model.level, s.model.scale
	shifted := feed(&s, &p, 100, time.Minute, func(int, int64) float64 { return 60 + g() })
	assert.Equal(t, 1, raised(shifted))
	assert.InDelta(t, level, s.model.level, 0)
	assert.InDelta(t, scale, s.model.scale, 0)
	assert.Equal(t, LevelShift, shifted[99].Reason)
	// A shift that lasts becomes the new normal, and says so.
	more := feed(&s, &p, p.AdoptAfter, time.Minute, func(int, int64) float64 { return 60 + g() })
	adopted := 0
	for _, r := range more {
		if r.Adopted {
			adopted++
		}
	}
	assert.Equal(t, 1, adopted)
	assert.False(t, s.Active())
	assert.InDelta(t, 60, s.model.level, 2)
}

func TestTheSamePointTwiceIsScoredAlikeAndLearnedOnce(t *testing.T) {
	t.Parallel()
	p := DefaultParams()
	var s Series
	g := noise(6)
	feed(&s, &p, 100, time.Minute, func(int, int64) float64 { return 10 + g() })
	pt := Point{Time: s.last + int64(time.Minute), Value: 99}
	first := s.Observe(&p, pt, .1)
	require.True(t, first.Raised)
	before := s.AppendState(nil)
	again := s.Observe(&p, pt, .1)
	assert.False(t, again.Raised)
	again.Raised, again.Status = first.Raised, first.Status
	assert.Equal(t, first, again)
	assert.Equal(t, before, s.AppendState(nil))
}

func TestOddValuesDoNoHarm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := DefaultParams()
		var s Series
		for range rapid.IntRange(1, 200).Draw(t, "points") {
			pt := Point{
				Time:  rapid.Int64Range(-1<<62, 1<<62).Draw(t, "time"),
				Value: rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64, math.MaxFloat64, -math.MaxFloat64, 0})).Draw(t, "value"),
				Tag:   rapid.Uint32Range(0, 3).Draw(t, "tag"),
			}
			s.Observe(&p, pt, .1)
			b := s.AppendState(nil)
			var c Series
			rest, err := c.Restore(b)
			if err != nil || len(rest) > 0 {
				t.Fatalf("state that was written cannot be read: %v, %d bytes left after %+v", err, len(rest), pt)
			}
			if got := c.AppendState(nil); string(got) != string(b) {
				t.Fatalf("state differs after a round trip")
			}
		}
	})
}

func TestScoresFollowTheirQuantiles(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := tail{over: rapid.Float32Range(0, .5).Draw(t, "over"), excess: rapid.Float32Range(0, 5).Draw(t, "excess")}
		last := -1.
		for z := 0.; z < 60; z += .25 {
			s := x.score(z)
			if s < last {
				t.Fatalf("score falls from %g to %g at %g", last, s, z)
			}
			if s > last+1e-9 && math.Abs(x.quantile(s)-z) > .05 {
				t.Fatalf("quantile of %g is %g, not %g", s, x.quantile(s), z)
			}
			last = s
		}
	})
}

func FuzzRestore(f *testing.F) {
	p := DefaultParams()
	var s Series
	g := noise(8)
	f.Add(s.AppendState(nil))
	feed(&s, &p, 9*288, 5*time.Minute, func(_ int, t int64) float64 { return daily(t) + g() })
	f.Add(s.AppendState(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Series
		if _, err := c.Restore(b); err != nil {
			return
		}
		for i := range 5 {
			r := c.Observe(&p, Point{Time: c.last + int64(i), Value: float64(i)}, .1)
			if math.IsNaN(r.Score) || math.IsNaN(r.Lower) {
				t.Fatal("a restored state spreads NaN")
			}
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	p := DefaultParams()
	for name, every := range map[string]time.Duration{"minutely": time.Minute, "with seasons": 5 * time.Minute} {
		b.Run(name, func(b *testing.B) {
			var s Series
			g := noise(9)
			feed(&s, &p, 20*288, every, func(_ int, t int64) float64 { return daily(t) + g() })
			values := make([]float64, 1024)
			for i := range values {
				values[i] = 100 + 2*g()
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				s.Observe(&p, Point{Time: s.last + int64(every), Value: values[i%1024]}, .1)
				i++
			}
		})
	}
}
