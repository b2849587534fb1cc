package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// recover says that both tasks of a run have come through and brought their rows.
func (w *world) recover(id string, try int, sum float64) {
	w.Helper()
	w.see(w.ended(run(extract, id, observation.PhaseSucceeded, try)), w.ended(run(load, id, observation.PhaseSucceeded, try)), rows(orders, id, 1000), total(orders, sum))
}

func TestEachFailedRunOfAJobIsBroughtBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.normal(5)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)), w.ended(failed(extract, "r2", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	first := w.act()
	assert.Equal(t, "r1", first.Target.Coordinates[observation.AirflowRun])
	w.pass(time.Second)
	w.recover("r1", 2, 6000)
	w.pass(2 * time.Second)
	w.requireState(incident.Planned, incident.ReasonBackoff)
	w.pass(31 * time.Second)
	second := w.act()
	assert.Equal(t, "r2", second.Target.Coordinates[observation.AirflowRun])
	w.pass(time.Second)
	w.recover("r2", 2, 7000)
	w.pass(30 * time.Second)
	w.see(total(orders, 7000))
	w.pass(35 * time.Second)
	i := w.requireState(incident.Resolved, incident.ReasonVerified)
	for _, s := range i.Steps {
		assert.Equal(t, "verified", s.Outcome, s.Summary)
	}
}

func TestAnotherRunFailsAfterTheFirstWasHealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.normal(5)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	w.act()
	w.pass(time.Second)
	w.recover("r1", 2, 6000)
	w.pass(65 * time.Second)
	w.requireState(incident.Verifying, incident.ReasonSignalMissing)
	w.see(total(orders, 6000)) // one good word is a moment, not a window
	w.pass(time.Second)
	w.requireState(incident.Resolved, incident.ReasonVerified)

	w.see(w.ended(failed(extract, "r2", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	w.act()
	w.pass(time.Second)
	w.recover("r2", 2, 7000)
	w.pass(30 * time.Second)
	w.see(total(orders, 7000))
	w.pass(35 * time.Second)
	i := w.requireState(incident.Resolved, incident.ReasonVerified)
	assert.Equal(t, 1, i.Recurrence)
}

func TestWhatFailsBehindTheHealedRootIsJudgedByItself(t *testing.T) {
	t.Parallel()
	for class, want := range map[incident.Class]incident.State{incident.DeterministicBug: incident.Escalated, incident.TransientFailure: incident.Planned} {
		t.Run(string(class), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.normal(5)
			w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)), run(load, "r1", observation.PhaseUpstream, 0))
			w.pass(40 * time.Second)
			w.act()
			w.pass(time.Second)
			w.see(w.ended(run(extract, "r1", observation.PhaseSucceeded, 2)), w.ended(failed(load, "r1", 1, class)))
			w.pass(time.Minute)
			i := w.only()
			assert.Equal(t, load, i.Root)
			assert.Equal(t, class, i.Class)
			assert.Equal(t, want, i.State, i.Detail)
		})
	}
}

func TestALeaseThatNobodyUsedHoldsNothingUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.normal(5)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	require.Len(t, w.lease(), 1)
	w.Unregister("exec")
	w.pass(61 * time.Second)
	w.requireState(incident.Planned, incident.ReasonNoExecutor)
	w.recover("r1", 2, 6000)
	w.pass(2 * time.Second)
	w.requireState(incident.Verifying, incident.ReasonHolding)
}

func TestAnExecutorThatNeverComesBackCallsAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	l := w.lease()
	require.Len(t, l, 1)
	require.NoError(t, w.Begin(w.Context(), l[0], action.Intent{Executor: "exec"}))
	w.Unregister("exec")
	w.pass(32 * time.Minute)
	w.requireState(incident.Escalated, incident.ReasonOutcomeUnclear)

	// It comes back all the same, looks, and what it finds still counts.
	w.Register("exec", []action.Capability{{Action: action.AirflowClearDownstream, Platform: "airflow", Instance: "default", Act: []string{"*"}, Reachable: true}})
	again := w.lease()
	require.Len(t, again, 1)
	require.NotNil(t, again[0].Prior)
	require.ErrorIs(t, w.Begin(w.Context(), again[0], action.Intent{}), reliability.ErrRefused)
	require.NoError(t, w.Complete(w.Context(), again[0], action.Result{Status: action.Succeeded, Found: true}))
	w.requireState(incident.Verifying, incident.ReasonNotRecovered)
}

