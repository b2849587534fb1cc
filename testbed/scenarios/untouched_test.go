package scenarios

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/oracle"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/source"
)

// untouched checks for a minute that nobody called Airflow about the run: no
// try beyond those given, no request to clear or trigger, no call told of.
func (r *rig) untouched(t *testing.T, w *watch, dag, run string, tries map[string]int) {
	t.Helper()
	must(t, oracle.Hold(t.Context(), hold, func(ctx context.Context) error {
		log, err := r.truth.Log(ctx, dag)
		if err != nil {
			return err
		}
		for event, n := range log {
			if strings.Contains(event, "clear") {
				return fmt.Errorf("Airflow was asked for %s of %s, %d times", event, dag, n) //nolint:staticcheck // a proper noun
			}
		}
		return errors.Join(r.tried(ctx, dag, run, tries), w.noCalls(ctx, dag))
	}))
}

// An exception of the task's own code is never retried; a person gets the
// exception, where it was raised, and the last run that was good.
func TestDeterministicBug(t *testing.T) {
	t.Parallel()
	r, w := shared, shared.common(t)
	r.load(t, "averages", "good", "success", nil)
	r.load(t, "averages", "bad", "failed", map[string]any{"customers": 0})
	i := w.await(t, 2*time.Minute, "averages", "escalated", "resolved")
	if i.State != "escalated" || i.Class != "deterministic_bug" {
		t.Fatalf("%s (%s), class %s: %s", i.State, i.Reason, i.Class, i.Detail)
	}
	told := false
	for _, e := range i.Evidence {
		x := e.Observation.Error
		told = told || x != nil && strings.HasSuffix(x.Type, "ZeroDivisionError") && strings.Contains(x.Location, "odd_jobs.py") && strings.Contains(x.Location, "average")
	}
	if !told {
		t.Errorf("the incident does not tell exception and location: %+v", i.Evidence)
	}
	// The DAG has a schedule, so a run of its own may have come through after ours.
	dag, rest, _ := strings.Cut(i.LastGoodRun, "/")
	run, task, _ := strings.Cut(rest, "/")
	if last, err := r.truth.Run(t.Context(), dag, run); err != nil || last.State != "success" || dag != "averages" || task != "compute" {
		t.Errorf("the last good run is told to be %q, which Airflow knows as %q: %v", i.LastGoodRun, last.State, err)
	}
	r.untouched(t, w, "averages", "bad", map[string]int{"compute": 1})
}

// Refused credentials do not get better by trying again.
func TestCredentials(t *testing.T) {
	t.Parallel()
	r, w := shared, shared.common(t)
	r.source.Set("bikes", source.Unauthorized)
	r.load(t, "bikes", "refused", "failed", nil)
	i := w.await(t, 2*time.Minute, "bikes", "escalated", "resolved")
	if i.State != "escalated" || i.Class != "credential_failure" {
		t.Fatalf("%s (%s), class %s: %s", i.State, i.Reason, i.Class, i.Detail)
	}
	r.untouched(t, w, "bikes", "refused", map[string]int{"extract": 1})
}

// A run that takes forty times as long as usual and is healthy is left alone.
func TestSlowButHealthy(t *testing.T) {
	t.Parallel()
	r, w := shared, shared.common(t)
	for _, id := range []string{"first", "second", "third"} {
		r.load(t, "models", id, "success", nil)
	}
	r.load(t, "models", "slow", "success", map[string]any{"seconds": 40})
	must(t, r.healed(t.Context(), "models", "slow", map[string]int{"train": 1}))
	r.untouched(t, w, "models", "slow", map[string]int{"train": 1})
}

// A retry that Airflow itself still has to make is Airflow's to make.
func TestAirflowsOwnRetry(t *testing.T) {
	t.Parallel()
	r, w := shared, shared.common(t)
	r.source.Set("toys", source.Unavailable)
	ctx := within(t, 3*time.Minute)
	must(t, r.airflow.Trigger(ctx, "toys", "retried", nil))
	r.waitTry(t, "toys", "retried", "extract", 1, "up_for_retry")
	// It stays in this state for 20 s, in which the collector has time to be wrong.
	r.source.SetFor("toys", source.Unavailable, 5*time.Second, 0)
	_, err := r.airflow.WaitRun(ctx, "toys", "retried", "success")
	must(t, err)
	must(t, r.healed(ctx, "toys", "retried", map[string]int{"extract": 2, "load": 1, "report": 1}))
	r.untouched(t, w, "toys", "retried", map[string]int{"extract": 2, "load": 1, "report": 1})
}

// What a person has silenced is not acted on.
func TestSilence(t *testing.T) {
	t.Parallel()
	r, w := shared, shared.common(t)
	r.load(t, "tools", "first", "success", nil)
	must(t, w.Post(t.Context(), "/api/v1/silences", map[string]any{
		"match": "job:default/tools*", "end": time.Now().Add(time.Hour).UTC().Format(time.RFC3339), "comment": "the supplier moves house",
	}))
	r.source.Set("tools", source.Unavailable)
	r.load(t, "tools", "silent", "failed", nil)
	r.source.Set("tools", source.Normal)
	i := w.await(t, time.Minute, "tools")
	if i.State == "resolved" {
		t.Errorf("it is %s: %s", i.State, i.Detail)
	}
	r.untouched(t, w, "tools", "silent", map[string]int{"extract": 1})
}

// A DAG that a person paused is left alone, although its run failed.
func TestPausedByAPerson(t *testing.T) {
	t.Parallel()
	r, w := shared, shared.common(t)
	r.load(t, "wines", "first", "success", nil)
	r.source.SetFor("wines", source.Stalling, 0, 15*time.Second)
	ctx := within(t, 3*time.Minute)
	must(t, r.airflow.Trigger(ctx, "wines", "paused", nil))
	r.waitTry(t, "wines", "paused", "extract", 1, "running")
	must(t, r.airflow.Pause(ctx, "wines", true))
	r.waitTry(t, "wines", "paused", "extract", 1, "failed")
	r.source.Set("wines", source.Normal)
	i := w.await(t, time.Minute, "wines")
	if i.State == "resolved" {
		t.Errorf("it is %s: %s", i.State, i.Detail)
	}
	r.untouched(t, w, "wines", "paused", map[string]int{"extract": 1})
}

// waitTry waits until a try of a task is in a state, by Airflow's database.
func (r *rig) waitTry(t *testing.T, dag, run, task string, number int, state string) {
	t.Helper()
	ctx := within(t, 4*time.Minute)
	for {
		tries, err := r.truth.Tries(ctx, dag, run, task)
		if err == nil && len(tries) >= number && tries[number-1].State == state {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("try %d of %s/%s/%s is not %s: %+v %v", number, dag, run, task, state, tries, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
