package series

import "math"

// model is what a series is expected to be. Three views of it learn side by
// side: a level, a level that moves along a slope, and a level with a season.
// The plain one decides until another has shown, on points that it had not
// seen, that it comes clearly closer.
type model struct {
	level float64
	scale float64 // robust mean absolute deviation from the level
	// all is the deviation from the level over all points, those of alarms too: what
	// a season is compared with, which may be the very reason for the alarms.
	all   float64
	trend trend
	using view
}

type view uint8

const (
	byLevel view = iota
	byTrend
	byDay
	byWeek
	views
)

const (
	madToSigma = 1.2533 // mean absolute deviation of a normal distribution to its standard deviation
	levelRate  = 1. / 30
	scaleRate  = 1. / 200
	clip       = 4 // a deviation teaches at most as much as one of so many scales
	// gain is the part of its rival's deviation that a view must stay under to take over, and keep the one that it loses at.
	gain, keep = 0.8, 0.95
)

// rate is the weight of the n-th point: all points count alike at first.
func rate(n uint32, least float64) float64 { return max(1/float64(max(n, 1)), least) }

func limited(d, limit float64) float64 { return min(max(d, -limit), limit) }

// trend is Holt's linear smoothing with clipped updates.
type trend struct{ level, slope, scale float64 }

func (t *trend) next(steps float64) float64 { return t.level + t.slope*steps }

func (t *trend) learn(v, steps float64, n uint32, limit float64) {
	if n <= 1 {
		*t = trend{level: v}
		return
	}
	d := v - t.next(steps)
	c := limited(d, max(clip*t.scale, limit))
	t.scale += rate(n, scaleRate) * (math.Abs(c) - t.scale)
	a := rate(n, levelRate)
	t.level = t.next(steps) + a*c
	t.slope += a * levelRate * c / max(steps, 1)
}

// expect returns what the deciding view expects at time t and how far off it usually is.
func (m *model) expect(p *Params, s *season, t int64, steps float64) (expected, scale float64) {
	switch m.using {
	case byTrend:
		expected, scale = m.trend.next(steps), m.trend.scale
	case byDay:
		expected, scale = s.day.expect(t)
	case byWeek:
		expected, scale = s.week.expect(t)
	default:
		expected, scale = m.level, m.scale
	}
	return expected, max(scale*madToSigma, m.floor(p))
}

// floor is the smallest scale that means anything: constant series have none of their own.
func (m *model) floor(p *Params) float64 {
	return max(p.MinScale*math.Abs(m.level), 1e-9)
}

func (m *model) learn(p *Params, s *season, v float64, t int64, steps float64, n uint32) {
	limit := m.floor(p)
	if int(n) <= p.MinPoints {
		limit = math.Inf(1)
	}
	m.trend.learn(v, steps, n, limit)
	if n <= 1 {
		m.level = v
		return
	}
	c := limited(v-m.level, max(clip*m.scale, limit))
	m.scale += rate(n, scaleRate) * (math.Abs(c) - m.scale)
	m.level += rate(n, levelRate) * c
	m.watch(v)
	if s != nil {
		s.learn(v, t, m, p, false)
	}
	m.choose(s, n)
}

// watchAlarm takes a point of an open alarm: no view that decides learns from it, but
// a season that does not decide yet must see what it could explain.
func (m *model) watchAlarm(p *Params, s *season, v float64, t int64, n uint32) {
	m.watch(v)
	if s != nil {
		s.learn(v, t, m, p, true)
	}
	m.choose(s, n)
}

func (m *model) watch(v float64) {
	m.all += scaleRate * (min(math.Abs(v-m.level), 50*max(m.scale, m.all)+1e-9) - m.all)
}

// choose lets the closest view decide, with some inertia.
func (m *model) choose(s *season, n uint32) {
	// Whether a profile may be trusted takes a look at all of its bins.
	if n < 60 || n%16 != 0 {
		return
	}
	part := [views]float64{byLevel: 1, byTrend: m.trend.scale / max(m.scale, math.SmallestNonzeroFloat64), byDay: math.Inf(1), byWeek: math.Inf(1)}
	if s != nil {
		all := max(m.all, math.SmallestNonzeroFloat64)
		part[byDay], part[byWeek] = s.day.trusted()/all, s.week.trusted()/all
	}
	if m.using != byLevel && part[m.using] > keep {
		m.using = byLevel
	}
	now := part[m.using]
	for v := byTrend; v < views; v++ {
		if part[v] < gain*now {
			m.using, now = v, part[v]
		}
	}
}

// adopt makes the level of an episode that does not end the expected one.
func (m *model) adopt(ep *episode, s *season) {
	shift := ep.level - m.level
	m.level = ep.level
	m.scale = max(m.scale, ep.spread)
	m.trend = trend{level: ep.level, scale: m.scale}
	if s != nil {
		s.shift(shift)
	}
	if m.using == byTrend {
		m.using = byLevel
	}
}
