package series

import "math"

// tail turns a deviation in units of the scale into a probability.
type tail struct{ over, excess float32 }

func (t *tail) score(z float64) float64 {
	// A t distribution with 4 degrees of freedom, in closed form.
	q := z / math.Sqrt(z*z+4)
	pr := 1 - q*(1+(1-q*q)/2)
	if pr < 1e-300 || math.IsNaN(pr) {
		return 300
	}
	return -math.Log10(pr)
}

func (t *tail) quantile(score float64) float64 {
	lo, hi := 0., 1e6
	for range 60 {
		if mid := (lo + hi) / 2; t.score(mid) < score {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

func (t *tail) learn(float64, uint32) {}
