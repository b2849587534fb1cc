package series

import "math"

// Series is one time series. The zero value is a series that has seen nothing.
// It is not safe for concurrent use.
type Series struct {
	last     int64
	counter  counter
	model    model
	tail     tail
	interval float32 // ns between points, robust
	n        uint32
	season   *season
	episode  *episode
	seen     *seen
}

// largest is the greatest magnitude that is scored; sums and products of larger ones overflow.
const largest = 1e150

// Observe scores a point from what was known before it, then learns from it.
// share is the number of alarms a day that this series may raise when nothing is wrong.
func (s *Series) Observe(p *Params, pt Point, share float64) Result {
	r := Result{Time: pt.Time, Value: pt.Value, Expected: pt.Value, Lower: pt.Value, Upper: pt.Value}
	if math.IsNaN(pt.Value) || math.Abs(pt.Value) > largest {
		r.Status = Invalid
		return r
	}
	if s.n > 0 && pt.Time <= s.last && !s.anew(pt) {
		if v, ok := s.episode.find(pt); ok {
			return v
		}
		if pt.Time == s.last {
			r.Status = Repeated
		} else {
			r.Status = Late
		}
		return r
	}
	s.seen = s.seen.add(pt, s.last)
	steps := s.advance(pt.Time)
	if s.n < math.MaxUint32 {
		s.n++
	}
	s.season = begin(s.season, pt.Time, float64(s.interval))
	s.score(p, pt, steps, share, &r)
	if r.Verdict() {
		s.episode.remember(pt, r)
	}
	return r
}

// Ready reports whether the series has learned enough to be scored.
func (s *Series) Ready(p *Params) bool { return int(s.n) > p.MinPoints }

// Points returns the number of points learned.
func (s *Series) Points() uint32 { return s.n }

// Active reports whether the series is anomalous.
func (s *Series) Active() bool { return s.episode != nil && s.episode.active }

// anew reports whether a point at the time of the last one is another observation.
func (s *Series) anew(pt Point) bool {
	return pt.Time == s.last && pt.Tag != 0 && s.seen != nil && !s.seen.has(pt.Tag)
}

// maxGap is the number of intervals beyond which a pause counts no longer.
const maxGap = 1e4

// advance moves the clock of the series and returns how many intervals passed.
func (s *Series) advance(t int64) float64 {
	prev := s.last
	s.last = t
	if s.n == 0 {
		return 1
	}
	d := float64(t - prev)
	if d <= 0 {
		return 1
	}
	if s.interval == 0 {
		s.interval = float32(d)
		return 1
	}
	iv := float64(s.interval)
	steps := min(d/iv, maxGap)
	// Half or double at most, and slowly: one pause does not change what is usual.
	s.interval = float32(iv + .05*min(max(d-iv, -iv/2), iv))
	return steps
}

func (s *Series) score(p *Params, pt Point, steps, share float64, r *Result) {
	m := &s.model
	if int(s.n) <= p.MinPoints {
		m.learn(p, s.season, pt.Value, pt.Time, steps, s.n)
		if int(s.n) == p.MinPoints {
			r.Ready = true
		}
		return
	}
	r.Status = Scored
	expected, scale := m.expect(p, s.season, pt.Time, steps)
	z := (pt.Value - expected) / scale
	pr := s.tail.score(math.Abs(z))
	r.Score = pr
	r.Expected = expected
	th := p.Threshold(share, float64(s.interval))
	width := scale * s.tail.quantile(th)
	r.Lower, r.Upper = expected-width, expected+width
	hot := r.Score >= th
	ep := s.episode
	if ep == nil || !ep.active {
		if !hot {
			s.tail.learn(math.Abs(z))
			m.learn(p, s.season, pt.Value, pt.Time, steps, s.n)
			return
		}
		if ep == nil {
			ep = &episode{}
			s.episode = ep
		}
		ep.begin(pt)
		s.tail.learn(math.Abs(z))
		r.Raised = true
	}
	ep.observe(p, pt, hot, z, r)
	switch {
	case r.Adopted:
		m.adopt(ep, s.season)
		r.Expected = m.level
	case r.Recovered:
		m.learn(p, s.season, pt.Value, pt.Time, steps, s.n)
	default:
		m.watchAlarm(p, s.season, pt.Value, pt.Time, s.n)
	}
}

// LearningUntil returns when the series will be ready, if its points keep
// coming as they do, in ns since the Unix epoch; 0 when it is ready, or when
// its interval is not known.
func (s *Series) LearningUntil(p *Params) int64 {
	if s.Ready(p) || s.interval == 0 {
		return 0
	}
	return s.last + int64(float64(p.MinPoints+1-int(s.n))*float64(s.interval))
}
