package series

import "math"

// counter remembers what a cumulative series stood at.
type counter struct {
	value, count float64
	start, at    int64
	primed       bool
}

// Kind says how an observation becomes the value that is scored.
type Kind uint8

// Kinds of observations.
const (
	// Plain: the value itself.
	Plain Kind = iota
	// Rate: how fast Value grows, per second.
	Rate
	// Mean: the growth of Value divided by that of Count. Where Count did not grow, nothing is scored.
	Mean
)

// Observation is a point as it came.
type Observation struct {
	Kind Kind
	// Delta says that Value and Count are since Start, not since the series began.
	Delta bool
	// Tag tells apart observations of one time, such as two loads of one table; 0 where there is only one.
	Tag uint32
	// Start and Time in ns since the Unix epoch; Start is 0 where it is not known.
	Start, Time  int64
	Value, Count float64
}

// See scores an observation and learns from it, as Observe does for values.
func (s *Series) See(p *Params, t Observation, share float64) Result {
	if t.Kind == Plain {
		return s.Observe(p, Point{Time: t.Time, Value: t.Value, Tag: t.Tag}, share)
	}
	r := Result{Time: t.Time, Status: Primed}
	if math.IsNaN(t.Value) || math.IsInf(t.Value, 0) {
		r.Status = Invalid
		return r
	}
	c := &s.counter
	pt := Point{Time: t.Time, Tag: t.Tag}
	if c.primed && t.Time <= c.at {
		if v, ok := s.episode.find(pt); ok {
			return v
		}
		r.Status = Late
		if t.Time == c.at {
			r.Status = Repeated
		}
		return r
	}
	dv, dc, since := t.Value, t.Count, t.Start
	switch {
	case t.Delta:
		if since <= 0 || since >= t.Time {
			since = c.at
		}
	case !c.primed:
		since = 0
	case t.Value < c.value && t.Count <= c.count, t.Count < c.count, t.Start > c.start && t.Start >= c.at:
		r.Reset = true
	default:
		dv, dc, since = t.Value-c.value, t.Count-c.count, c.at
	}
	known := since > 0 && since < t.Time
	*c = counter{value: t.Value, count: t.Count, start: t.Start, at: t.Time, primed: true}
	if !known {
		return r
	}
	if pt.Value = dv / dc; t.Kind == Rate {
		pt.Value = dv / (float64(t.Time-since) / 1e9)
	}
	if math.IsNaN(pt.Value) || math.IsInf(pt.Value, 0) {
		return r
	}
	reset := r.Reset
	r = s.Observe(p, pt, share)
	r.Reset = reset
	return r
}
