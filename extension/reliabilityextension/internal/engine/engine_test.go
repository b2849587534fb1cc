package engine

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

func TestATransientFailureIsRetriedAndVerifiedFromTheRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.normal(5)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)), run(load, "r1", observation.PhaseUpstream, 0), w.ended(run(dag, "r1", observation.PhaseFailed, 0)))
	i := w.requireState(incident.Open, incident.ReasonSettling)
	assert.Equal(t, extract, i.Root)
	assert.Equal(t, "orders/normal4/extract", i.LastGoodRun)
	assert.ElementsMatch(t, []entity.Ref{load, dag}, i.Observed)
	assert.ElementsMatch(t, []entity.Ref{staging, orders}, i.AtRisk)
	assert.Equal(t, "data-team", i.Owner)

	w.pass(6 * time.Second)
	i = w.requireState(incident.Planned, incident.ReasonBackoff)
	assert.Equal(t, string(action.AirflowClearDownstream), i.Decision.Chosen)
	assert.Len(t, i.Decision.Alternatives, 3)
	assert.Empty(t, w.lease(), "the backoff has not passed")

	w.pass(31 * time.Second)
	p := w.act()
	assert.Equal(t, map[string]string{"dag_id": "orders", "dag_run_id": "r1", "task_id": "extract"}, p.Target.Coordinates)
	assert.Equal(t, map[string]string{"state": "failed", "try_number": "1"}, p.Expect)
	w.pass(time.Second)
	w.requireState(incident.Verifying, incident.ReasonNotRecovered)

	w.see(run(extract, "r1", observation.PhaseRunning, 2), total(orders, 5000))
	w.pass(time.Second)
	w.see(w.ended(run(extract, "r1", observation.PhaseSucceeded, 2)), w.ended(run(load, "r1", observation.PhaseSucceeded, 1)), w.ended(run(dag, "r1", observation.PhaseSucceeded, 0)))
	w.pass(time.Second)
	w.requireState(incident.Verifying, incident.ReasonSignalMissing)
	w.see(total(orders, 5000))
	w.pass(2 * time.Second)
	i = w.requireState(incident.Verifying, incident.ReasonNotRecovered)
	assert.Contains(t, i.Detail, "0 of 1000 rows", "the platform's word alone is not enough")

	w.see(rows(orders, "r1", 1000), total(orders, 6000))
	w.pass(2 * time.Second)
	w.requireState(incident.Verifying, incident.ReasonHolding)
	for range 5 {
		w.pass(10 * time.Second)
		w.see(total(orders, 6000))
	}
	w.requireState(incident.Verifying, incident.ReasonHolding)
	w.pass(11 * time.Second)
	i = w.requireState(incident.Resolved, incident.ReasonVerified)
	assert.Contains(t, i.Detail, "1000 of 1000 rows")
	assert.Equal(t, "verified", i.Steps[0].Outcome)
}

func TestPartOfTheRowsIsNotARecovery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.normal(5)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	w.act()
	w.pass(time.Second)
	w.see(w.ended(run(extract, "r1", observation.PhaseSucceeded, 2)), rows(orders, "r1", 300), total(orders, 5300))
	w.pass(3 * time.Second)
	i := w.requireState(incident.Verifying, incident.ReasonNotRecovered)
	assert.Contains(t, i.Detail, "300 of 1000 rows")
}

func TestTheNextRunsRowsAreNotThoseOwed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.normal(5)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	w.act()
	w.pass(time.Second)
	// The retried run says that it succeeded, and so does the next scheduled one; one load came.
	for _, id := range []string{"r1", "r2"} {
		w.see(w.ended(run(extract, id, observation.PhaseSucceeded, 2)), w.ended(run(load, id, observation.PhaseSucceeded, 1)))
	}
	w.pass(time.Second)
	w.see(rows(orders, "r2", 1000), total(orders, 6000))
	w.pass(3 * time.Second)
	i := w.requireState(incident.Verifying, incident.ReasonNotRecovered)
	assert.Contains(t, i.Detail, "0 of 1000 rows, 1 loads are missing")
}

func TestLoadsWithoutARunsNameAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 5 {
		id := "normal" + strconv.Itoa(n)
		w.see(w.ended(run(extract, id, observation.PhaseSucceeded, 1)), w.ended(run(load, id, observation.PhaseSucceeded, 1)), rows(orders, strings.Repeat("f", n+1), 1000))
		w.pass(10 * time.Second)
	}
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(20 * time.Second)
	w.see(rows(orders, "stray", 1000)) // of the run before, measured late
	w.pass(20 * time.Second)
	w.act()
	w.pass(time.Second)
	w.see(w.ended(run(extract, "r1", observation.PhaseSucceeded, 2)), w.ended(run(load, "r1", observation.PhaseSucceeded, 1)))
	w.pass(time.Second)
	w.see(total(orders, 6000))
	w.pass(3 * time.Second)
	w.requireState(incident.Verifying, incident.ReasonNotRecovered)
	w.see(rows(orders, "mine", 1000), total(orders, 7000))
	w.pass(3 * time.Second)
	w.requireState(incident.Verifying, incident.ReasonHolding)
}