func TestTheRootStaysInTroubleHoweverManySymptomsCome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var edges []entity.Edge
	var symptoms []observation.Observation
	for n := range 40 {
		job := entity.Ref{Kind: entity.Job, Namespace: "default", Name: "orders.t" + strconv.Itoa(n)}
		edges = append(edges, entity.Edge{From: dag, To: job, Relation: entity.Contains}, entity.Edge{From: extract, To: job, Relation: entity.Precedes})
		symptoms = append(symptoms, run(job, "r1", observation.PhaseUpstream, 0))
	}
	w.see(observation.Observation{Kind: observation.Lineage, Polarity: observation.Info, Entity: dag, Edges: edges})
	w.see(run(dag, "r1", observation.PhaseFailed, 0))
	w.see(symptoms[:20]...)
	w.see(w.ended(failed(extract, "r1", 1, incident.DeterministicBug)))
	w.see(symptoms[20:]...)
	w.pass(10 * time.Second)
	i := w.requireState(incident.Escalated, incident.ReasonNotRetryable)
	assert.Equal(t, extract, i.Root)
	assert.Len(t, i.Evidence, w.set.MaxEvidence)
}

func TestTheBoundOfIncidentsHoldsInsideABatchToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *Settings) { s.MaxActive = 10 })
	var many []observation.Observation
	for n := range 30 {
		o := failed(entity.Ref{Kind: entity.Job, Namespace: "default", Name: "orders.j" + strconv.Itoa(n)}, "r1", 1, incident.TransientFailure)
		o.Run.Target = nil
		many = append(many, o)
	}
	w.see(many...)
	assert.Len(t, w.incidents(), 10)
	assert.EqualValues(t, 20, w.Status().Counts.Overflow["run_state"])
}

func TestWhatPassedUnderASilenceIsVerifiedAllTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.normal(5)
	_, err := w.Silence(w.Context(), "ann", store.Silence{Match: "job:default/orders*", End: w.now().Add(time.Minute), Comment: "migration"})
	require.NoError(t, err)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(time.Second)
	w.requireState(incident.Suppressed, incident.ReasonSilenced)
	w.see(w.ended(run(extract, "r1", observation.PhaseSucceeded, 2)), total(orders, 5000))
	w.pass(60 * time.Second)
	w.see(total(orders, 5000))
	w.pass(time.Second)
	i := w.requireState(incident.Verifying, incident.ReasonNotRecovered)
	assert.Contains(t, i.Detail, "0 of 1000 rows")
}

func TestASilenceOfTheJobHoldsBackARerunForItsTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.normal(5)
	_, err := w.Silence(w.Context(), "ann", store.Silence{Match: "job:default/orders*", End: w.now().Add(time.Hour), Comment: "migration"})
	require.NoError(t, err)
	w.see(w.ended(run(extract, "bad", observation.PhaseSucceeded, 1)), w.ended(run(load, "bad", observation.PhaseSucceeded, 1)), rows(orders, "bad", 100), total(orders, 5100))
	w.pass(time.Second)
	w.see(drop("k", 100, true))
	w.pass(10 * time.Second)
	version := w.requireState(incident.Suppressed, incident.ReasonSilenced).Version
	assert.Empty(t, w.lease())
	w.pass(10 * time.Minute)
	assert.Equal(t, version, w.only().Version, "it rests, and is not planned again and again")
	w.pass(time.Hour)
	i := w.requireState(incident.Planned, incident.ReasonBackoff)
	assert.Len(t, i.Steps, 2)
}

func TestAPersonsMistakeIsNotAFailingState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.ErrorIs(t, w.EndSilence(w.Context(), "ann", "sil-none"), store.ErrNotFound)
	require.ErrorIs(t, w.Close(w.Context(), "ann", "inc-none", "why"), store.ErrNotFound)
	require.NoError(t, w.Status().StoreError)
}

