package verification

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/graph"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	t0      = time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC) // the trouble is detected
	dag     = entity.Ref{Kind: entity.Job, Namespace: "default", Name: "d"}
	extract = entity.Ref{Kind: entity.Job, Namespace: "default", Name: "d.extract"}
	load    = entity.Ref{Kind: entity.Job, Namespace: "default", Name: "d.load"}
	staging = entity.Ref{Kind: entity.Dataset, Namespace: "postgres://h:1", Name: "w.staging"}
	table   = entity.Ref{Kind: entity.Dataset, Namespace: "postgres://h:1", Name: "w.table"}
)

// scene is what the store knows and what the incident is.
type scene struct {
	t     *testing.T
	store store.Store
	graph *graph.Graph
	i     *incident.Incident
	plans []*action.Plan
	set   Settings
	skew  time.Duration // of the sources' clocks
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s, err := sqlite.Open(t.TempDir(), sqlite.Options{Now: func() time.Time { return t0 }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	sc := &scene{t: t, store: s, graph: graph.New(100), set: Settings{SignalTimeout: 2 * time.Minute, RowTolerance: .5}}
	for _, e := range []entity.Edge{
		{From: dag, To: extract, Relation: entity.Contains}, {From: dag, To: load, Relation: entity.Contains},
		{From: extract, To: load, Relation: entity.Precedes}, {From: extract, To: staging, Relation: entity.Writes},
		{From: staging, To: load, Relation: entity.ReadBy}, {From: load, To: table, Relation: entity.Writes},
	} {
		sc.graph.Add(e, 0)
	}
	return sc
}

// at is a number of seconds after the trouble was detected.
func at(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }

func (s *scene) update(fn func(store.Tx) error) {
	s.t.Helper()
	require.NoError(s.t, s.store.Update(s.t.Context(), fn))
}

func (s *scene) fact(ds entity.Ref, name, part string, value float64, seconds int) {
	s.t.Helper()
	s.update(func(tx store.Tx) error {
		return tx.PutFact(store.Fact{Entity: ds, Name: name, Part: part, Value: value, Time: at(seconds).Add(s.skew), Received: at(seconds)})
	})
}

func (s *scene) rows(n float64, seconds int) {
	s.t.Helper()
	s.fact(table, vocab.FactRows, "", n, seconds)
}
func (s *scene) load(part string, n float64, seconds int) {
	s.t.Helper()
	s.fact(table, vocab.FactLoadRows, part, n, seconds)
}

func aRun(job entity.Ref, id string, phase observation.Phase, try int, end time.Time) observation.Run {
	task := job.Name[2:]
	return observation.Run{ID: "d/" + id + "/" + task, Phase: phase, Attempt: try, Confirmed: true, Ended: end, Target: &observation.Target{
		Kind: "airflow", Instance: "default", Coordinates: map[string]string{observation.AirflowDAG: "d", observation.AirflowRun: id, observation.AirflowTask: task},
	}}
}

func (s *scene) run(job entity.Ref, id string, phase observation.Phase, try, seconds int, change ...func(*observation.Run)) {
	s.t.Helper()
	r := aRun(job, id, phase, try, at(seconds).Add(s.skew))
	for _, c := range change {
		c(&r)
	}
	s.update(func(tx store.Tx) error {
		return tx.PutRun(store.RunRecord{Job: job, Run: r, Source: "airflow", Time: at(seconds).Add(s.skew), Received: at(seconds)})
	})
}

// history is five runs and loads of a thousand rows before the trouble.
func (s *scene) history(perLoad, totals bool) {
	s.t.Helper()
	for n := range 5 {
		id, when := "n"+strconv.Itoa(n), -600+60*n
		s.run(extract, id, observation.PhaseSucceeded, 1, when)
		s.run(load, id, observation.PhaseSucceeded, 1, when+1)
		if perLoad {
			s.load(id, 1000, when+2)
		}
		if totals {
			s.rows(float64(1000*(n+1)), when+2)
		}
	}
}

// failure is the incident of a failed extract that a plan has run again at +40 s.
func (s *scene) failure() {
	s.t.Helper()
	s.i = &incident.Incident{
		ID: "inc", Class: incident.TransientFailure, Root: extract, Started: t0.Add(s.skew), Detected: t0, Acted: at(40), State: incident.Verifying,
		Verification: &incident.Verification{Since: at(41), Window: time.Minute},
	}
	r := aRun(extract, "r1", observation.PhaseFailed, 1, t0.Add(s.skew))
	s.i.Evidence = []incident.Evidence{{Observation: observation.Observation{Kind: observation.RunState, Polarity: observation.Problem, Entity: extract, Run: &r, Time: r.Ended}}}
	s.run(extract, "r1", observation.PhaseFailed, 1, 0)
	s.plans = []*action.Plan{{
		ID: "plan-1", IncidentID: "inc", Action: action.AirflowClearDownstream, Target: *r.Target, Resource: extract, Status: action.Done,
		Expect: map[string]string{action.ExpectTry: "1"}, Intent: &action.Intent{At: at(40)}, Result: &action.Result{Status: action.Succeeded, At: at(41)},
	}}
}

// cameThrough: the platform says that the run and what follows it succeeded.
func (s *scene) cameThrough(seconds int) {
	s.t.Helper()
	s.run(extract, "r1", observation.PhaseSucceeded, 2, seconds)
	s.run(load, "r1", observation.PhaseSucceeded, 1, seconds)
}

func (s *scene) evaluate(seconds int) Report {
	s.t.Helper()
	var r Report
	require.NoError(s.t, s.store.View(s.t.Context(), func(rd store.Reader) (err error) {
		r, err = Evaluate(World{Reader: rd, Graph: s.graph}, s.i, s.plans, s.set, at(seconds))
		return err
	}))
	return r
}

func TestWhatARetriedRunOwes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		skew   time.Duration
		world  func(*scene)
		now    int
		holds  bool
		silent bool
		detail string // of some condition that does not hold, or of the rows where all do
	}{
		"its load came": {world: func(s *scene) {
			s.history(true, true)
			s.cameThrough(60)
			s.load("r1", 1000, 61)
			s.rows(6000, 61)
		}, now: 62, holds: true, detail: "1000 of 1000 rows"},
		"another run's load came": {world: func(s *scene) {
			s.history(true, true)
			s.cameThrough(60)
			s.run(extract, "r2", observation.PhaseSucceeded, 1, 61)
			s.run(load, "r2", observation.PhaseSucceeded, 1, 61)
			s.load("r2", 1000, 62)
			s.rows(6000, 62)
		}, now: 63, detail: "1 loads are missing"},
		"its load is a tenth": {world: func(s *scene) {
			s.history(true, true)
			s.cameThrough(60)
			s.load("r1", 100, 61)
			s.rows(5100, 61)
		}, now: 62, detail: "100 of 1000 rows"},
		"its load came twice over": {world: func(s *scene) {
			s.history(true, true)
			s.cameThrough(60)
			s.load("r1", 2000, 61)
			s.rows(7000, 61)
		}, now: 62, detail: "2000 of 1000 rows"},
		"its load is empty": {world: func(s *scene) {
			s.history(true, true)
			s.cameThrough(60)
			s.load("r1", 0, 61)
		}, now: 62, detail: "0 of 1000 rows"},
		"rows came twice": {world: func(s *scene) {
			s.history(true, true)
			s.cameThrough(60)
			s.load("r1", 1000, 61)
			s.fact(table, vocab.FactDuplicates, "id", 7, 61)
		}, now: 62, detail: "7 duplicates"},
		"no rows came twice": {world: func(s *scene) {
			s.history(true, true)
			s.cameThrough(60)
			s.load("r1", 1000, 61)
			s.fact(table, vocab.FactDuplicates, "id", 0, 61)
		}, now: 62, holds: true, detail: "0 duplicates"},
		"the table grew as usual": {world: func(s *scene) {
			s.history(false, true)
			s.cameThrough(60)
			s.rows(6000, 61)
		}, now: 62, holds: true, detail: "1000 of 1000 rows"},
		"the table grew too little": {world: func(s *scene) {
			s.history(false, true)
			s.cameThrough(60)
			s.rows(5100, 61)
		}, now: 62, detail: "100 of 1000 rows"},
		"the table grew for one of two runs": {world: func(s *scene) {
			s.history(false, true)
			s.cameThrough(60)
			s.run(load, "r2", observation.PhaseSucceeded, 1, 61)
			s.rows(5900, 62)
		}, now: 63, detail: "900 of 2000 rows"},
		"the table did not move": {world: func(s *scene) {
			s.history(false, true)
			s.cameThrough(60)
			s.rows(5000, 61)
		}, now: 62, detail: "0 of 1000 rows"},
		"a replaced table has newer rows": {world: func(s *scene) {
			for n := range 5 {
				s.rows(1000, -600+60*n)
			}
			s.fact(table, vocab.FactNewest, "", 100, -300)
			s.run(extract, "n1", observation.PhaseSucceeded, 1, -300)
			s.cameThrough(60)
			s.rows(1000, 61)
			s.fact(table, vocab.FactNewest, "", 160, 61)
		}, now: 62, holds: true, detail: "newer than before"},
		"a replaced table has nothing newer": {world: func(s *scene) {
			for n := range 5 {
				s.rows(1000, -600+60*n)
			}
			s.fact(table, vocab.FactNewest, "", 100, -300)
			s.cameThrough(60)
			s.rows(1000, 61)
			s.fact(table, vocab.FactNewest, "", 100, 61)
		}, now: 62, detail: "nothing newer"},
		"a replaced table is short": {world: func(s *scene) {
			for n, rows := range []float64{1000, 0, 1000, 0, 1000} {
				s.rows(rows, -600+60*n)
			}
			s.fact(table, vocab.FactNewest, "", 100, -300)
			s.cameThrough(60)
			s.rows(100, 61)
			s.fact(table, vocab.FactNewest, "", 160, 61)
		}, now: 62, detail: "100 rows"},
		"staging is empty again": {world: func(s *scene) {
			s.history(true, true)
			s.fact(staging, vocab.FactRows, "", 1000, -500)
			s.cameThrough(60)
			s.fact(staging, vocab.FactRows, "", 0, 61)
			s.load("r1", 1000, 61)
		}, now: 62, holds: true, detail: "1000 of 1000 rows"},
		"only the platform speaks": {world: func(s *scene) { s.cameThrough(60) }, now: 62, silent: true, detail: "no source measures"},
		"the receiver went silent before": {world: func(s *scene) {
			s.history(true, true)
			s.rows(5000, 50)
			s.cameThrough(60)
		}, now: 62, silent: true, detail: "silent since"},
		"the receiver went silent after": {world: func(s *scene) {
			s.history(true, true)
			s.cameThrough(60)
			s.load("r1", 1000, 61)
		}, now: 61 + 121, silent: true, detail: "silent since"},
		"the platform goes by another clock, ahead": {skew: 90 * time.Minute, world: func(s *scene) {
			s.history(true, true)
			s.cameThrough(60)
			s.load("r1", 1000, 61)
		}, now: 62, holds: true, detail: "1000 of 1000 rows"},
		"the platform goes by another clock, behind": {skew: -90 * time.Minute, world: func(s *scene) {
			s.history(true, true)
			s.cameThrough(60)
			s.load("r1", 1000, 61)
		}, now: 62, holds: true, detail: "1000 of 1000 rows"},
		"growth by a clock that is ahead": {skew: 90 * time.Minute, world: func(s *scene) {
			s.history(false, true)
			s.cameThrough(60)
			s.rows(5100, 61)
		}, now: 62, detail: "100 of 1000 rows"},
		"growth by a clock that is behind": {skew: -90 * time.Minute, world: func(s *scene) {
			s.history(false, true)
			s.cameThrough(60)
			s.rows(6000, 61)
		}, now: 62, holds: true, detail: "1000 of 1000 rows"},
		"the run is not back": {world: func(s *scene) {
			s.history(true, true)
			s.load("r1", 1000, 61)
		}, now: 62, detail: "failed, attempt 1"},
		"only an event says that it is back": {world: func(s *scene) {
			s.history(true, true)
			s.cameThrough(60)
			s.run(extract, "r1", observation.PhaseSucceeded, 2, 61, func(r *observation.Run) { r.Confirmed = false })
			s.load("r1", 1000, 62)
		}, now: 63, silent: true, detail: "succeeded, attempt 2"},
		"it was heard of before the act only": {world: func(s *scene) {
			s.history(true, true)
			s.cameThrough(39)
			s.load("r1", 1000, 61)
		}, now: 62, silent: true, detail: "run d/r1/extract: succeeded"},
		"what follows has not come through": {world: func(s *scene) {
			s.history(true, true)
			s.cameThrough(60)
			s.run(load, "r1", observation.PhaseUpstream, 0, 61)
			s.load("r1", 1000, 61)
		}, now: 62, detail: "run d/r1/load: upstream_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.skew = tc.skew
			s.failure()
			tc.world(s)
			r := s.evaluate(tc.now)
			assert.Equal(t, tc.holds, r.Holds(), "%+v", r.Conditions)
			assert.Equal(t, tc.silent, r.Silent() != nil, "%+v", r.Conditions)
			found := false
			for _, c := range r.Conditions {
				found = found || (c.Holds == tc.holds && strings.Contains(c.Detail, tc.detail))
			}
			assert.True(t, found, "%q is not in %+v", tc.detail, r.Conditions)
		})
	}
}