func TestASilentReceiverHoldsTheIncidentOpenUntilAPersonIsCalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.normal(5)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	w.act()
	w.pass(time.Second)
	w.see(w.ended(run(extract, "r1", observation.PhaseSucceeded, 2)))
	w.pass(10 * time.Minute)
	i := w.requireState(incident.Verifying, incident.ReasonSignalMissing)
	assert.Contains(t, i.Detail, "silent since")
	w.pass(21 * time.Minute)
	w.requireState(incident.Escalated, incident.ReasonVerifyTimeout)
}

func TestNothingMeasuresTheRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	w.act()
	w.pass(time.Second)
	w.see(w.ended(run(extract, "r1", observation.PhaseSucceeded, 2)))
	w.pass(2 * time.Second)
	i := w.requireState(incident.Verifying, incident.ReasonSignalMissing)
	assert.Contains(t, i.Detail, "no source measures")
}

func TestSomeFailuresAreNeverRetried(t *testing.T) {
	t.Parallel()
	for class, reason := range map[incident.Class]incident.Reason{
		incident.DeterministicBug:   incident.ReasonNotRetryable,
		incident.CredentialFailure:  incident.ReasonNotRetryable,
		incident.ResourceExhaustion: incident.ReasonNotRetryable,
		incident.Unknown:            incident.ReasonUnknownClass,
	} {
		t.Run(string(class), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.normal(1)
			w.see(w.ended(failed(extract, "r1", 1, class)))
			w.pass(10 * time.Minute)
			i := w.requireState(incident.Escalated, reason)
			assert.Contains(t, i.Detail, "HTTPError")
			assert.Contains(t, i.Detail, "orders.py:12")
			assert.Equal(t, "orders/normal0/extract", i.LastGoodRun)
			assert.Empty(t, i.Steps)
			assert.Empty(t, w.lease())
		})
	}
}

func TestWhenNothingIsDone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		prepare func(*world)
		state   incident.State
		reason  incident.Reason
	}{
		"Airflow will retry by itself": {func(w *world) {
			o := failed(extract, "r1", 1, incident.TransientFailure)
			o.Run.Confirmed, o.Source = false, "openlineage"
			w.see(o)
			w.see(run(extract, "r1", observation.PhaseRetrying, 1))
		}, incident.Open, incident.ReasonPlatformRetry},
		"the platform does not confirm": {func(w *world) {
			o := failed(extract, "r1", 1, incident.TransientFailure)
			o.Run.Confirmed, o.Source = false, "openlineage"
			w.see(o)
			w.pass(2 * time.Minute)
		}, incident.Escalated, incident.ReasonPolicyDenied},
		"it is running again": {func(w *world) {
			w.see(failed(extract, "r1", 1, incident.TransientFailure), run(extract, "r1", observation.PhaseRunning, 2))
		}, incident.Open, incident.ReasonRunning},
		"a person paused the DAG": {func(w *world) {
			o := failed(extract, "r1", 1, incident.TransientFailure)
			o.Run.Paused = true
			w.see(o)
		}, incident.Escalated, incident.ReasonPaused},
		"silence": {func(w *world) {
			_, err := w.Silence(w.Context(), "ann", store.Silence{Match: "job:default/orders.*", End: w.now().Add(time.Hour), Comment: "migration"})
			require.NoError(w, err)
			w.see(failed(extract, "r1", 1, incident.TransientFailure))
		}, incident.Suppressed, incident.ReasonSilenced},
		"kill switch": {func(w *world) {
			require.NoError(w, w.Pause(w.Context(), "ann", "migration"))
			w.see(failed(extract, "r1", 1, incident.TransientFailure))
		}, incident.Planned, incident.ReasonKillSwitch},
		"observing": {func(w *world) {
			w.Register("exec", []action.Capability{{Action: action.AirflowClearDownstream, Platform: "airflow", Instance: "default", Reachable: true, Act: []string{"finance/*"}}})
			w.see(failed(extract, "r1", 1, incident.TransientFailure))
		}, incident.Planned, incident.ReasonObserving},
		"Airflow is down": {func(w *world) {
			w.Register("exec", []action.Capability{{Action: action.AirflowClearDownstream, Platform: "airflow", Instance: "default", Act: []string{"*"}}})
			w.see(failed(extract, "r1", 1, incident.TransientFailure))
		}, incident.Planned, incident.ReasonPlatformDown},
		"no exporter": {func(w *world) {
			w.Unregister("exec")
			w.see(failed(extract, "r1", 1, incident.TransientFailure))
		}, incident.Planned, incident.ReasonNoExecutor},
		"an upstream_failed task alone": {func(w *world) {
			w.see(failed(extract, "r1", 1, incident.DeterministicBug), run(load, "r1", observation.PhaseUpstream, 0))
		}, incident.Escalated, incident.ReasonNotRetryable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tc.prepare(w)
			w.pass(2 * time.Minute)
			w.requireState(tc.state, tc.reason)
			assert.Empty(t, w.lease())
		})
	}
}

func TestWhatHealsByItselfCallsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.normal(3)
	o := failed(extract, "r1", 1, incident.TransientFailure)
	o.Run.Confirmed, o.Source = false, "openlineage"
	w.see(o, run(extract, "r1", observation.PhaseRetrying, 1))
	w.pass(20 * time.Second)
	w.see(w.ended(run(extract, "r1", observation.PhaseSucceeded, 2)), w.ended(run(load, "r1", observation.PhaseSucceeded, 1)), rows(orders, "r1", 1000), total(orders, 4000))
	w.pass(10 * time.Second)
	w.see(total(orders, 4000))
	w.pass(60 * time.Second)
	i := w.requireState(incident.Resolved, incident.ReasonSelfHealed)
	assert.Empty(t, i.Steps)
}

func TestAStaleFailureOpensNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pass(time.Second)
	w.see(w.ended(run(extract, "r1", observation.PhaseSucceeded, 2)))
	late := failed(extract, "r1", 1, incident.TransientFailure)
	late.Run.Confirmed, late.Source, late.Time = false, "openlineage", w.now().Add(-time.Minute)
	w.see(late)
	old := failed(extract, "r0", 1, incident.TransientFailure)
	old.Time = w.now().Add(-3 * time.Hour)
	w.see(old)
	w.pass(10 * time.Second)
	assert.Empty(t, w.incidents())
	assert.EqualValues(t, 1, w.Status().Counts.TooOld["run_state"])
}

func TestAFailingRetryBacksOffAndEndsWithAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	for try := 2; try <= 4; try++ {
		w.act()
		w.pass(time.Second)
		w.see(w.ended(failed(extract, "r1", try, incident.TransientFailure)))
		w.pass(time.Second)
		if try < 4 {
			i := w.requireState(incident.Planned, incident.ReasonBackoff)
			assert.Equal(t, "unverified", i.Steps[try-2].Outcome)
			w.pass(time.Duration(30<<(try-1)) * time.Second)
		}
	}
	i := w.requireState(incident.Escalated, incident.ReasonExhausted)
	assert.Len(t, i.Steps, 3)
}

func TestARetryThatShowsABugIsNotRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	w.act()
	w.pass(time.Second)
	w.see(w.ended(failed(extract, "r1", 2, incident.DeterministicBug)))
	w.pass(2 * time.Second)
	w.requireState(incident.Escalated, incident.ReasonNotRetryable)
}

func drop(key string, value float64, active bool) observation.Observation {
	o := observation.Observation{Kind: observation.Anomaly, Polarity: observation.Problem, Source: "anomaly_detection", Entity: orders,
		Series: &observation.Series{Metric: "data.dataset.load.rows", Key: key, Active: active, Reason: "drop", Value: value, Expected: 1000, Lower: 980, Upper: 1020, Attributes: map[string]string{vocab.DatasetLoadID: "bad"}}}
	o.Hypothesis = &observation.Hypothesis{Class: string(incident.DataQualityBreach), Confidence: .85, Rule: "volume"}
	if !active {
		o.Polarity, o.Hypothesis = observation.Recovery, nil
	}
	return o
}

func TestABadLoadIsRerunFromItsFirstTaskAndVerifiedByTheSameSeries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.normal(5)
	w.see(w.ended(run(extract, "bad", observation.PhaseSucceeded, 1)), w.ended(run(load, "bad", observation.PhaseSucceeded, 1)), rows(orders, "bad", 100), total(orders, 5100))
	w.pass(time.Second)
	w.see(drop("k", 100, true))
	w.pass(8 * time.Second)
	p := w.act()
	assert.Equal(t, action.AirflowClearDownstream, p.Action)
	assert.Equal(t, "extract", p.Target.Coordinates["task_id"], "staging is not measured, so its writer may be to blame")
	assert.Equal(t, "bad", p.Target.Coordinates["dag_run_id"])
	assert.Equal(t, "success", p.Expect[action.ExpectState])
	w.pass(time.Second)
	w.see(w.ended(run(extract, "bad", observation.PhaseSucceeded, 2)), w.ended(run(load, "bad", observation.PhaseSucceeded, 2)))
	w.pass(time.Second)
	w.see(total(orders, 5100))
	w.pass(2 * time.Second)
	w.requireState(incident.Verifying, incident.ReasonSignalMissing)
	w.see(rows(orders, "bad", 1000), total(orders, 6000), drop("k", 1000, false))
	w.pass(30 * time.Second)
	w.see(total(orders, 6000))
	w.pass(35 * time.Second)
	i := w.requireState(incident.Resolved, incident.ReasonVerified)
	assert.Equal(t, orders, i.Root)
}

