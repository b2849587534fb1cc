package engine

import (
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
)

// rewind moves the times of an incident with a clock that was set back, so that
// nothing is waited for twice.
func (b *batch) rewind(i *incident.Incident) error {
	back := i.Updated.Sub(b.now)
	if back <= 0 {
		return nil
	}
	i = b.edit(i.ID)
	i.Detected, i.Started = earlier(i.Detected, b.now), earlier(i.Started, b.now)
	i.Acted, i.Closed = earlier(i.Acted, b.now), earlier(i.Closed, b.now)
	if v := i.Verification; v != nil {
		v.Since = earlier(v.Since, b.now)
		v.HoldsSince = earlier(v.HoldsSince, b.now)
	}
	plans, err := b.plans(i)
	if err != nil {
		return err
	}
	for _, p := range plans {
		if p.Status != action.Pending && p.Status != action.Leased && p.Status != action.Begun {
			continue
		}
		if !p.NotBefore.IsZero() {
			p.NotBefore = p.NotBefore.Add(-back)
		}
		if !p.LeaseUntil.IsZero() {
			p.LeaseUntil = p.LeaseUntil.Add(-back)
		}
		if err := b.PutPlan(p); err != nil {
			return err
		}
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.After(b) {
		return b
	}
	return a
}