func TestOddObservationsPoisonNothing(t *testing.T) {
	t.Parallel()
	far := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	long := string(make([]byte, 1<<20))
	ref := func(name string) entity.Ref { return entity.Ref{Kind: entity.Dataset, Namespace: "n", Name: name} }
	edges := make([]entity.Edge, 10_000)
	for n := range edges {
		edges[n] = entity.Edge{From: ref(strconv.Itoa(n)), To: ref(strconv.Itoa(n + 1)), Relation: entity.ReadBy}
	}
	runs := func(change func(*observation.Observation)) observation.Observation {
		o := failed(extract, "r1", 1, incident.TransientFailure)
		change(&o)
		return o
	}
	odd := map[string]observation.Observation{
		"nothing at all":       {},
		"no run":               {Kind: observation.RunState, Polarity: observation.Problem, Entity: extract},
		"no run ID":            runs(func(o *observation.Observation) { o.Run.ID = "" }),
		"no series":            {Kind: observation.Anomaly, Polarity: observation.Problem, Entity: orders},
		"no fact":              {Kind: observation.Fact, Entity: orders},
		"no name":              {Kind: observation.Fact, Entity: entity.Ref{Kind: entity.Dataset}, Fact: &observation.FactValue{Name: "x"}},
		"no kind":              runs(func(o *observation.Observation) { o.Entity.Kind = "" }),
		"huge name":            runs(func(o *observation.Observation) { o.Entity.Name = long }),
		"huge message":         runs(func(o *observation.Observation) { o.Error.Message = long }),
		"not UTF-8":            runs(func(o *observation.Observation) { o.Entity.Name = "a\xff"; o.Run.ID = "\xfe" }),
		"not a number":         {Kind: observation.Fact, Entity: orders, Fact: &observation.FactValue{Name: "data.dataset.rows", Value: math.NaN()}},
		"infinite":             {Kind: observation.Fact, Entity: orders, Fact: &observation.FactValue{Name: "data.dataset.rows", Value: math.Inf(1)}},
		"a series of no sense": {Kind: observation.Anomaly, Polarity: observation.Problem, Entity: orders, Series: &observation.Series{Key: "k", Active: true, Lower: math.Inf(-1), Score: math.NaN()}},
		"no confidence":        runs(func(o *observation.Observation) { o.Hypothesis.Confidence = math.NaN() }),
		"year 1": runs(func(o *observation.Observation) {
			o.Time = time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)
			o.Run.Started = o.Time
		}),
		"year 9999":            runs(func(o *observation.Observation) { o.Time, o.Run.Ended, o.Run.Started = far, far, far }),
		"year 20000":           runs(func(o *observation.Observation) { o.Time = far.AddDate(10001, 0, 0); o.Run.Ended = o.Time }),
		"10,000 edges":         {Kind: observation.Lineage, Entity: dag, Edges: edges},
		"an edge to nowhere":   {Kind: observation.Lineage, Entity: dag, Edges: []entity.Edge{{From: dag}, {To: dag}, {From: dag, To: dag}}},
		"a failure with a run": {Kind: observation.Assertion, Polarity: observation.Problem, Entity: orders, Run: &observation.Run{ID: "x", Confirmed: true}},
		"another without one":  {Kind: observation.Assertion, Polarity: observation.Problem, Entity: orders},
		"a recovery of it":     {Kind: observation.Assertion, Polarity: observation.Recovery, Entity: orders, Run: &observation.Run{ID: "x", Confirmed: true}},
	}
	for name, o := range odd {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *Settings) { s.MaxActive = 50 })
			require.NoError(t, w.Observe(w.Context(), []observation.Observation{o}))
			require.NoError(t, w.Observe(w.Context(), []observation.Observation{o, {ID: "second", Kind: observation.Fact, Entity: orders, Fact: &observation.FactValue{Name: "data.dataset.rows", Value: 1}}}))
			w.pass(70 * time.Second)
			require.NoError(t, w.Status().StoreError)
			// Nothing of it keeps true trouble from being seen, or from passing.
			w.see(w.ended(failed(load, "r7", 1, incident.DeterministicBug)))
			w.pass(10 * time.Second)
			w.see(w.ended(run(load, "r7", observation.PhaseSucceeded, 2)), w.ended(run(extract, "r1", observation.PhaseSucceeded, 2)))
			w.pass(10 * time.Second)
			for _, i := range w.incidents() {
				if i.Root == load || i.Root == extract {
					assert.Equal(t, incident.Verifying, i.State, "%s %s", i.Root, i.Detail)
				}
			}
			require.NoError(t, w.store.Close())
			w.start()
		})
	}
}

func TestTwoObservationsWithoutIDAreTwo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := failed(extract, "r1", 1, incident.TransientFailure), failed(entity.Ref{Kind: entity.Job, Namespace: "x", Name: "ordersX"}, "r9", 1, incident.TransientFailure)
	require.NoError(t, w.Observe(w.Context(), []observation.Observation{a, b, a}))
	assert.Len(t, w.incidents(), 2)
}

// brittle fails writes of one kind, as a full disk does in the middle of a transaction.
type brittle struct {
	store.Store
	fail func(kind string) error
}

type brittleTx struct {
	store.Tx
	fail func(kind string) error
}

func (b *brittle) Update(ctx context.Context, fn func(store.Tx) error) error {
	return b.Store.Update(ctx, func(tx store.Tx) error {
		if b.fail == nil {
			return fn(tx)
		}
		if err := fn(&brittleTx{tx, b.fail}); err != nil {
			return err
		}
		return b.fail("commit")
	})
}

func (t *brittleTx) PutIncident(i *incident.Incident, from incident.State) error {
	if err := t.fail("incident " + string(i.Root.Name)); err != nil {
		return err
	}
	return t.Tx.PutIncident(i, from)
}

func (t *brittleTx) PutMeta(key string, value []byte) error {
	if err := t.fail("meta"); err != nil {
		return err
	}
	return t.Tx.PutMeta(key, value)
}