func TestTheNextStep(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		world                    func(*scene)
		failedAgain, next, moved string
		running                  bool
	}{
		"nothing is known yet": {world: func(*scene) {}},
		"it runs":              {world: func(s *scene) { s.run(extract, "r1", observation.PhaseRunning, 2, 50) }, running: true},
		"it failed again":      {world: func(s *scene) { s.run(extract, "r1", observation.PhaseFailed, 2, 50) }, failedAgain: "d/r1/extract"},
		"an event says so": {world: func(s *scene) {
			s.run(extract, "r1", observation.PhaseFailed, 2, 50, func(r *observation.Run) { r.Confirmed = false })
		}},
		"the old try is told again":  {world: func(s *scene) { s.run(extract, "r1", observation.PhaseFailed, 1, 50) }},
		"another run waits its turn": {world: func(s *scene) { s.alsoFailed("r2") }},
		"another run is next":        {world: func(s *scene) { s.alsoFailed("r2"); s.cameThrough(60) }, next: "d/r2/extract"},
		"the load failed by itself": {world: func(s *scene) {
			s.cameThrough(60)
			s.run(load, "r1", observation.PhaseFailed, 1, 61)
			r := aRun(load, "r1", observation.PhaseFailed, 1, at(61))
			s.i.Evidence = append(s.i.Evidence, incident.Evidence{Observation: observation.Observation{Kind: observation.RunState, Polarity: observation.Problem, Entity: load, Run: &r}})
		}, moved: "d/r1/load"},
		"the load failed before": {world: func(s *scene) {
			s.cameThrough(60)
			s.run(load, "r1", observation.PhaseFailed, 1, 39)
			r := aRun(load, "r1", observation.PhaseFailed, 1, at(39))
			s.i.Evidence = append(s.i.Evidence, incident.Evidence{Observation: observation.Observation{Kind: observation.RunState, Polarity: observation.Problem, Entity: load, Run: &r}})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.failure()
			tc.world(s)
			r := s.evaluate(62)
			assert.Equal(t, tc.failedAgain, id(r.FailedAgain))
			assert.Equal(t, tc.next, id(r.Next))
			assert.Equal(t, tc.moved, id(r.Moved))
			assert.Equal(t, tc.running, r.Running)
			assert.False(t, r.Holds())
		})
	}
}

