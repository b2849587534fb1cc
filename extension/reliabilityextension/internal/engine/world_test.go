package engine

import (
	"flag"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/decision"
	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/policy"
	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/verification"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// One run of the state machine is thousands of transactions; -rapid.checks asks for more.
	if f := flag.Lookup("rapid.checks"); f != nil && f.Value.String() == f.DefValue {
		if err := f.Value.Set("25"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

var (
	dag     = entity.Ref{Kind: entity.Job, Namespace: "default", Name: "orders"}
	extract = entity.Ref{Kind: entity.Job, Namespace: "default", Name: "orders.extract"}
	load    = entity.Ref{Kind: entity.Job, Namespace: "default", Name: "orders.load"}
	staging = entity.Ref{Kind: entity.Dataset, Namespace: "postgres://h:1", Name: "w.public.staging"}
	orders  = entity.Ref{Kind: entity.Dataset, Namespace: "postgres://h:1", Name: "w.public.orders"}
)

func settings() Settings {
	return Settings{
		Settle: 5 * time.Second, JoinWindow: time.Hour, Hops: 6, ReopenWithin: 15 * time.Minute, IgnoreOlder: 2 * time.Hour,
		VerifyWindow: 60 * time.Second, VerifyTimeout: 30 * time.Minute, MaxActive: 100, MaxEvidence: 16, Retention: 30 * 24 * time.Hour,
		Decision: decision.Settings{BackoffInitial: 30 * time.Second, BackoffMax: 10 * time.Minute, BackoffMultiplier: 2, MaxAttempts: 3,
			ConfirmPatience: time.Minute, UpstreamPatience: 30 * time.Minute},
		Verification: verification.Settings{SignalTimeout: 2 * time.Minute, RowTolerance: 0.5},
	}
}

// world is an engine with a clock that only moves when told, and the lives of a
// DAG (extract → load) and its tables.
type world struct {
	*testing.T
	*Engine
	dir   string
	store store.Store
	set   Settings

	mu    sync.Mutex
	clock time.Time
	seq   int
}

func newWorld(t *testing.T, change ...func(*Settings)) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir(), clock: time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC), set: settings()}
	for _, c := range change {
		c(&w.set)
	}
	w.start()
	t.Cleanup(func() { _ = w.store.Close() })
	w.Register("exec", []action.Capability{
		{Action: action.AirflowClearTask, Platform: "airflow", Instance: "default", Act: []string{"*"}, Reachable: true},
		{Action: action.AirflowClearDownstream, Platform: "airflow", Instance: "default", Act: []string{"*"}, Reachable: true},
	})
	w.see(observation.Observation{Kind: observation.Lineage, Polarity: observation.Info, Entity: dag, Edges: []entity.Edge{
		{From: dag, To: extract, Relation: entity.Contains}, {From: dag, To: load, Relation: entity.Contains},
		{From: extract, To: load, Relation: entity.Precedes}, {From: extract, To: staging, Relation: entity.Writes},
		{From: staging, To: load, Relation: entity.ReadBy}, {From: load, To: orders, Relation: entity.Writes},
	}})
	return w
}

type noSigner struct{}

func (noSigner) Checkpoint(tx store.Tx, now time.Time) (store.Checkpoint, error) {
	size, err := tx.AuditSize()
	if err != nil {
		return store.Checkpoint{}, err
	}
	c := store.Checkpoint{Size: size, Signed: []byte(fmt.Sprintf("head %d", size)), At: now}
	return c, tx.PutCheckpoint(c)
}

