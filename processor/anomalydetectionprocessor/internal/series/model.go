package series

import "math"

// model is what a series is expected to be: a robust level and the usual
// deviation from it.
type model struct {
	level float64
	slow  float64
	scale float64
}

const madToSigma = 1.2533 // mean absolute deviation of a normal distribution to its standard deviation

func (m *model) expect(p *Params, _ float64) (expected, scale float64) {
	return m.level, max(m.scale*madToSigma, m.floor(p))
}

// floor is the smallest scale that means anything: constant series have none of their own.
func (m *model) floor(p *Params) float64 {
	return max(p.MinScale*math.Abs(m.level), 1e-9)
}

func (m *model) learn(p *Params, v float64, n uint32) {
	if n <= 1 {
		m.level, m.slow = v, v
		return
	}
	a := max(1/float64(n), 1./30)
	d := v - m.level
	limit := max(m.scale*4, m.floor(p))
	if int(n) <= p.MinPoints {
		limit = math.Inf(1)
	}
	c := min(max(d, -limit), limit)
	b := max(1/float64(n), 1./200)
	m.scale += b * (math.Abs(c) - m.scale)
	m.level += a * c
}

func (m *model) adopt(ep *episode) {
	m.level = ep.level
	m.scale = max(m.scale, ep.spread)
}
