package execution

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/platform"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
)

// ending is how a job ends: with a result, with the plan given back, or with
// neither, and then the lease runs out.
type ending struct {
	result *action.Result
	reason incident.Reason
	wait   time.Duration
	detail string
}

func completed(r action.Result) ending { return ending{result: &r} }

func void(why, detail string, now platform.State) ending {
	return completed(action.Result{Status: action.VoidWorld, Why: why, Detail: detail, After: now})
}

func released(reason incident.Reason, wait time.Duration) ending {
	return ending{reason: reason, wait: wait}
}

func abandoned(detail string) ending { return ending{detail: detail} }

// report tells the extension. A result is told until the extension has it, or
// says that the plan is another's: until then it alone knows of the call.
func (j *job) report(ctx context.Context, end ending) {
	switch {
	case end.result != nil:
		j.complete(ctx, *end.result)
	case end.reason != "":
		j.e.count(j.e.tel.RemediationReleases, j.action(), attribute.String("reason", string(end.reason)))
		// A release that fails is not repeated: the lease runs out by itself.
		if err := j.e.disp.Release(ctx, j.held(), string(end.reason), end.wait); err != nil {
			j.failedToReport(ctx, err)
		}
	default:
		j.e.log.Debug("A plan was left to its lease", zap.String("plan", j.plan.ID), zap.String("detail", end.detail))
	}
}

func (j *job) complete(ctx context.Context, r action.Result) {
	r.At = j.e.clock.Now()
	if r.Status == action.VoidWorld {
		j.e.count(j.e.tel.RemediationVoids, j.action(), attribute.String("reason", r.Why))
	}
	j.e.log.Info("A plan has a result", zap.String("plan", j.plan.ID), zap.String("action", string(j.plan.Action)),
		zap.String("status", string(r.Status)), zap.String("why", r.Why), zap.Bool("found", r.Found))
	for failures := 0; ; failures++ {
		err := j.e.disp.Complete(ctx, j.held(), r)
		if err == nil || j.failedToReport(ctx, err) {
			return
		}
		if j.e.clock.Sleep(ctx, backoff(failures)) != nil {
			return
		}
	}
}

// failedToReport counts it, and says whether another report would be in vain.
func (j *job) failedToReport(ctx context.Context, err error) (inVain bool) {
	if errors.Is(err, reliability.ErrStaleFence) {
		j.e.count(j.e.tel.RemediationLeasesLost, j.action())
		j.e.log.Info("Another executor has taken a plan over; it will report", zap.String("plan", j.plan.ID))
		return true
	}
	if ctx.Err() != nil {
		return true
	}
	j.e.count(j.e.tel.RemediationStoreFailures)
	j.e.log.Warn("Cannot report to the reliability extension; trying again", zap.String("plan", j.plan.ID), zap.Error(err))
	return false
}