func (w *world) start() {
	w.Helper()
	var err error
	w.store, err = sqlite.Open(w.dir, sqlite.Options{Now: w.now})
	require.NoError(w, err)
	policies, err := policy.Compile(policy.Defaults())
	require.NoError(w, err)
	w.Engine, err = New(w.Context(), Options{Store: w.store, Signer: noSigner{}, Dir: w.dir, Policies: policies, Settings: w.set, MaxEdges: 1000, Now: w.now, Logger: zap.NewNop()})
	require.NoError(w, err)
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// pass lets time pass, with a tick each second, and each step of it facts from
// the quality receiver when rows is not negative.
func (w *world) pass(d time.Duration) {
	w.Helper()
	for range int(d / time.Second) {
		w.mu.Lock()
		w.clock = w.clock.Add(time.Second)
		w.mu.Unlock()
		require.NoError(w, w.Tick(w.Context()))
	}
}

func (w *world) see(list ...observation.Observation) {
	w.Helper()
	for n := range list {
		w.seq++
		o := &list[n]
		if o.ID == "" {
			o.ID = strconv.Itoa(w.seq)
		}
		if o.Source == "" {
			o.Source = "airflow"
		}
		if o.Time.IsZero() {
			o.Time = w.now()
		}
		o.Received = w.now()
		for k := range o.Edges {
			o.Edges[k].Source, o.Edges[k].LastSeen = "airflow", w.now()
		}
	}
	require.NoError(w, w.Observe(w.Context(), list))
}

func run(job entity.Ref, id string, phase observation.Phase, try int) observation.Observation {
	task := job.Name[len("orders"):]
	r := &observation.Run{ID: "orders/" + id, Phase: phase, Attempt: try, Confirmed: true, Owner: "data-team", Target: &observation.Target{
		Kind: "airflow", Instance: "default", Coordinates: map[string]string{observation.AirflowDAG: "orders", observation.AirflowRun: id},
	}}
	if task != "" {
		r.ID += "/" + task[1:]
		r.Target.Coordinates[observation.AirflowTask] = task[1:]
	}
	polarity := observation.Info
	switch phase {
	case observation.PhaseSucceeded:
		polarity = observation.Recovery
	case observation.PhaseFailed, observation.PhaseUpstream:
		polarity = observation.Problem
	}
	return observation.Observation{Kind: observation.RunState, Polarity: polarity, Entity: job, Run: r}
}

func failed(job entity.Ref, id string, try int, class incident.Class) observation.Observation {
	o := run(job, id, observation.PhaseFailed, try)
	o.Error = &observation.Error{Type: "requests.exceptions.HTTPError", Message: "503 Server Error", Location: "orders.py:12"}
	o.Hypothesis = &observation.Hypothesis{Class: string(class), Confidence: .9, Rule: "r-" + string(class)}
	return o
}

// ended stamps a run with its end now.
func (w *world) ended(o observation.Observation) observation.Observation {
	o.Run.Ended = w.now()
	return o
}

func rows(ds entity.Ref, part string, n float64) observation.Observation {
	return observation.Observation{Kind: observation.Fact, Polarity: observation.Info, Source: "dataquality", Entity: ds,
		Fact: &observation.FactValue{Name: vocab.FactLoadRows, Part: part, Value: n}}
}

func total(ds entity.Ref, n float64) observation.Observation {
	return observation.Observation{Kind: observation.Fact, Polarity: observation.Info, Source: "dataquality", Entity: ds,
		Fact: &observation.FactValue{Name: vocab.FactRows, Value: n}}
}

// normal brings loads of a thousand rows, each by a run of its own.
func (w *world) normal(loads int) {
	w.Helper()
	for n := range loads {
		id := "normal" + strconv.Itoa(n)
		w.see(w.ended(run(extract, id, observation.PhaseSucceeded, 1)), w.ended(run(load, id, observation.PhaseSucceeded, 1)),
			rows(orders, id, 1000), total(orders, float64(1000*(n+1))))
		w.pass(10 * time.Second)
	}
}

func (w *world) incidents() []*incident.Incident {
	w.Helper()
	var list []*incident.Incident
	require.NoError(w, w.store.View(w.Context(), func(r store.Reader) error {
		var err error
		list, err = r.Incidents(store.IncidentFilter{})
		return err
	}))
	return list
}

func (w *world) only() *incident.Incident {
	w.Helper()
	list := w.incidents()
	require.Len(w, list, 1)
	return list[0]
}

func (w *world) lease() []action.Lease {
	w.Helper()
	l, err := w.Lease(w.Context(), "exec", 10, time.Minute)
	require.NoError(w, err)
	return l
}

// act carries out the one plan that is due.
func (w *world) act() action.Plan {
	w.Helper()
	leases := w.lease()
	require.Len(w, leases, 1)
	require.NoError(w, w.Begin(w.Context(), leases[0], action.Intent{Executor: "exec", Before: map[string]string{"state": "failed"}}))
	require.NoError(w, w.Complete(w.Context(), leases[0], action.Result{Status: action.Succeeded}))
	return leases[0].Plan
}

func (w *world) requireState(s incident.State, r incident.Reason) *incident.Incident {
	w.Helper()
	i := w.only()
	require.Equal(w, s, i.State, "%s: %s", i.Reason, i.Detail)
	require.Equal(w, r, i.Reason, i.Detail)
	return i
}
