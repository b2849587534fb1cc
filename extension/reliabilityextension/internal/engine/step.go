package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/decision"
	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/verification"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/killswitch"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// Tick moves every incident as far as it can go now. It is called about once a
// second; an error leaves everything as it was.
func (e *Engine) Tick(ctx context.Context) error {
	if e.idle() {
		return nil
	}
	// One incident that cannot be moved must not hold up the others.
	skip := map[string]bool{}
	var errs error
	for {
		err := e.update(ctx, func(b *batch) error { return b.turn(skip) })
		errs = errors.Join(errs, err)
		var bad *stuckError
		if !errors.As(err, &bad) || errors.Is(err, store.ErrFull) || ctx.Err() != nil || len(skip) == maxStuck {
			return errs
		}
		skip[bad.incident] = true
	}
}

// maxStuck is how many incidents a turn leaves out before it gives up: that many
// at once are no fault of theirs.
const maxStuck = 3

// stuckError says which incident a turn failed on.
type stuckError struct {
	incident string
	err      error
}

func (e *stuckError) Error() string { return "incident " + e.incident + ": " + e.err.Error() }
func (e *stuckError) Unwrap() error { return e.err }

func (b *batch) turn(skip map[string]bool) error {
	if err := b.switched(); err != nil {
		return err
	}
	b.many = true
	for _, id := range b.each() {
		if skip[id] {
			continue
		}
		if err := b.step(b.get(id)); err != nil {
			return &stuckError{id, err}
		}
	}
	return nil
}

// idle: there is nothing to move and the kill switch stands as it stood.
func (e *Engine) idle() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.active) == 0 && e.storeErr == nil && (e.killed == nil) == (killswitch.Read(e.dir) == nil)
}

// switched notices and records that a person used the kill switch.
func (b *batch) switched() error {
	pulled := b.killSwitch()
	if (pulled == nil) == (b.killed == nil) {
		return nil
	}
	b.after = append(b.after, func() { b.killed = pulled })
	b.notify = true
	if pulled != nil {
		return b.audit(b.Tx, "killswitch.on", "user:"+pulled.By, b.dir, pulled)
	}
	return b.audit(b.Tx, "killswitch.off", "user", b.dir, nil)
}

func (b *batch) step(i *incident.Incident) error {
	if err := b.rewind(i); err != nil {
		return err
	}
	i = b.get(i.ID)
	if !i.Terminal() {
		if err := b.settleLoads(i); err != nil {
			return err
		}
		i = b.get(i.ID)
	}
	switch i.State {
	case incident.Open:
		return b.stepOpen(i)
	case incident.Planned, incident.AwaitingApproval:
		return b.stepPlanned(i)
	case incident.Verifying:
		return b.stepVerifying(i)
	case incident.Escalated:
		return b.stepEscalated(i)
	case incident.Suppressed:
		return b.stepSuppressed(i)
	case incident.Resolved:
		if b.now.Sub(i.Closed) >= b.Engine.set.ReopenWithin {
			b.gone = append(b.gone, i.ID)
		}
	case incident.Acting:
		return b.stepActing(i)
	}
	return nil
}