func TestABadLoadStaysBadWhenTheNextOneIsNormal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.normal(5)
	w.see(w.ended(run(extract, "bad", observation.PhaseSucceeded, 1)), w.ended(run(load, "bad", observation.PhaseSucceeded, 1)), rows(orders, "bad", 100), total(orders, 5100))
	w.pass(time.Second)
	w.see(drop("k", 100, true))
	w.pass(2 * time.Second)
	calm := drop("k", 1000, false)
	calm.Series.Attributes = map[string]string{vocab.DatasetLoadID: "next"}
	w.see(w.ended(run(extract, "next", observation.PhaseSucceeded, 1)), w.ended(run(load, "next", observation.PhaseSucceeded, 1)), rows(orders, "next", 1000), total(orders, 6100), calm)
	w.pass(8 * time.Second)
	p := w.act()
	assert.Equal(t, "bad", p.Target.Coordinates["dag_run_id"], "the run that brought it, not the newest")
	w.pass(time.Second)
	w.see(w.ended(run(extract, "bad", observation.PhaseSucceeded, 2)), w.ended(run(load, "bad", observation.PhaseSucceeded, 2)), total(orders, 6100))
	w.pass(3 * time.Second)
	i := w.requireState(incident.Verifying, incident.ReasonSignalMissing)
	assert.Contains(t, i.Detail, "still out of its band")
	w.see(rows(orders, "bad", 1000), total(orders, 7000))
	w.pass(30 * time.Second)
	w.see(total(orders, 7000))
	w.pass(35 * time.Second)
	i = w.requireState(incident.Resolved, incident.ReasonVerified)
	assert.Contains(t, i.Detail, "1000 of 1000 rows in load bad")
}

func TestTheDAGIsNotARootWhenItsTaskIsKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.see(run(dag, "r1", observation.PhaseFailed, 0))
	w.see(run(load, "r1", observation.PhaseUpstream, 0))
	w.see(failed(extract, "r1", 1, incident.TransientFailure))
	i := w.requireState(incident.Open, incident.ReasonSettling)
	assert.Equal(t, extract, i.Root)
	assert.ElementsMatch(t, []entity.Ref{dag, load}, i.Observed)
}

func TestTheSameEventTwiceIsTakenOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := failed(extract, "r1", 1, incident.TransientFailure)
	o.ID = "same"
	w.see(o)
	before := w.only()
	w.see(o)
	assert.Equal(t, before.Version, w.only().Version)
	assert.EqualValues(t, 1, w.Status().Counts.Duplicates["run_state"])
}

func TestItComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *Settings) { s.Verification.PlatformWordSuffices = true })
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	w.act()
	w.pass(time.Second)
	w.see(w.ended(run(extract, "r1", observation.PhaseSucceeded, 2)))
	w.pass(65 * time.Second)
	w.requireState(incident.Resolved, incident.ReasonVerified)
	w.see(w.ended(failed(extract, "r1", 3, incident.TransientFailure)))
	i := w.requireState(incident.Open, incident.ReasonSettling)
	assert.Equal(t, 1, i.Recurrence)
}

func TestBadDataOfAnUnknownLoadIsNotRerun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.normal(5)
	o := drop("k", 100, true)
	o.Series.Metric, o.Series.Attributes = "data.dataset.rows", nil
	w.see(o)
	w.pass(time.Minute)
	i := w.requireState(incident.Escalated, incident.ReasonUncertainRoot)
	assert.Empty(t, i.Steps)
}

func TestASilencedRunIsOneIncident(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.Silence(w.Context(), "ann", store.Silence{Match: "job:default/orders*", End: w.now().Add(time.Hour), Comment: "migration"})
	require.NoError(t, err)
	w.see(failed(extract, "r1", 1, incident.TransientFailure))
	w.pass(10 * time.Second)
	w.see(run(load, "r1", observation.PhaseUpstream, 0), run(dag, "r1", observation.PhaseFailed, 0))
	w.requireState(incident.Suppressed, incident.ReasonSilenced)
	w.pass(2 * time.Hour)
	w.requireState(incident.Planned, incident.ReasonBackoff)
}
