package execution

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/platform"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
)

// job is one leased plan on its way.
type job struct {
	e    *Executor
	site *site
	plan action.Plan
	stop context.Context // after its end nothing new is begun

	mu    sync.Mutex
	lease action.Lease // as last renewed
}

// run carries the plan out and reports. ctx is the life of the process.
func (j *job) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		j.renew(ctx)
	}()
	j.report(ctx, j.guarded(ctx))
	cancel()
	<-renewed
}

// guarded turns a panic of an adapter into an unclear result: whether the call
// left is not known, and it would panic again.
func (j *job) guarded(ctx context.Context) (end ending) {
	defer func() {
		if r := recover(); r != nil {
			j.e.count(j.e.tel.RemediationPanics, j.action())
			j.e.log.Error("An adapter panicked; a person has to look whether its call took effect",
				zap.String("plan", j.plan.ID), zap.Any("panic", r), zap.ByteString("stack", debug.Stack()))
			end = completed(action.Result{Status: action.Unclear, Detail: "the adapter panicked; see the collector's log"})
		}
	}()
	return j.carryOut(ctx)
}

// carryOut is the whole course of one plan, step by step.
func (j *job) carryOut(ctx context.Context) ending {
	if !covers(j.e.set.Act, j.plan.Action, j.plan.Resource) {
		return released(incident.ReasonObserving, j.e.set.LeaseTTL)
	}
	if prior := j.lease.Prior; prior != nil {
		if end, settled := j.settle(ctx, *prior); settled {
			return end
		}
	}
	if j.plan.Attempt >= j.e.set.MaxAttempts {
		return completed(action.Result{Status: action.Failed, Why: whyRefused,
			Detail: fmt.Sprintf("%d calls had no effect on the target", j.plan.Attempt)})
	}
	now, err := j.read(ctx)
	if err != nil {
		return j.unread(ctx, err)
	}
	if why, detail := j.site.Adapter.Judge(j.plan, now); why != "" {
		return void(why, detail, now)
	}
	return j.act(ctx, now)
}

// act begins and calls.
func (j *job) act(ctx context.Context, before platform.State) ending {
	if j.stop.Err() != nil {
		return released(incident.ReasonBackoff, 0) // the next collector goes on at once
	}
	at := j.e.clock.Now()
	if reason, wait := j.site.limits.take(j.plan, at); reason != "" {
		return released(reason, wait)
	}
	intent := action.Intent{At: at, Executor: j.e.set.Name, Before: before}
	if err := j.e.disp.Begin(ctx, j.held(), intent); err != nil {
		j.site.limits.untake(j.plan, at)
		return j.notBegun(err)
	}
	// The next holder of the lease waits for the end of the call's time, counted
	// from the intent; a call that could outlast it must not leave.
	left := j.e.set.CallTimeout - j.e.clock.Now().Sub(at)
	if left <= 0 {
		j.called(resultNoEffect)
		return released(incident.ReasonBackoff, backoff(j.plan.Attempt))
	}
	call, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	after, err := j.site.Adapter.Call(call, j.plan, before)
	if err == nil {
		j.called(resultSucceeded)
		j.e.answered(j.site)
		return completed(action.Result{Status: action.Succeeded, After: after})
	}
	if ctx.Err() != nil {
		j.called(resultUnclear)
		return abandoned("the collector ended during the call")
	}
	return j.failed(ctx, intent, platform.AsError(err))
}

// failed judges a call that was not confirmed.
func (j *job) failed(ctx context.Context, intent action.Intent, err *platform.Error) ending {
	switch err.Kind {
	case platform.Unreachable, platform.Unauthenticated:
		j.called(resultNoEffect)
		return released(incident.ReasonPlatformDown, j.e.silent(j.site, err))
	case platform.Throttled:
		j.called(resultNoEffect)
		return released(incident.ReasonRateLimited, max(err.Wait, firstBackoff))
	case platform.Gone:
		j.called(resultVoid)
		return void(whyGone, err.Error(), nil)
	case platform.Forbidden:
		j.called(resultFailed)
		return completed(action.Result{Status: action.Failed, Why: whyForbidden, Detail: err.Error()})
	case platform.Refused:
		j.called(resultFailed)
		return completed(action.Result{Status: action.Failed, Why: whyRefused, Detail: err.Error()})
	case platform.Conflict:
		return j.conflict(ctx, intent, err)
	default:
		return j.unclear(ctx, intent, err)
	}
}

// conflict: the target was in no state for the call. It may have been this
// plan's own call that changed it.
func (j *job) conflict(ctx context.Context, intent action.Intent, cause *platform.Error) ending {
	now, err := j.read(ctx)
	if err != nil {
		j.called(resultNoEffect)
		return j.unread(ctx, err)
	}
	if j.site.Adapter.Compare(j.plan, intent.Before, now) == platform.Present {
		j.called(resultFound)
		return completed(action.Result{Status: action.Succeeded, Found: true, After: now})
	}
	j.called(resultVoid)
	if why, detail := j.site.Adapter.Judge(j.plan, now); why != "" {
		return void(why, detail, now)
	}
	return void(whyChanged, cause.Error(), now)
}

