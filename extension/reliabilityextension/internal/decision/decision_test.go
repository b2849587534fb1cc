package decision

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/graph"
	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/policy"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var t0 = time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)

func job(name string) entity.Ref {
	return entity.Ref{Kind: entity.Job, Namespace: "default", Name: name}
}
func table(name string) entity.Ref {
	return entity.Ref{Kind: entity.Dataset, Namespace: "postgres://h:1", Name: name}
}

var (
	dag       = job("d")
	extract   = job("d.extract")
	transform = job("d.transform")
	load      = job("d.load")
)

// bench is a decision's world: d.extract → raw → d.transform → clean → d.load → target.
type bench struct {
	t     *testing.T
	store store.Store
	in    Input
	set   Settings
	rules []policy.Rule
}

func newBench(t *testing.T) *bench {
	t.Helper()
	s, err := sqlite.Open(t.TempDir(), sqlite.Options{Now: func() time.Time { return t0 }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	g := graph.New(100)
	for _, e := range []entity.Edge{
		{From: dag, To: extract, Relation: entity.Contains}, {From: dag, To: transform, Relation: entity.Contains}, {From: dag, To: load, Relation: entity.Contains},
		{From: extract, To: transform, Relation: entity.Precedes}, {From: transform, To: load, Relation: entity.Precedes},
		{From: extract, To: table("raw"), Relation: entity.Writes}, {From: table("raw"), To: transform, Relation: entity.ReadBy},
		{From: transform, To: table("clean"), Relation: entity.Writes}, {From: table("clean"), To: load, Relation: entity.ReadBy},
		{From: load, To: table("target"), Relation: entity.Writes},
	} {
		g.Add(e, 0)
	}
	return &bench{
		t: t, store: s, rules: policy.Defaults(),
		in: Input{Graph: g, Now: t0.Add(time.Minute), Capabilities: []action.Capability{
			{Action: action.AirflowClearTask, Platform: "airflow", Instance: "default"}, {Action: action.AirflowClearDownstream, Platform: "airflow", Instance: "default"},
		}},
		set: Settings{BackoffInitial: 30 * time.Second, BackoffMax: 10 * time.Minute, BackoffMultiplier: 2, MaxAttempts: 3, ConfirmPatience: 30 * time.Second, UpstreamPatience: 30 * time.Minute},
	}
}

func aRun(j entity.Ref, id string, phase observation.Phase, try int) observation.Run {
	task := j.Name[2:]
	return observation.Run{ID: "d/" + id + "/" + task, Phase: phase, Attempt: try, Confirmed: true, Started: t0.Add(-time.Minute), Ended: t0, Target: &observation.Target{
		Kind: "airflow", Instance: "default", Coordinates: map[string]string{observation.AirflowDAG: "d", observation.AirflowRun: id, observation.AirflowTask: task, observation.AirflowTry: strconv.Itoa(try)},
	}}
}

func (b *bench) update(fn func(store.Tx) error) {
	b.t.Helper()
	require.NoError(b.t, b.store.Update(b.t.Context(), fn))
}

func (b *bench) run(j entity.Ref, r observation.Run, received time.Time) {
	b.t.Helper()
	b.update(func(tx store.Tx) error {
		return tx.PutRun(store.RunRecord{Job: j, Run: r, Time: received, Received: received})
	})
}

func (b *bench) failure(class incident.Class, change ...func(*observation.Run)) {
	b.t.Helper()
	r := aRun(transform, "r1", observation.PhaseFailed, 1)
	for _, c := range change {
		c(&r)
	}
	b.run(transform, r, t0)
	b.in.Incident = &incident.Incident{ID: "inc", Class: class, Confidence: .9, Root: transform, Detected: t0, Title: "title", Evidence: []incident.Evidence{{
		Observation: observation.Observation{ID: "o", Kind: observation.RunState, Polarity: observation.Problem, Entity: transform, Run: &r, Error: &observation.Error{Type: "E", Message: "m", Location: "f.py:3"}},
	}}}
}

// badLoad is an incident about one load of the target.
func (b *bench) badLoad(id string, good ...string) {
	b.t.Helper()
	for _, r := range []string{"r1", "bad", "r3"} {
		for _, j := range []entity.Ref{extract, transform, load} {
			b.run(j, aRun(j, r, observation.PhaseSucceeded, 1), t0)
		}
	}
	b.in.Incident = &incident.Incident{ID: "inc", Class: incident.DataQualityBreach, Confidence: .9, Root: table("target"), Detected: t0, Evidence: []incident.Evidence{{
		Observation: observation.Observation{ID: "o", Kind: observation.Anomaly, Polarity: observation.Problem, Entity: table("target"), Time: t0,
			Series: &observation.Series{Metric: vocab.FactLoadRows, Key: "k", Active: true, Attributes: map[string]string{vocab.DatasetLoadID: id}}},
	}}}
	for _, name := range good {
		b.update(func(tx store.Tx) error {
			return tx.PutFact(store.Fact{Entity: table(name), Name: vocab.FactRows, Value: 1, Time: t0, Received: t0})
		})
	}
}

func (b *bench) decide() Choice {
	b.t.Helper()
	var err error
	b.in.Policies, err = policy.Compile(b.rules)
	require.NoError(b.t, err)
	var c Choice
	require.NoError(b.t, b.store.View(b.t.Context(), func(r store.Reader) (err error) {
		b.in.Reader = r
		c, err = Decide(b.in, b.set)
		return err
	}))
	chosen := 0
	for _, is := range []bool{c.Plan != nil, c.Wait, c.Escalate} {
		if is {
			chosen++
		}
	}
	require.Equal(b.t, 1, chosen, "exactly one of plan, wait and escalate")
	require.NotEmpty(b.t, c.Decision.Why)
	require.NotEmpty(b.t, c.Decision.InputsHash)
	require.NotEmpty(b.t, c.Decision.Alternatives)
	for _, a := range c.Decision.Alternatives {
		require.NotEmpty(b.t, a.Reasons, a.Name)
	}
	return c
}

func TestWhatIsChosen(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		world  func(*bench)
		plan   action.Type
		wait   bool
		reason incident.Reason
		detail string
	}{
		"a transient failure is retried with what follows": {func(b *bench) { b.failure(incident.TransientFailure) }, action.AirflowClearDownstream, false, incident.ReasonBackoff, "run d.transform of r1 again"},
		"a bug is not":              {func(b *bench) { b.failure(incident.DeterministicBug) }, "", false, incident.ReasonNotRetryable, "E: m at f.py:3"},
		"a refused identity is not": {func(b *bench) { b.failure(incident.CredentialFailure) }, "", false, incident.ReasonNotRetryable, "identity"},
		"a used up resource is not": {func(b *bench) { b.failure(incident.ResourceExhaustion) }, "", false, incident.ReasonNotRetryable, "resource"},
		"what nobody knows is not":  {func(b *bench) { b.failure(incident.Unknown) }, "", false, incident.ReasonUnknownClass, "E: m"},
		"the platform will try again": {func(b *bench) {
			b.failure(incident.TransientFailure, func(r *observation.Run) { r.Phase = observation.PhaseRetrying })
		}, "", true, incident.ReasonPlatformRetry, "r1"},
		"it runs again": {func(b *bench) {
			b.failure(incident.TransientFailure, func(r *observation.Run) { r.Phase = observation.PhaseRunning })
		}, "", true, incident.ReasonRunning, "running"},
		"a person paused it": {func(b *bench) { b.failure(incident.TransientFailure, func(r *observation.Run) { r.Paused = true }) }, "", false, incident.ReasonPaused, "paused"},
		"only an event told, lately": {func(b *bench) {
			b.failure(incident.TransientFailure, func(r *observation.Run) { r.Confirmed = false })
			b.in.Now = t0.Add(10 * time.Second)
		}, "", true, incident.ReasonSettling, "not yet confirmed"},
		"only an event told, long ago": {func(b *bench) { b.failure(incident.TransientFailure, func(r *observation.Run) { r.Confirmed = false }) }, "", false, incident.ReasonPolicyDenied, "none"},
		"nobody can be told to act":    {func(b *bench) { b.failure(incident.TransientFailure, func(r *observation.Run) { r.Target = nil }) }, "", false, incident.ReasonNoTarget, "no platform"},
		"the class is a guess":         {func(b *bench) { b.failure(incident.TransientFailure); b.in.Incident.Confidence = .5 }, "", false, incident.ReasonPolicyDenied, "none"},
		"a policy denies": {func(b *bench) {
			b.rules = append(b.rules, policy.Rule{Name: "never", Effect: policy.Deny, When: `name startsWith "d."`})
			b.failure(incident.TransientFailure)
		}, "", false, incident.ReasonPolicyDenied, "never: deny"},
		"a policy wants a person": {func(b *bench) {
			b.rules = append(b.rules, policy.Rule{Name: "ask", Effect: policy.Escalate})
			b.failure(incident.TransientFailure)
		}, "", false, incident.ReasonPolicyDenied, "ask: escalate"},
		"a policy fails": {func(b *bench) {
			b.rules = append(b.rules, policy.Rule{Name: "broken", Effect: policy.Allow, When: `1 / (attempt - 1) > int("x")`})
			b.failure(incident.TransientFailure)
		}, "", false, incident.ReasonPolicyError, "broken"},
		"no policy allows": {func(b *bench) { b.rules = nil; b.failure(incident.TransientFailure) }, "", false, incident.ReasonPolicyDenied, "none"},
		"it reaches too far": {func(b *bench) {
			b.failure(incident.TransientFailure)
			b.in.Incident.AtRisk = make([]entity.Ref, 501)
		}, "", false, incident.ReasonPolicyDenied, "wide-blast-radius"},
		"its input is late":    {func(b *bench) { b.failure(incident.UpstreamDelay) }, "", true, incident.ReasonUpstreamPending, "late"},
		"its input never came": {func(b *bench) { b.failure(incident.UpstreamDelay); b.in.Now = t0.Add(31 * time.Minute) }, "", false, incident.ReasonUpstreamPending, "has not come"},
		"its input has come": {func(b *bench) {
			b.failure(incident.UpstreamDelay)
			b.update(func(tx store.Tx) error {
				return tx.PutFact(store.Fact{Entity: table("raw"), Name: vocab.FactRows, Value: 9, Time: t0.Add(time.Second), Received: t0.Add(time.Second)})
			})
		}, action.AirflowClearDownstream, false, incident.ReasonBackoff, "again"},
		"a bad load is rerun from the first task that may be to blame": {func(b *bench) { b.badLoad("bad") }, action.AirflowClearDownstream, false, incident.ReasonBackoff, "run d.extract of bad again"},
		"a good table on the way stops the climb":                      {func(b *bench) { b.badLoad("bad", "raw") }, action.AirflowClearDownstream, false, incident.ReasonBackoff, "run d.transform of bad again"},
		"good input leaves the writer":                                 {func(b *bench) { b.badLoad("bad", "clean") }, action.AirflowClearDownstream, false, incident.ReasonBackoff, "run d.load of bad again"},
		"a good table that is anomalous does not": {func(b *bench) {
			b.badLoad("bad", "clean")
			b.update(func(tx store.Tx) error {
				return tx.PutAnomaly(observation.Observation{ID: "a", Kind: observation.Anomaly, Entity: table("clean"), Time: t0, Received: t0, Series: &observation.Series{Key: "c", Active: true}})
			})
		}, action.AirflowClearDownstream, false, incident.ReasonBackoff, "run d.extract of bad again"},
		"the load's ID names the run": {func(b *bench) { b.badLoad("r1", "clean") }, action.AirflowClearDownstream, false, incident.ReasonBackoff, "run d.load of r1 again"},
		"which load is not known":     {func(b *bench) { b.badLoad("") }, "", false, incident.ReasonUncertainRoot, "not known"},
		"two ways up, neither is chosen": {func(b *bench) {
			b.badLoad("bad", "raw")
			b.in.Graph.Add(entity.Edge{From: job("d.other"), To: load, Relation: entity.Precedes}, 0)
			b.in.Graph.Add(entity.Edge{From: dag, To: job("d.other"), Relation: entity.Contains}, 0)
		}, action.AirflowClearDownstream, false, incident.ReasonBackoff, "run d.load of bad again"},
		"its writer still runs": {func(b *bench) {
			b.badLoad("bad")
			b.run(load, aRun(load, "bad", observation.PhaseRunning, 2), t0)
		}, "", true, incident.ReasonRunning, "running"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			tc.world(b)
			c := b.decide()
			if tc.plan != "" {
				require.NotNil(t, c.Plan, "%s: %s", c.Reason, c.Detail)
				assert.Equal(t, tc.plan, c.Plan.Action)
				assert.NotContains(t, c.Plan.Target.Coordinates, observation.AirflowTry, "a plan is for the run")
			} else {
				assert.Nil(t, c.Plan)
			}
			assert.Equal(t, tc.wait, c.Wait, c.Detail)
			assert.Equal(t, tc.reason, c.Reason, c.Detail)
			assert.Contains(t, c.Detail, tc.detail)
		})
	}
}

