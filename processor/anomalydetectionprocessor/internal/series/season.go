package series

import "math"

const (
	hour     = 3600 * 1e9
	week     = 7 * day
	dayBins  = 48
	weekBins = 84 // two hours each
)

// season holds how a series usually departs from its level in the course of a
// day and of a week (UTC). A profile is made once a series has been seen for a
// part of its period with points close enough to fill it.
type season struct {
	began     int64
	day, week *profile
}

// profile is a departure from the level for each bin of a period, learned as
// the clipped mean over the periods, with a level of its own that the
// departure has been taken out of.
type profile struct {
	period int64
	level  float64
	scale  float64
	all    float64 // deviation over all points since bins are not young, those of alarms too
	points uint32
	since  int64
	bins   []float32
	visits []uint8 // periods in which a bin was seen, up to 255
	last   []uint16
}

func newProfile(period int64, bins int, t int64) *profile {
	return &profile{period: period, since: t, bins: make([]float32, bins), visits: make([]uint8, bins), last: make([]uint16, bins)}
}

// begin makes the season of a series whose points come every interval ns.
func begin(s *season, t int64, interval float64) *season {
	if s == nil {
		return &season{began: t}
	}
	age := t - s.began
	if s.day == nil && age > 6*hour && interval <= hour && interval > 0 {
		s.day = newProfile(day, dayBins, t)
	}
	if s.week == nil && age > week && interval <= 4*hour && interval > 0 {
		s.week = newProfile(week, weekBins, t)
	}
	return s
}

// at returns the two bins around t and the weight of the second.
func (p *profile) at(t int64) (a, b int, w float64) {
	// The Unix epoch was a Thursday: weeks begin on one here, which no bin minds.
	pos := float64(((t%p.period)+p.period)%p.period)/float64(p.period)*float64(len(p.bins)) - .5
	f := math.Floor(pos)
	a = (int(f) + len(p.bins)) % len(p.bins)
	return a, (a + 1) % len(p.bins), pos - f
}

func (p *profile) departure(t int64) float64 {
	a, b, w := p.at(t)
	return (1-w)*float64(p.bins[a]) + w*float64(p.bins[b])
}

func (p *profile) expect(t int64) (expected, scale float64) {
	return p.level + p.departure(t), p.scale
}

// trusted is the usual deviation of a profile that may decide: nearly all bins that
// the series visits have been seen in more than two periods. Infinity where it may not.
func (p *profile) trusted() float64 {
	if p == nil || p.points < 50 {
		return math.Inf(1)
	}
	seen, often := 0, 0
	for _, v := range p.visits {
		if v > 0 {
			seen++
		}
		if v > 2 {
			often++
		}
	}
	if seen == 0 || often*10 < seen*9 {
		return math.Inf(1)
	}
	return p.all
}

// learn shows a point to the profiles; of an open alarm only those learn that do not decide.
func (s *season) learn(v float64, t int64, m *model, p *Params, alarm bool) {
	if s.day != nil {
		s.day.learn(v, t, m, p, alarm && m.using == byDay)
	}
	if s.week != nil {
		s.week.learn(v, t, m, p, alarm && m.using == byWeek)
	}
}

func (p *profile) learn(v float64, t int64, m *model, set *Params, frozen bool) {
	if p.points == 0 {
		p.level, p.scale, p.all = m.level, m.scale, m.scale
	}
	if p.points < math.MaxUint32 {
		p.points++
	}
	a, b, w := p.at(t)
	if w > .5 {
		a, b, w = b, a, 1-w
	}
	period := uint16((t - p.since) / p.period) //nolint:gosec // after 65,536 periods it starts again
	if p.visits[a] == 0 || p.last[a] != period {
		if p.visits[a] < 255 {
			p.visits[a]++
		}
		p.last[a] = period
	}
	e, _ := p.expect(t)
	limit := max(clip*p.scale, m.floor(set))
	young := p.visits[a] <= 2
	if young {
		// In its first periods a bin takes what it sees: little is expected there yet.
		limit = math.Inf(1)
	}
	if !young {
		p.all += scaleRate * (min(math.Abs(v-e), 50*max(p.scale, p.all)+1e-9) - p.all)
	}
	if frozen {
		return
	}
	c := limited(v-e, limit)
	if !young {
		p.scale += 2 * scaleRate * (math.Abs(c) - p.scale)
		p.level += levelRate / 4 * c
	}
	step := .05
	if young {
		step = .5
	}
	p.move(a, step*(1-w)*c)
	p.move(b, step*w*c)
}

// move shifts a bin, within what its type holds.
func (p *profile) move(bin int, by float64) {
	p.bins[bin] = float32(limited(float64(p.bins[bin])+by, 1e37))
}

func (s *season) shift(by float64) {
	for _, x := range [...]*profile{s.day, s.week} {
		if x != nil {
			x.level += by
		}
	}
}