// unclear: the target is asked, and not called again before it has been.
func (j *job) unclear(ctx context.Context, intent action.Intent, cause *platform.Error) ending {
	j.e.log.Info("The answer to a call is unclear; the target is asked", zap.String("plan", j.plan.ID), zap.Error(cause))
	end, settled := j.settle(ctx, intent)
	if settled {
		if end.result != nil && end.result.Found {
			j.called(resultFound)
		} else {
			j.called(resultUnclear)
		}
		return end
	}
	j.called(resultNoEffect)
	return released(incident.ReasonBackoff, backoff(j.plan.Attempt))
}

// settle asks the target what became of a call that was begun with in. It is
// not settled, and the call may be made, when the target is as it was.
func (j *job) settle(ctx context.Context, in action.Intent) (end ending, settled bool) {
	for {
		// Before the read, so that a request in the air cannot land after it.
		wait := in.At.Add(j.e.set.CallTimeout).Sub(j.e.clock.Now())
		now, err := j.read(ctx)
		if err != nil {
			if platform.AsError(err).Kind == platform.Gone {
				return completed(action.Result{Status: action.Unclear, Why: whyGone, Detail: err.Error()}), true
			}
			return j.unread(ctx, err), true
		}
		switch j.site.Adapter.Compare(j.plan, in.Before, now) {
		case platform.Present:
			return completed(action.Result{Status: action.Succeeded, Found: true, After: now}), true
		case platform.Absent:
			if wait <= 0 {
				return ending{}, false
			}
		default:
			return completed(action.Result{Status: action.Unclear, After: now,
				Detail: "an earlier call was begun, and the target has changed in a way that does not tell whether it took effect"}), true
		}
		if j.e.clock.Sleep(j.stop, wait) != nil {
			return released(incident.ReasonBackoff, 0), true
		}
	}
}

// read reads the target, each time afresh.
func (j *job) read(ctx context.Context) (platform.State, error) {
	ctx, cancel := context.WithTimeout(ctx, j.e.set.CallTimeout)
	defer cancel()
	now, err := j.site.Adapter.Read(ctx, j.plan)
	if err == nil {
		j.e.answered(j.site)
	}
	return now, err
}

// unread: the target could not be read, so nothing is decided about it.
func (j *job) unread(ctx context.Context, cause error) ending {
	if ctx.Err() != nil {
		return abandoned("the collector ended")
	}
	err := platform.AsError(cause)
	switch err.Kind {
	case platform.Gone:
		return void(whyGone, err.Error(), nil)
	case platform.Forbidden:
		return completed(action.Result{Status: action.Failed, Why: whyForbidden, Detail: err.Error()})
	case platform.Refused, platform.Conflict:
		return completed(action.Result{Status: action.Failed, Why: whyRefused, Detail: err.Error()})
	case platform.Throttled:
		return released(incident.ReasonRateLimited, max(err.Wait, firstBackoff))
	default:
		return released(incident.ReasonPlatformDown, max(err.Wait, j.e.silent(j.site, err)))
	}
}

// notBegun: no call may leave.
func (j *job) notBegun(err error) ending {
	reason := "error"
	end := abandoned(err.Error())
	switch {
	case errors.Is(err, reliability.ErrStaleFence):
		reason = "stale_lease"
	case errors.Is(err, reliability.ErrRefused):
		reason = "refused"
	case errors.Is(err, reliability.ErrNotDurable):
		reason = "not_durable"
		end = released(incident.ReasonStorageFailing, firstBackoff)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		reason = "cancelled"
	}
	j.e.count(j.e.tel.RemediationBeginsRefused, j.action(), attribute.String("reason", reason))
	j.e.log.Info("A call was not begun; nothing was sent", zap.String("plan", j.plan.ID), zap.Error(err))
	return end
}

// renew keeps the lease while the plan is under way.
func (j *job) renew(ctx context.Context) {
	tick, stop := j.e.clock.Tick(j.e.set.LeaseTTL / 3)
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		renewed, err := j.e.disp.Renew(ctx, j.held(), j.e.set.LeaseTTL)
		switch {
		case err == nil:
			j.mu.Lock()
			j.lease.Until = renewed.Until
			j.mu.Unlock()
		case errors.Is(err, reliability.ErrStaleFence):
			// What is in the air cannot be called back; Begin and Complete will fail.
			return
		case ctx.Err() == nil:
			j.e.count(j.e.tel.RemediationStoreFailures)
		}
	}
}

func (j *job) held() action.Lease {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lease
}

func (j *job) action() attribute.KeyValue { return attribute.String("action", string(j.plan.Action)) }

func (j *job) called(result string) {
	j.e.count(j.e.tel.RemediationCalls, j.action(), attribute.String("result", result))
}

// result words of the calls metric.
const (
	resultSucceeded = "succeeded"
	resultFound     = "found"
	resultFailed    = "failed"
	resultVoid      = "void"
	resultUnclear   = "unclear"
	resultNoEffect  = "no_effect"
)

// Words of action.Result that the executor itself uses.
const (
	whyGone      = "gone"
	whyChanged   = "changed"
	whyForbidden = "forbidden"
	whyRefused   = "refused"
)