func full(string) error { return fmt.Errorf("brittle: %w", store.ErrFull) }

func TestAFullStoreDoesNothingAndComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := &brittle{Store: w.store}
	w.Engine.store = b
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	l := w.lease()
	require.Len(t, l, 1)
	before := w.only()

	b.fail = full
	more := failed(load, "r9", 1, incident.TransientFailure)
	more.ID = "more"
	more.Edges = []entity.Edge{{From: load, To: entity.Ref{Kind: entity.Dataset, Namespace: "n", Name: "new"}, Relation: entity.Writes, Source: "airflow"}}
	require.ErrorIs(t, w.Observe(w.Context(), []observation.Observation{more}), store.ErrFull)
	require.Error(t, w.Begin(w.Context(), l[0], action.Intent{Executor: "exec"}))
	require.ErrorIs(t, w.Tick(w.Context()), store.ErrFull)
	require.ErrorIs(t, w.Status().StoreError, store.ErrFull)
	assert.Equal(t, before, w.only())
	assert.Empty(t, w.graph.Writers(entity.Ref{Kind: entity.Dataset, Namespace: "n", Name: "new"}), "what is not stored is not known")

	b.fail = nil
	require.NoError(t, w.Tick(w.Context()))
	require.NoError(t, w.Status().StoreError)
	require.NoError(t, w.Begin(w.Context(), l[0], action.Intent{Executor: "exec"}))
	require.NoError(t, w.Observe(w.Context(), []observation.Observation{more}))
	assert.Len(t, w.incidents(), 2)
	require.NoError(t, w.store.View(w.Context(), func(r store.Reader) error {
		edges, err := r.Edges()
		assert.Contains(t, fmt.Sprint(edges), "new")
		return err
	}))
}

func TestStatusSaysThatTheStateFailsAlsoWhenNothingIsUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := &brittle{Store: w.store, fail: full}
	w.Engine.store = b
	require.Error(t, w.Observe(w.Context(), []observation.Observation{total(orders, 1)}))
	require.Error(t, w.Tick(w.Context()))
	require.Error(t, w.Status().StoreError)
	b.fail = nil
	require.NoError(t, w.Tick(w.Context()))
	require.NoError(t, w.Status().StoreError)
}

func TestOneIncidentThatCannotBeStoredHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := failed(entity.Ref{Kind: entity.Job, Namespace: "x", Name: "ordersX"}, "r9", 1, incident.DeterministicBug)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)), w.ended(other))
	require.Len(t, w.incidents(), 2)
	b := &brittle{Store: w.store, fail: func(kind string) error {
		if kind == "incident ordersX" {
			return errors.New("it has no JSON form")
		}
		return nil
	}}
	w.Engine.store = b
	w.clock = w.clock.Add(10 * time.Second)
	require.ErrorContains(t, w.Tick(w.Context()), "no JSON form")
	states := map[string]incident.State{}
	for _, i := range w.incidents() {
		states[i.Root.Name] = i.State
	}
	assert.Equal(t, map[string]incident.State{"orders.extract": incident.Planned, "ordersX": incident.Open}, states)
}

func TestAClockThatIsSetBackHoldsNothingUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.normal(5)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.clock = w.clock.Add(-24 * time.Hour)
	w.pass(10 * time.Second)
	w.requireState(incident.Planned, incident.ReasonBackoff)
	w.clock = w.clock.Add(-24 * time.Hour)
	w.pass(40 * time.Second)
	require.Len(t, w.lease(), 1)
	w.clock = w.clock.Add(-24 * time.Hour)
	w.pass(2 * time.Minute)
	w.act()
	w.clock = w.clock.Add(-24 * time.Hour)
	w.pass(31 * time.Minute)
	w.requireState(incident.Escalated, incident.ReasonVerifyTimeout)
}

func TestAWorldThatKeepsChangingIsAskedLessAndLess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	var waits []time.Duration
	for range 12 {
		w.pass(10 * time.Second)
		i := w.only()
		if i.State == incident.Escalated {
			break
		}
		began := w.now()
		leases := w.lease()
		for ; len(leases) == 0; leases = w.lease() {
			w.pass(time.Second)
		}
		waits = append(waits, w.now().Sub(began))
		require.NoError(t, w.Complete(t.Context(), leases[0], action.Result{Status: action.VoidWorld, Why: "changed"}))
	}
	i := w.requireState(incident.Escalated, incident.ReasonExhausted)
	assert.Contains(t, i.Detail, "nothing was sent")
	assert.Len(t, waits, 3*w.set.Decision.MaxAttempts)
	assert.Greater(t, waits[2], 2*waits[1]-15*time.Second)
}
