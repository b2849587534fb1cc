package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// refusedFor is how long a plan rests after a call was refused.
const refusedFor = 5 * time.Second

func isRefusal(err error) bool {
	return errors.Is(err, reliability.ErrRefused) || errors.Is(err, reliability.ErrStaleFence)
}

// Register implements reliability.Dispatcher.
func (e *Engine) Register(executor string, can []action.Capability) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.executors[executor] = slices.Clone(can)
	select {
	case e.ready <- struct{}{}:
	default:
	}
}

// Unregister implements reliability.Dispatcher.
func (e *Engine) Unregister(executor string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.executors, executor)
}

// Ready implements reliability.Dispatcher.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// offers returns an executor's capability for a plan.
func offers(can []action.Capability, p planned) *action.Capability {
	for n := range can {
		if c := &can[n]; c.Action == p.Action && c.Platform == p.Target.Kind && c.Instance == p.Target.Instance {
			return c
		}
	}
	return nil
}

func (b *batch) acts(c *action.Capability, resource entity.Ref) bool {
	return c != nil && slices.ContainsFunc(c.Act, func(scope string) bool { return b.matches(scope, resource.Namespace+"/"+resource.Name) })
}

// mayAct: some executor has acting switched on for the plan.
func (b *batch) mayAct(p planned) (acting, reachable bool) {
	for _, can := range b.executors {
		if c := offers(can, p); b.acts(c, p.Resource) {
			acting = true
			reachable = reachable || c.Reachable
		}
	}
	return acting, reachable
}

// holdup says what keeps a plan from being carried out now; ReasonBackoff with
// a time in the past where nothing does.
func (b *batch) holdup(i *incident.Incident, p planned) (incident.Reason, string, error) {
	silence, err := b.silenced(i, p.Resource)
	if err != nil {
		return "", "", err
	}
	acting, reachable := b.mayAct(p)
	offered := slices.ContainsFunc(b.capabilities(), func(c action.Capability) bool { return offers([]action.Capability{c}, p) != nil })
	pulled := b.killSwitch()
	busy, err := b.busy(i, p)
	if err != nil {
		return "", "", err
	}
	switch {
	case silence != nil:
		return incident.ReasonSilenced, "silenced by " + silence.By + ": " + silence.Comment, nil
	case pulled != nil:
		return incident.ReasonKillSwitch, "all actions are paused by " + pulled.By + ": " + pulled.Reason, nil
	case !offered:
		return incident.ReasonNoExecutor, "would " + p.Summary + "; no remediation exporter offers " + string(p.Action), nil
	case !acting:
		return incident.ReasonObserving, "would " + p.Summary + "; acting is not switched on for " + p.Resource.Name, nil
	case !reachable:
		return incident.ReasonPlatformDown, p.Target.Kind + " " + p.Target.Instance + " does not answer", nil
	case busy != "":
		return incident.ReasonResourceBusy, "incident " + busy + " is acting on " + p.Resource.Name, nil
	case i.Reason == incident.ReasonCooldown || i.Reason == incident.ReasonRateLimited || i.Reason == incident.ReasonPlatformDown:
		if p.NotBefore.After(b.now) {
			return i.Reason, i.Detail, nil
		}
	}
	return incident.ReasonBackoff, p.Summary + " at " + p.NotBefore.UTC().Format(time.RFC3339), nil
}

// busy returns another incident that has a plan under way, or an effect to
// verify, on the same resource.
func (b *batch) busy(i *incident.Incident, p planned) (string, error) {
	if !b.many {
		return b.holder(i, p.Resource)
	}
	if b.holders == nil {
		if err := b.findHolders(); err != nil {
			return "", err
		}
	}
	if holder := b.holders[p.Resource]; holder != i.ID {
		return holder, nil
	}
	return "", nil
}

// holder is the same for one resource alone.
func (b *batch) holder(i *incident.Incident, resource entity.Ref) (string, error) {
	plans, err := b.Plans(store.PlanFilter{Resource: resource})
	if err != nil {
		return "", err
	}
	for _, q := range plans {
		if q.IncidentID == i.ID {
			continue
		}
		j := b.get(q.IncidentID)
		verified := q.Status == action.Done && j != nil && j.State == incident.Verifying && !j.Acted.IsZero()
		if verified || q.Status == action.Leased || q.Status == action.Begun {
			return q.IncidentID, nil
		}
	}
	return "", nil
}

func (b *batch) findHolders() error {
	b.holders = map[entity.Ref]string{}
	under, err := b.Plans(store.PlanFilter{Statuses: []action.Status{action.Leased, action.Begun}})
	if err != nil {
		return err
	}
	for _, id := range b.each() {
		i := b.get(id)
		if i.State != incident.Verifying || i.Acted.IsZero() {
			continue
		}
		plans, err := b.plans(i)
		if err != nil {
			return err
		}
		for _, q := range plans {
			if q.Status == action.Done {
				b.holders[q.Resource] = id
			}
		}
	}
	for _, q := range under {
		b.holders[q.Resource] = q.IncidentID
	}
	return nil
}

