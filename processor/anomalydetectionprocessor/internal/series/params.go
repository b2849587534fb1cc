package series

import "math"

// Params are the settings that all series of a fleet share. They do not change after the start.
type Params struct {
	// MinPoints is the number of points before a series is scored.
	MinPoints int
	// MinScore is the lowest score that can raise an alarm, however generous the budget.
	MinScore float64
	// RecoverAfter is the number of normal points in a row that end an episode.
	RecoverAfter int
	// AdoptAfter is the number of points after which an episode that does not end becomes the new normal.
	AdoptAfter int
	// MinScale is the smallest scale, as a part of the level, against which a deviation is measured.
	MinScale float64
}

// DefaultParams returns the settings that every figure of the documentation was measured with.
func DefaultParams() Params {
	return Params{MinPoints: 30, MinScore: 3, RecoverAfter: 2, AdoptAfter: 288, MinScale: 1e-3}
}

const day = 24 * 3600 * 1e9

// Threshold returns the score that raises an alarm for a series that is to
// raise, when nothing is wrong, at most share alarms a day.
func (p *Params) Threshold(share, interval float64) float64 {
	if share <= 0 || interval <= 0 {
		return p.MinScore
	}
	return max(p.MinScore, -math.Log10(share*interval/day))
}