// stepActing waits for the executor's word. Where none comes and nobody takes the
// plan over, a person has to look what became of the call.
func (b *batch) stepActing(i *incident.Incident) error {
	plans, err := b.plans(i)
	if err != nil {
		return err
	}
	p := current(plans)
	switch {
	case p == nil:
		b.set(i, incident.Open, incident.ReasonSettling, "no plan is left")
	case b.now.Sub(later(p.LeaseUntil, p.NotBefore)) > b.Engine.set.VerifyTimeout:
		b.set(i, incident.Escalated, incident.ReasonOutcomeUnclear, p.Summary+": begun, and no executor has said what came of it")
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// stepEscalated: a person was called; what they do shows in the signals. Where
// it was called because recovery could not be seen, all of it has to be seen.
func (b *batch) stepEscalated(i *incident.Incident) error {
	if !b.cleared(i) {
		return nil
	}
	if i.Reason == incident.ReasonVerifyTimeout {
		plans, err := b.plans(i)
		if err != nil {
			return err
		}
		report, err := b.evaluate(i, plans)
		if err != nil || !report.Holds() {
			return err
		}
	}
	b.verify(i, "the trouble has passed")
	return nil
}

func (b *batch) evaluate(i *incident.Incident, plans []planned) (verification.Report, error) {
	return verification.Evaluate(verification.World{Reader: b.Tx, Graph: b.graph}, i, plans, b.Engine.set.Verification, b.now)
}

// cleared: nothing that the root said still stands.
func (b *batch) cleared(i *incident.Incident) bool {
	return !slices.ContainsFunc(i.OpenEvidence(), func(e incident.Evidence) bool { return e.Observation.Entity == i.Root })
}

// verify begins to watch for recovery.
func (b *batch) verify(i *incident.Incident, detail string) {
	i = b.set(i, incident.Verifying, incident.ReasonNotRecovered, detail)
	i = b.edit(i.ID)
	i.Verification = &incident.Verification{Since: b.now, Window: b.Engine.set.VerifyWindow}
}

// silenced returns the silence that covers the root or what would be acted on.
func (b *batch) silenced(i *incident.Incident, resources ...entity.Ref) (*store.Silence, error) {
	if b.silences == nil {
		silences, err := b.Silences(b.now)
		if err != nil {
			return nil, err
		}
		b.silences = append([]store.Silence{}, silences...)
	}
	for n := range b.silences {
		s := &b.silences[n]
		if b.matches(s.Match, i.Root.String()) || slices.ContainsFunc(resources, func(r entity.Ref) bool { return b.matches(s.Match, r.String()) }) {
			return s, nil
		}
	}
	return nil, nil
}

func (b *batch) stepOpen(i *incident.Incident) error {
	if b.cleared(i) {
		b.verify(i, "the trouble has passed by itself")
		return nil
	}
	silence, err := b.silenced(i)
	if err != nil {
		return err
	}
	if silence != nil {
		b.set(i, incident.Suppressed, incident.ReasonSilenced, "silenced by "+silence.By+" until "+silence.End.UTC().Format(time.RFC3339)+": "+silence.Comment)
		return nil
	}
	if b.now.Sub(i.Detected) < b.Engine.set.Settle {
		return nil
	}
	return b.decide(i)
}

func (b *batch) stepSuppressed(i *incident.Incident) error {
	var acted []entity.Ref
	if len(i.Steps) > 0 {
		plans, err := b.plans(i)
		if err != nil {
			return err
		}
		for _, p := range plans[max(0, len(plans)-1):] {
			acted = append(acted, p.Resource)
		}
	}
	silence, err := b.silenced(i, acted...)
	if err != nil || silence != nil {
		return err
	}
	if b.cleared(i) {
		b.verify(i, "the trouble passed while it was silenced")
		return nil
	}
	b.set(i, incident.Open, incident.ReasonSettling, "the silence has ended")
	return nil
}

// decide has an action chosen, or a reason to wait or to call a person.
func (b *batch) decide(i *incident.Incident) error {
	plans, err := b.plans(i)
	if err != nil {
		return err
	}
	choice, err := decision.Decide(decision.Input{
		Reader: b.Tx, Graph: b.graph, Policies: b.policies, Capabilities: b.capabilities(), Incident: i, Plans: plans, Now: b.now,
	}, b.Engine.set.Decision)
	if err != nil {
		return err
	}
	if choice.Wait {
		b.set(i, i.State, choice.Reason, choice.Detail)
		return nil
	}
	i = b.edit(i.ID)
	i.Decision, i.Decided = &choice.Decision, b.now
	if choice.Escalate {
		b.set(i, incident.Escalated, choice.Reason, choice.Detail)
		return nil
	}
	p := choice.Plan
	if p.ID, err = b.id("plan-", b.now); err != nil {
		return err
	}
	if err := b.PutPlan(p); err != nil {
		return err
	}
	i.Steps = append(i.Steps, incident.Step{PlanID: p.ID, Action: p.Action, Summary: p.Summary, Outcome: string(action.Pending), At: b.now})
	b.set(i, incident.Planned, choice.Reason, choice.Detail)
	if err := b.audit(b.Tx, "plan.made", "engine", p.ID, p); err != nil {
		return err
	}
	return b.stepPlanned(b.get(i.ID))
}

func (b *batch) capabilities() []action.Capability {
	var all []action.Capability
	for _, can := range b.executors {
		all = append(all, can...)
	}
	return all
}

// current returns the plan that is under way for an incident, nil where none is.
func current(plans []planned) planned {
	for _, plan := range slices.Backward(plans) {
		switch plan.Status {
		case action.Pending, action.Leased, action.Begun:
			return plan
		}
	}
	return nil
}

func (b *batch) stepPlanned(i *incident.Incident) error {
	plans, err := b.plans(i)
	if err != nil {
		return err
	}
	p := current(plans)
	if p == nil {
		b.set(i, incident.Open, incident.ReasonSettling, "no plan is left")
		return nil
	}
	if p.Status == action.Leased && !p.LeaseUntil.After(b.now) {
		// Who held it has gone without a word and has sent nothing.
		p.Status = action.Pending
		p.Fence++
		if err := b.PutPlan(p); err != nil {
			return err
		}
		b.notify = true
	}
	if b.cleared(i) && p.Status == action.Pending && p.Intent == nil {
		if err := b.withdraw(i, p, "the trouble passed before anything was done"); err != nil {
			return err
		}
		b.verify(b.get(i.ID), "the trouble has passed by itself")
		return nil
	}
	reason, detail, err := b.holdup(i, p)
	if err != nil {
		return err
	}
	if reason == incident.ReasonSilenced && p.Status == action.Pending && p.Intent == nil {
		if err := b.withdraw(i, p, detail); err != nil {
			return err
		}
		b.set(b.get(i.ID), incident.Suppressed, reason, detail)
		return nil
	}
	b.set(b.get(i.ID), i.State, reason, detail)
	return nil
}

// withdraw takes a plan back that nobody has begun.
func (b *batch) withdraw(i *incident.Incident, p planned, why string) error {
	acting, _ := b.mayAct(p)
	p.Status = action.Void
	if !acting {
		p.Status = action.Observed
	}
	if err := b.PutPlan(p); err != nil {
		return err
	}
	outcome(b.edit(i.ID), p.ID, string(p.Status))
	return b.audit(b.Tx, "plan.withdrawn", "engine", p.ID, map[string]any{"why": why, "status": p.Status})
}

// abandon ends a plan that was begun and never reported when its incident is
// over: it would keep the resource from all others.
func (b *batch) abandon(i *incident.Incident, p planned) error {
	p.Status, p.Fence = action.Done, p.Fence+1
	p.Result = &action.Result{Status: action.Unclear, At: b.now, Detail: "the incident ended before it was known"}
	outcome(b.edit(i.ID), p.ID, string(action.Unclear))
	return errors.Join(b.PutPlan(p), b.audit(b.Tx, "plan.abandoned", "engine", p.ID, p.Result))
}

func outcome(i *incident.Incident, plan, what string) {
	for n := range i.Steps {
		if i.Steps[n].PlanID == plan {
			i.Steps[n].Outcome = what
		}
	}
}
