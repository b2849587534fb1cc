package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/verification"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

func hasOutcome(i *incident.Incident, plan, what string) bool {
	return slices.ContainsFunc(i.Steps, func(s incident.Step) bool { return s.PlanID == plan && s.Outcome == what })
}

// stepVerifying looks whether the world has recovered, and for how long.
func (b *batch) stepVerifying(i *incident.Incident) error {
	plans, err := b.plans(i)
	if err != nil {
		return err
	}
	report, err := b.evaluate(i, plans)
	if err != nil {
		return err
	}
	switch {
	case report.FailedAgain != nil:
		return b.failedAgain(i, plans, report)
	case report.Next != nil:
		return b.another(i, i.Root, fmt.Sprintf("run %s has failed as well", report.Next.Run.ID))
	case report.Moved != nil:
		return b.another(i, report.Moved.Job, fmt.Sprintf("run %s failed by itself after %s had come through", report.Moved.Run.ID, i.Root.Name))
	}
	v := i.Verification
	holds := report.Holds()
	if !slices.EqualFunc(v.Conditions, report.Conditions, sameCondition) || holds == v.HoldsSince.IsZero() {
		i = b.edit(i.ID)
		v = i.Verification
		v.Conditions = report.Conditions
		switch {
		case !holds:
			v.HoldsSince = time.Time{}
		case v.HoldsSince.IsZero():
			v.HoldsSince = b.now
			i.Recovered = b.now
		}
	}
	switch {
	case holds && b.now.Sub(v.HoldsSince) >= v.Window:
		if c := unsaid(report.Conditions, v.HoldsSince); c != nil {
			b.set(i, i.State, incident.ReasonSignalMissing, c.Entity.Name+": nothing was said of it since it recovered")
			return nil
		}
		return b.resolve(i, plans)
	case holds:
		b.set(i, i.State, incident.ReasonHolding, verification.Summary(report.Conditions))
	case b.now.Sub(v.Since) > b.Engine.set.VerifyTimeout && !report.Running:
		detail := verification.Summary(report.Conditions)
		if err := b.learn(i, plans, false); err != nil {
			return err
		}
		b.set(i, incident.Escalated, incident.ReasonVerifyTimeout, detail)
	case report.Silent() != nil:
		b.set(i, i.State, incident.ReasonSignalMissing, report.Silent().Detail)
	default:
		b.set(i, i.State, incident.ReasonNotRecovered, verification.Summary(report.Conditions))
	}
	return nil
}

// unsaid returns a condition on data that nobody has confirmed since all of them
// held: one good word is a moment, not a window.
func unsaid(conditions []incident.Condition, since time.Time) *incident.Condition {
	at := slices.IndexFunc(conditions, func(c incident.Condition) bool {
		return (c.Name == verification.RowsArrived || c.Name == verification.DataSignal) && !c.LastSeen.After(since)
	})
	if at < 0 {
		return nil
	}
	return &conditions[at]
}

func sameCondition(a, b incident.Condition) bool {
	a.LastSeen, b.LastSeen = time.Time{}, time.Time{}
	return a == b
}

// failedAgain: the action was carried out and its run failed once more.
func (b *batch) failedAgain(i *incident.Incident, plans []planned, r verification.Report) error {
	if err := b.learn(i, plans, false); err != nil {
		return err
	}
	i = b.edit(i.ID)
	i.Verification = nil
	i.Recovered, i.Acted = time.Time{}, time.Time{}
	b.set(i, incident.Open, incident.ReasonSettling, fmt.Sprintf("run %s failed again, attempt %d", r.FailedAgain.Run.ID, r.FailedAgain.Run.Attempt))
	return b.decide(b.get(i.ID))
}

// another: what was done has worked, and something else is left to do.
func (b *batch) another(i *incident.Incident, root entity.Ref, detail string) error {
	i = b.edit(i.ID)
	i.Verification, i.Recovered = nil, time.Time{}
	moved := i.Root != root
	i.Root = root
	b.set(i, incident.Open, incident.ReasonSettling, detail)
	if moved {
		i.LastGoodRun = ""
		if err := b.judge(); err != nil {
			return err
		}
	}
	return b.decide(b.get(i.ID))
}

// learn records what verification found: that all actions helped, or that the
// last one did not.
func (b *batch) learn(i *incident.Incident, plans []planned, verified bool) error {
	for _, p := range slices.Backward(plans) {
		if p.Status != action.Done || p.Result == nil || p.Result.Status != action.Succeeded {
			continue
		}
		if verified && hasOutcome(i, p.ID, "unverified") {
			continue
		}
		what := "verified"
		if !verified {
			what = "unverified"
		}
		outcome(b.edit(i.ID), p.ID, what)
		o := store.Outcome{PlanID: p.ID, IncidentID: i.ID, Class: i.Class, Action: p.Action, Resource: p.Resource, Verified: verified, At: b.now}
		if !i.Recovered.IsZero() && !i.Acted.IsZero() {
			o.Duration = i.Recovered.Sub(i.Acted)
		}
		if err := errors.Join(b.PutOutcome(o), b.audit(b.Tx, "plan.outcome", "engine", p.ID, o)); err != nil || !verified {
			return err
		}
	}
	return nil
}

func (b *batch) resolve(i *incident.Incident, plans []planned) error {
	reason := incident.ReasonSelfHealed
	if !i.Acted.IsZero() {
		reason = incident.ReasonVerified
		if err := b.learn(i, plans, true); err != nil {
			return err
		}
	}
	if p := current(plans); p != nil {
		if err := b.abandon(i, p); err != nil {
			return err
		}
	}
	leftover := b.leftover(i)
	i = b.set(b.get(i.ID), incident.Resolved, reason, verification.Summary(i.Verification.Conditions))
	b.edit(i.ID).Closed = b.now
	// What still fails when its cause has gone has a cause of its own.
	for _, o := range leftover {
		if err := b.open(o); err != nil {
			return err
		}
	}
	if len(leftover) > 0 {
		return b.judge()
	}
	return nil
}

func (b *batch) leftover(i *incident.Incident) []observation.Observation {
	var left []observation.Observation
	seen := map[entity.Ref]bool{i.Root: true}
	for _, e := range i.OpenEvidence() {
		o := e.Observation
		if o.Kind != observation.RunState || seen[o.Entity] || isDAG(o.Run) || o.Run.Phase != observation.PhaseFailed || !o.Run.Confirmed {
			continue
		}
		seen[o.Entity] = true
		left = append(left, o)
	}
	return left
}
