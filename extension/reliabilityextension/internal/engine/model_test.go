package engine

import (
	"context"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/policy"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/audit"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// life is what is true of one DAG: extract → load → table, with a quality
// receiver that measures the table.
type life struct {
	name                string
	dag, extract, load  entity.Ref
	staging, table      entity.Ref
	runs                []*dagRunModel
	rows                float64
	measured, anomalous bool
}

type dagRunModel struct {
	id      string
	tries   int
	failed  bool
	loaded  bool
	class   incident.Class
	badLoad bool
}

type machine struct {
	t      *rapid.T
	dir    string
	store  store.Store
	engine *Engine
	set    Settings
	clock  time.Time
	seq    int
	lives  []*life
	sent   []observation.Observation
	leases []action.Lease
	old    []action.Lease // superseded
	begun  map[string]bool
	// intents are the plans whose intent is in the first audited records.
	intents map[string]bool
	audited int64
	signer  *audit.Signer
	got     map[string]int64 // newest delivered version of each incident
	lastQ   int64
}

func (m *machine) now() time.Time { return m.clock }

func (m *machine) start() {
	var err error
	m.store, err = sqlite.Open(m.dir, sqlite.Options{Now: m.now})
	require.NoError(m.t, err)
	m.signer, err = audit.OpenSigner(m.dir)
	require.NoError(m.t, err)
	policies, err := policy.Compile(policy.Defaults())
	require.NoError(m.t, err)
	m.engine, err = New(context.Background(), Options{Store: m.store, Signer: m.signer, Dir: m.dir, Policies: policies, Settings: m.set, MaxEdges: 1000, Now: m.now, Logger: zap.NewNop()})
	require.NoError(m.t, err)
	m.register()
}

func (m *machine) register() {
	for _, name := range []string{"a", "b"} {
		m.engine.Register(name, []action.Capability{
			{Action: action.AirflowClearTask, Platform: "airflow", Instance: "default", Act: []string{"*"}, Reachable: true},
			{Action: action.AirflowClearDownstream, Platform: "airflow", Instance: "default", Act: []string{"*"}, Reachable: true},
		})
	}
}

func newMachine(t *rapid.T, dir string) *machine {
	m := &machine{t: t, dir: dir, set: settings(), clock: time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC), begun: map[string]bool{}, intents: map[string]bool{}, got: map[string]int64{}}
	m.set.VerifyTimeout = 10 * time.Minute
	m.start()
	for _, name := range []string{"alpha", "beta", "gamma"} {
		job := func(s string) entity.Ref { return entity.Ref{Kind: entity.Job, Namespace: "default", Name: s} }
		table := func(s string) entity.Ref {
			return entity.Ref{Kind: entity.Dataset, Namespace: "postgres://h:1", Name: s}
		}
		l := &life{name: name, dag: job(name), extract: job(name + ".extract"), load: job(name + ".load"), staging: table("w." + name + "_staging"), table: table("w." + name), measured: true}
		m.lives = append(m.lives, l)
		o := observation.Observation{Kind: observation.Lineage, Polarity: observation.Info, Entity: l.dag, Edges: []entity.Edge{
			{From: l.dag, To: l.extract, Relation: entity.Contains}, {From: l.dag, To: l.load, Relation: entity.Contains},
			{From: l.extract, To: l.load, Relation: entity.Precedes}, {From: l.extract, To: l.staging, Relation: entity.Writes},
			{From: l.staging, To: l.load, Relation: entity.ReadBy}, {From: l.load, To: l.table, Relation: entity.Writes},
		}}
		m.see(o)
	}
	// What one DAG writes, the next one reads.
	m.see(observation.Observation{Kind: observation.Lineage, Polarity: observation.Info, Entity: m.lives[1].dag, Edges: []entity.Edge{{From: m.lives[0].table, To: m.lives[1].extract, Relation: entity.ReadBy}}})
	for _, l := range m.lives {
		for range 3 {
			m.pass(10 * time.Second)
			m.newRun(l, "")
		}
	}
	return m
}

func (m *machine) see(list ...observation.Observation) {
	for n := range list {
		o := &list[n]
		m.seq++
		if o.ID == "" {
			o.ID = strconv.Itoa(m.seq)
		}
		if o.Source == "" {
			o.Source = "airflow"
		}
		if o.Time.IsZero() {
			o.Time = m.clock
		}
		for k := range o.Edges {
			o.Edges[k].Source, o.Edges[k].LastSeen = "airflow", m.clock
		}
		m.sent = append(m.sent, *o)
	}
	require.NoError(m.t, m.engine.Observe(context.Background(), list))
}