func TestEachFurtherTryWaitsLongerUntilThereIsNone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.failure(incident.TransientFailure)
	for tried, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
		c := b.decide()
		require.NotNil(t, c.Plan, c.Detail)
		assert.Equal(t, wait, c.Plan.NotBefore.Sub(b.in.Now), "after %d", tried)
		p := *c.Plan
		p.ID, p.Status, p.Intent = "p"+strconv.Itoa(tried), action.Done, &action.Intent{}
		b.in.Plans = append(b.in.Plans, &p)
	}
	c := b.decide()
	assert.Nil(t, c.Plan)
	assert.Equal(t, incident.ReasonExhausted, c.Reason, c.Detail)

	// What never left, or was for another run, is no try.
	b.in.Plans[1].Status = action.Void
	b.in.Plans[2].Target.Coordinates = map[string]string{observation.AirflowDAG: "d", observation.AirflowRun: "other"}
	assert.NotNil(t, b.decide().Plan)

	b.set.BackoffMax = 40 * time.Second
	assert.Equal(t, 40*time.Second, b.decide().Plan.NotBefore.Sub(b.in.Now))
}

func TestTheSameFaultIsJudgedByWhatCameOfIt(t *testing.T) {
	t.Parallel()
	learned := func(good, bad int, resource entity.Ref) func(*bench) {
		return func(b *bench) {
			b.update(func(tx store.Tx) error {
				for n := range good + bad {
					o := store.Outcome{PlanID: "p" + strconv.Itoa(n), IncidentID: "i", Class: incident.TransientFailure, Action: action.AirflowClearDownstream, Resource: resource, Verified: n < good, At: t0}
					if err := tx.PutOutcome(o); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	for name, tc := range map[string]struct {
		learn  func(*bench)
		plan   bool
		reason string
	}{
		"nothing learned":            {func(*bench) {}, true, "it helped here 0 of 0 times, 0 outcomes in all"},
		"it helped here":             {learned(10, 0, transform), true, "it helped here 10 of 10 times"},
		"it never helped here":       {learned(0, 10, transform), false, "it helped here 0 of 10 times"},
		"it did not help elsewhere":  {learned(0, 10, extract), true, "it helped here 0 of 0 times, 10 outcomes in all"},
		"it hardly ever helped here": {learned(1, 30, transform), false, "it helped here 1 of 31 times"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			tc.learn(b)
			b.failure(incident.TransientFailure)
			c := b.decide()
			assert.Equal(t, tc.plan, c.Plan != nil, c.Detail)
			var why []string
			for _, a := range c.Decision.Alternatives {
				why = append(why, a.Reasons...)
			}
			assert.Contains(t, strings.Join(why, "; "), tc.reason)
			if !tc.plan {
				assert.Equal(t, incident.ReasonExhausted, c.Reason)
			}
		})
	}
}
