package series

import "math"

// tail turns a deviation, in units of the scale, into a probability. Up to
// threshold it follows a t distribution with 4 degrees of freedom, bent to the
// share of points that the series really has beyond it; further out a
// generalised Pareto distribution with fixed shape is fitted to the excesses by
// their mean (peaks over threshold, as in SPOT by Siffer et al., KDD 2017, whose
// fit by likelihood would cost more than a point may).
type tail struct {
	over   float32 // share of points beyond the threshold, 0: unknown
	excess float32 // their mean excess
}

const (
	threshold   = 2.5
	shape       = 0.15 // heavier than exponential: to be too sure costs more than to be late
	priorOver   = 0.03
	priorExcess = 0.6
	tailRate    = 1. / 1000 // of the share; excesses are rare and weigh 20 times as much
	leastOver   = 1e-4
	leastExcess = 0.15
)

// student is the probability of a deviation of at least z either way.
func student(z float64) float64 {
	q := z / math.Sqrt(z*z+4)
	return 1 - q*(1+(1-q*q)/2)
}

var studentAtThreshold = student(threshold)

func (t *tail) params() (over, beta float64) {
	over, excess := float64(t.over), float64(t.excess)
	if over == 0 {
		over, excess = priorOver, priorExcess
	}
	return max(over, leastOver), max(excess, leastExcess) * (1 - shape)
}

// score is −log10 of the probability of a deviation of at least z.
func (t *tail) score(z float64) float64 {
	over, beta := t.params()
	if z <= threshold {
		p := student(z)
		return -math.Log10(p) * math.Log10(over) / math.Log10(studentAtThreshold)
	}
	s := -math.Log10(over) + math.Log10(1+shape*(z-threshold)/beta)/shape
	if math.IsNaN(s) {
		return 300
	}
	return min(s, 300)
}

// quantile is the deviation that has the given score.
func (t *tail) quantile(score float64) float64 {
	over, beta := t.params()
	if s := score + math.Log10(over); s > 0 {
		return threshold + beta/shape*(math.Pow(10, s*shape)-1)
	}
	lo, hi := 0., threshold
	for range 40 {
		if mid := (lo + hi) / 2; t.score(mid) < score {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// learn takes the deviation of a point that was scored. What was an alarm counts
// as far as other excesses go, so that a series that often has them is told of less.
func (t *tail) learn(z float64) {
	over, excess := float64(t.over), float64(t.excess)
	if over == 0 {
		over, excess = priorOver, priorExcess
	}
	if z > threshold {
		e := min(z-threshold, 10*max(excess, leastExcess))
		excess += 20 * tailRate * (e - excess)
		over += tailRate * (1 - over)
	} else {
		over -= tailRate * over
	}
	t.over, t.excess = float32(over), float32(excess)
}