func (m *machine) pass(d time.Duration) {
	m.clock = m.clock.Add(d)
	require.NoError(m.t, m.engine.Tick(context.Background()))
}

func (m *machine) task(l *life, job entity.Ref, r *dagRunModel, phase observation.Phase, try int) observation.Observation {
	task := job.Name[len(l.name)+1:]
	o := observation.Observation{Kind: observation.RunState, Polarity: observation.Info, Source: "airflow", Entity: job, Run: &observation.Run{
		ID: l.name + "/" + r.id + "/" + task, Phase: phase, Attempt: try, Confirmed: true,
		Target: &observation.Target{Kind: "airflow", Instance: "default", Coordinates: map[string]string{observation.AirflowDAG: l.name, observation.AirflowRun: r.id, observation.AirflowTask: task}},
	}}
	switch phase {
	case observation.PhaseSucceeded:
		o.Polarity, o.Run.Ended = observation.Recovery, m.clock
	case observation.PhaseFailed:
		o.Run.Ended = m.clock
		o.Polarity = observation.Problem
		o.Error = &observation.Error{Type: "E", Message: string(r.class)}
		o.Hypothesis = &observation.Hypothesis{Class: string(r.class), Confidence: .9, Rule: "r"}
	case observation.PhaseUpstream:
		o.Polarity = observation.Problem
	}
	return o
}

// newRun is one run of a DAG, failing with the class where there is one.
func (m *machine) newRun(l *life, class incident.Class) {
	r := &dagRunModel{id: "r" + strconv.Itoa(len(l.runs)), tries: 1, class: class}
	l.runs = append(l.runs, r)
	if class != "" {
		r.failed = true
		m.see(m.task(l, l.extract, r, observation.PhaseFailed, r.tries), m.task(l, l.load, r, observation.PhaseUpstream, 0))
		return
	}
	m.succeed(l, r)
}

func (m *machine) succeed(l *life, r *dagRunModel) {
	r.failed = false
	m.see(m.task(l, l.extract, r, observation.PhaseSucceeded, r.tries), m.task(l, l.load, r, observation.PhaseSucceeded, r.tries))
	if !r.loaded || r.badLoad {
		if !r.loaded {
			l.rows += 1000
		}
		r.loaded, r.badLoad = true, false
		m.loadFact(l, r, 1000)
	}
	m.measure(l)
}

func (m *machine) loadFact(l *life, r *dagRunModel, n float64) {
	m.see(observation.Observation{Kind: observation.Fact, Polarity: observation.Info, Source: "dataquality", Entity: l.table, Fact: &observation.FactValue{Name: vocab.FactLoadRows, Part: r.id, Value: n}})
}

func (m *machine) measure(l *life) {
	if l.measured {
		m.see(observation.Observation{Kind: observation.Fact, Polarity: observation.Info, Source: "dataquality", Entity: l.table, Fact: &observation.FactValue{Name: vocab.FactRows, Value: l.rows}})
	}
}

func (m *machine) anomaly(l *life, r *dagRunModel, active bool) {
	value := 1000.0
	if active {
		value = 100
	}
	o := observation.Observation{Kind: observation.Anomaly, Polarity: observation.Problem, Source: "anomaly_detection", Entity: l.table, Series: &observation.Series{
		Metric: vocab.FactLoadRows, Key: "k" + l.name, Active: active, Value: value, Expected: 1000, Lower: 900, Upper: 1100, Attributes: map[string]string{vocab.DatasetLoadID: r.id}},
		Hypothesis: &observation.Hypothesis{Class: string(incident.DataQualityBreach), Confidence: .85, Rule: "v"}}
	if !active {
		o.Polarity, o.Hypothesis = observation.Recovery, nil
	}
	m.see(o)
}

func (m *machine) life(t *rapid.T) *life {
	return m.lives[rapid.IntRange(0, len(m.lives)-1).Draw(t, "dag")]
}

func (m *machine) broken(l *life) []*dagRunModel {
	return slices.DeleteFunc(slices.Clone(l.runs), func(r *dagRunModel) bool { return !r.failed })
}

func (m *machine) incidents() []*incident.Incident {
	var list []*incident.Incident
	require.NoError(m.t, m.store.View(context.Background(), func(r store.Reader) (err error) {
		list, err = r.Incidents(store.IncidentFilter{})
		return err
	}))
	return list
}

func (m *machine) paused() bool {
	_, err := os.Stat(m.dir + "/paused.json")
	return err == nil
}