func (s *scene) alsoFailed(run string) {
	s.t.Helper()
	s.run(extract, run, observation.PhaseFailed, 1, 1)
	r := aRun(extract, run, observation.PhaseFailed, 1, at(1))
	s.i.Evidence = append(s.i.Evidence, incident.Evidence{Observation: observation.Observation{Kind: observation.RunState, Polarity: observation.Problem, Entity: extract, Run: &r}})
}

func id(r *store.RunRecord) string {
	if r == nil {
		return ""
	}
	return r.Run.ID
}

func TestABadLoadIsGoodWhenItsOwnRowsAre(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		bad     float64
		cleared bool
		holds   bool
	}{
		"put right":                     {1000, true, true},
		"still a tenth":                 {100, false, false},
		"the series is calm, it is not": {100, true, false},
		"right, the series is not calm": {1000, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.history(true, true)
			s.load("bad", 100, -1)
			s.i = &incident.Incident{ID: "inc", Class: incident.DataQualityBreach, Root: table, Started: t0, Detected: t0, Acted: at(40), State: incident.Verifying, Verification: &incident.Verification{Since: at(41)}}
			s.i.Evidence = []incident.Evidence{{Cleared: tc.cleared, Observation: observation.Observation{Kind: observation.Anomaly, Polarity: observation.Problem, Entity: table,
				Series: &observation.Series{Metric: vocab.FactLoadRows, Key: "k", Active: true, Value: 100, Expected: 1000, Lower: 900, Upper: 1100, Attributes: map[string]string{vocab.DatasetLoadID: "bad"}}}}}
			s.load("bad", tc.bad, 50)
			s.load("next", 1000, 51)
			assert.Equal(t, tc.holds, s.evaluate(60).Holds(), "%+v", s.evaluate(60).Conditions)
		})
	}
}
