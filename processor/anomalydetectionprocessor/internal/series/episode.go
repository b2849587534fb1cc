package series

import "math"

// kept is the number of verdicts that are remembered, so that points that are
// sent again get the verdict that they had.
const kept = 8

// episode is one anomaly, from onset to recovery, and the last verdicts.
type episode struct {
	active bool
	reason Reason
	onset  int64
	points uint32
	normal uint32
	sign   int8
	level  float64
	spread float64
	last   [kept]told
	next   uint8
}

type told struct {
	pt Point
	r  Result
}

func (e *episode) begin(pt Point) {
	*e = episode{active: true, onset: pt.Time, last: e.last, next: e.next}
}

// observe takes one point of an active episode and completes the result.
func (e *episode) observe(p *Params, pt Point, hot bool, z float64, r *Result) {
	e.points++
	r.Active, r.Onset = true, e.onset
	if e.points == 1 {
		e.level, e.spread = pt.Value, 0
		e.reason = Drop
		if z > 0 {
			e.reason = Spike
		}
		e.sign = sign(z)
	} else {
		a := max(1/float64(e.points), 1./30)
		d := pt.Value - e.level
		e.level += a * d
		e.spread += a * (math.Abs(d) - e.spread)
	}
	if hot {
		e.normal = 0
		if e.points >= 5 && sign(z) == e.sign {
			e.reason = LevelShift
		}
	} else {
		e.normal++
	}
	r.Reason = e.reason
	switch {
	case int(e.normal) >= p.RecoverAfter:
		r.Recovered = true
	case int(e.points) >= p.AdoptAfter:
		r.Recovered, r.Adopted = true, true
	default:
		return
	}
	e.active, r.Active, r.Reason = false, false, NoReason
}

func sign(z float64) int8 {
	if z < 0 {
		return -1
	}
	return 1
}

func (e *episode) remember(pt Point, r Result) {
	e.last[e.next%kept] = told{pt, r}
	e.next++
}

func (e *episode) find(pt Point) (Result, bool) {
	if e == nil {
		return Result{}, false
	}
	for i := range e.last {
		if t := &e.last[i]; t.pt.Time == pt.Time && t.pt.Tag == pt.Tag && t.r.Verdict() {
			r := t.r
			r.Status, r.Raised = Repeated, false
			return r, true
		}
	}
	return Result{}, false
}