// Lease implements reliability.Dispatcher.
func (e *Engine) Lease(ctx context.Context, executor string, most int, ttl time.Duration) ([]action.Lease, error) {
	var leases []action.Lease
	if e.nothingPlanned() {
		return nil, nil
	}
	err := e.update(ctx, func(b *batch) error {
		leases, b.many = nil, true
		plans, err := b.Plans(store.PlanFilter{Statuses: []action.Status{action.Pending, action.Leased, action.Begun}})
		if err != nil {
			return err
		}
		for _, p := range plans {
			if len(leases) == most {
				break
			}
			ok, err := b.leasable(executor, p)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			p.Fence++
			p.LeasedBy, p.LeaseUntil = executor, b.now.Add(ttl)
			if p.Status == action.Pending {
				p.Status = action.Leased
			}
			if err := b.PutPlan(p); err != nil {
				return err
			}
			if b.holders != nil {
				b.holders[p.Resource] = p.IncidentID
			}
			leases = append(leases, action.Lease{Plan: *p, Fence: p.Fence, Until: p.LeaseUntil, Prior: p.Intent})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return leases, nil
}

// nothingPlanned spares a transaction where no incident can have a plan to lease.
func (e *Engine) nothingPlanned() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, i := range e.active {
		if i.State == incident.Planned || i.State == incident.Acting || (i.State == incident.Escalated && i.Reason == incident.ReasonOutcomeUnclear) {
			return false
		}
	}
	return true
}

func (b *batch) leasable(executor string, p planned) (bool, error) {
	i := b.get(p.IncidentID)
	if p.Intent == nil && (i == nil || (i.State != incident.Planned && i.State != incident.Acting)) {
		return false, nil
	}
	c := offers(b.executors[executor], p)
	if c == nil || !b.acts(c, p.Resource) || p.NotBefore.After(b.now) {
		return false, nil
	}
	if p.Status != action.Pending && p.LeaseUntil.After(b.now) {
		return false, nil
	}
	// What may have been sent already must be looked into, whatever forbids a new call.
	if p.Intent != nil {
		return true, nil
	}
	reason, _, err := b.holdup(i, p)
	return reason == incident.ReasonBackoff, err
}

// held returns the plan of a lease that is still the newest one.
func (b *batch) held(l action.Lease) (planned, error) {
	p, err := b.Plan(l.Plan.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("plan %s: %w", l.Plan.ID, reliability.ErrStaleFence)
	}
	if err != nil {
		return nil, err
	}
	if p.Fence != l.Fence {
		return nil, fmt.Errorf("plan %s: %w", p.ID, reliability.ErrStaleFence)
	}
	return p, nil
}

// Renew implements reliability.Dispatcher.
func (e *Engine) Renew(ctx context.Context, l action.Lease, ttl time.Duration) (action.Lease, error) {
	err := e.update(ctx, func(b *batch) error {
		p, err := b.held(l)
		if err != nil {
			return err
		}
		if p.Status != action.Leased && p.Status != action.Begun {
			return fmt.Errorf("plan %s is %s: %w", p.ID, p.Status, reliability.ErrStaleFence)
		}
		p.LeaseUntil = b.now.Add(ttl)
		l.Until = p.LeaseUntil
		return b.PutPlan(p)
	})
	return l, err
}

// Begin implements reliability.Dispatcher.
func (e *Engine) Begin(ctx context.Context, l action.Lease, in action.Intent) error {
	var refused error
	err := e.update(ctx, func(b *batch) error {
		refused = nil
		p, err := b.held(l)
		if err != nil {
			return err
		}
		if p.Status != action.Leased && p.Status != action.Begun {
			return fmt.Errorf("plan %s is %s: %w", p.ID, p.Status, reliability.ErrStaleFence)
		}
		i := b.get(p.IncidentID)
		if i == nil || (i.State != incident.Planned && i.State != incident.Acting) {
			return fmt.Errorf("plan %s: its incident waits for no action: %w", p.ID, reliability.ErrRefused)
		}
		reason, detail, err := b.holdup(i, p)
		if err != nil {
			return err
		}
		if reason == incident.ReasonPlatformDown {
			reason = incident.ReasonBackoff // who asks has just reached it
		}
		if b.cleared(i) && p.Intent == nil {
			reason, detail = incident.ReasonNotRecovered, "the trouble has passed"
		}
		if reason != incident.ReasonBackoff {
			refused = fmt.Errorf("plan %s: %s: %w", p.ID, detail, reliability.ErrRefused)
			b.after = append(b.after, func() { b.counts.Refused[string(reason)]++ })
			return b.rest(i, p, reason, detail, refusedFor)
		}
		in.At = b.now
		p.Status, p.Intent = action.Begun, &in
		p.Attempt++
		if err := b.PutPlan(p); err != nil {
			return err
		}
		i = b.edit(i.ID)
		outcome(i, p.ID, string(action.Begun))
		b.set(i, incident.Acting, incident.ReasonRunning, p.Summary)
		b.after = append(b.after, func() { b.counts.Intents[string(p.Action)]++ })
		return b.audit(b.Tx, "plan.intent", "executor:"+l.Plan.LeasedBy, p.ID, map[string]any{
			"action": p.Action, "target": p.Target, "attempt": p.Attempt, "fence": p.Fence, "before": in.Before, "incident": i.ID,
			"policies": b.policies.Hash(), "inputs": inputs(i),
		})
	})
	switch {
	case err == nil:
		return refused
	case isRefusal(err) || ctx.Err() != nil:
		return err
	default:
		return fmt.Errorf("%w: %w", reliability.ErrNotDurable, err)
	}
}

func inputs(i *incident.Incident) string {
	if i.Decision == nil {
		return ""
	}
	return i.Decision.InputsHash
}

// rest gives a plan back for a while.
func (b *batch) rest(i *incident.Incident, p planned, reason incident.Reason, detail string, wait time.Duration) error {
	if p.Intent == nil {
		p.Status = action.Pending
	}
	p.NotBefore, p.LeaseUntil = b.now.Add(wait), b.now
	p.Fence++ // who held it may not go on
	b.set(i, i.State, reason, detail)
	return b.PutPlan(p)
}

// Release implements reliability.Dispatcher.
func (e *Engine) Release(ctx context.Context, l action.Lease, why string, wait time.Duration) error {
	return e.update(ctx, func(b *batch) error {
		p, err := b.held(l)
		if err != nil {
			return err
		}
		i := b.get(p.IncidentID)
		if i == nil || (p.Status != action.Leased && p.Status != action.Begun) {
			return nil
		}
		return b.rest(i, p, incident.Reason(why), "the executor waits: "+why, wait)
	})
}

// Complete implements reliability.Dispatcher.
func (e *Engine) Complete(ctx context.Context, l action.Lease, r action.Result) error {
	return e.update(ctx, func(b *batch) error {
		p, err := b.held(l)
		if err != nil {
			return err
		}
		if p.Status == action.Done || p.Status == action.Void {
			return nil
		}
		if r.At.IsZero() {
			r.At = b.now
		}
		p.Result, p.Status, p.LeaseUntil = &r, action.Done, b.now
		if r.Status == action.VoidWorld {
			p.Status = action.Void
		}
		if err := b.PutPlan(p); err != nil {
			return err
		}
		if err := b.audit(b.Tx, "plan.result", "executor:"+p.LeasedBy, p.ID, r); err != nil {
			return err
		}
		if i := b.get(p.IncidentID); i != nil {
			b.completed(b.edit(i.ID), p, r)
		}
		return nil
	})
}

// completed moves the incident by what came of its plan.
func (b *batch) completed(i *incident.Incident, p planned, r action.Result) {
	outcome(i, p.ID, string(r.Status))
	unclear := i.State == incident.Escalated && i.Reason == incident.ReasonOutcomeUnclear && r.Status == action.Succeeded
	if i.State != incident.Planned && i.State != incident.Acting && !unclear {
		return
	}
	detail := p.Summary + ": " + string(r.Status)
	if r.Why != "" {
		detail += ", " + r.Why
	}
	if r.Detail != "" {
		detail += ": " + r.Detail
	}
	switch r.Status {
	case action.Succeeded:
		i.Acted = b.now
		if p.Intent != nil && p.Intent.At.Before(i.Acted) {
			i.Acted = p.Intent.At
		}
		b.verify(i, detail)
	case action.VoidWorld:
		b.voided(i, r, detail)
	case action.Unclear:
		b.set(i, incident.Escalated, incident.ReasonOutcomeUnclear, detail)
	case action.Failed:
		b.set(i, incident.Escalated, incident.ReasonActionFailed, detail)
	}
}

// voided: the world was not what the plan was made for, so nothing was sent.
func (b *batch) voided(i *incident.Incident, r action.Result, detail string) {
	switch r.Why {
	case "already_succeeded":
		b.verify(i, detail)
	case "paused":
		b.set(i, incident.Escalated, incident.ReasonPaused, detail)
	case "gone", "forbidden", "refused":
		b.set(i, incident.Escalated, incident.ReasonActionFailed, detail)
	case "retry_pending":
		b.set(i, incident.Open, incident.ReasonPlatformRetry, detail)
	case "running":
		b.set(i, incident.Open, incident.ReasonRunning, detail)
	default:
		b.set(i, incident.Open, incident.ReasonSettling, detail)
	}
}
