package execution

import (
	"slices"
	"sync"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
)

// limits are the executor's own, for one platform instance: calls in the last
// hour, and the last call on each resource. What it remembers of resources is
// bounded: an entry goes when its cooldown has passed.
type limits struct {
	perHour  int
	cooldown time.Duration

	mu    sync.Mutex
	calls []time.Time // of the last hour, oldest first; at most perHour
	last  map[entity.Ref]lastCall
}

type lastCall struct {
	at   time.Time
	plan string
}

func newLimits(perHour int, cooldown time.Duration) *limits {
	return &limits{perHour: perHour, cooldown: cooldown, last: map[entity.Ref]lastCall{}}
}

// take counts a call for p that is about to leave, or says which limit forbids
// it and how long. A plan is never held up by a call of its own.
func (l *limits) take(p action.Plan, now time.Time) (incident.Reason, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(now)
	if c, ok := l.last[p.Resource]; ok && c.plan != p.ID {
		return incident.ReasonCooldown, l.cooldown - now.Sub(c.at)
	}
	if len(l.calls) >= l.perHour {
		return incident.ReasonRateLimited, time.Hour - now.Sub(l.calls[0])
	}
	l.calls = append(l.calls, now)
	l.last[p.Resource] = lastCall{at: now, plan: p.ID}
	return "", 0
}

// untake takes back what take counted at the same time: the call did not leave.
func (l *limits) untake(p action.Plan, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.calls, at); i >= 0 {
		l.calls = slices.Delete(l.calls, i, i+1)
	}
	if l.last[p.Resource] == (lastCall{at: at, plan: p.ID}) {
		delete(l.last, p.Resource)
	}
}

func (l *limits) forget(now time.Time) {
	l.calls = slices.DeleteFunc(l.calls, func(t time.Time) bool { return now.Sub(t) >= time.Hour })
	for ref, c := range l.last {
		if now.Sub(c.at) >= l.cooldown {
			delete(l.last, ref)
		}
	}
}
