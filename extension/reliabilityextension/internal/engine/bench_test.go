package engine

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/policy"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// plant is an engine with a clock of its own for measurements.
type plant struct {
	*Engine
	tb    testing.TB
	clock time.Time
	seq   int
}

func newPlant(tb testing.TB, maxActive int) *plant {
	tb.Helper()
	p := &plant{tb: tb, clock: time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)}
	dir := tb.TempDir()
	now := func() time.Time { return p.clock }
	s, err := sqlite.Open(dir, sqlite.Options{Now: now})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	policies, err := policy.Compile(policy.Defaults())
	require.NoError(tb, err)
	set := settings()
	set.MaxActive = maxActive
	p.Engine, err = New(tb.Context(), Options{Store: s, Signer: noSigner{}, Dir: dir, Policies: policies, Settings: set, MaxEdges: 200_000, Now: now, Logger: zap.NewNop()})
	require.NoError(tb, err)
	p.Register("exec", []action.Capability{
		{Action: action.AirflowClearTask, Platform: "airflow", Instance: "default", Act: []string{"*"}, Reachable: true},
		{Action: action.AirflowClearDownstream, Platform: "airflow", Instance: "default", Act: []string{"*"}, Reachable: true},
	})
	return p
}

func (p *plant) job(n int) entity.Ref {
	return entity.Ref{Kind: entity.Job, Namespace: "default", Name: "dag" + strconv.Itoa(n) + ".extract"}
}

func (p *plant) table(n int) entity.Ref {
	return entity.Ref{Kind: entity.Dataset, Namespace: "postgres://h:1", Name: "w.public.t" + strconv.Itoa(n)}
}

func (p *plant) run(n int, phase observation.Phase, polarity observation.Polarity, try int) observation.Observation {
	p.seq++
	job := p.job(n)
	dag := "dag" + strconv.Itoa(n)
	o := observation.Observation{
		ID: strconv.Itoa(p.seq), Kind: observation.RunState, Polarity: polarity, Source: "airflow", Entity: job, Time: p.clock, Received: p.clock,
		Run: &observation.Run{ID: dag + "/r1/extract", Phase: phase, Attempt: try, Confirmed: true, Target: &observation.Target{Kind: "airflow", Instance: "default",
			Coordinates: map[string]string{observation.AirflowDAG: dag, observation.AirflowRun: "r1", observation.AirflowTask: "extract"}}},
		Edges: []entity.Edge{
			{From: entity.Ref{Kind: entity.Job, Namespace: "default", Name: dag}, To: job, Relation: entity.Contains, Source: "airflow", LastSeen: p.clock},
			{From: job, To: p.table(n), Relation: entity.Writes, Source: "airflow", LastSeen: p.clock},
		},
	}
	if polarity == observation.Problem {
		o.Error = &observation.Error{Type: "HTTPError", Message: "503"}
		o.Hypothesis = &observation.Hypothesis{Class: string(incident.TransientFailure), Confidence: .9, Rule: "r"}
	}
	return o
}

func (p *plant) storm(jobs int) []observation.Observation {
	out := make([]observation.Observation, jobs)
	for n := range out {
		out[n] = p.run(n, observation.PhaseFailed, observation.Problem, 1)
	}
	return out
}

func (p *plant) facts(n int) []observation.Observation {
	out := make([]observation.Observation, n)
	for k := range out {
		p.seq++
		out[k] = observation.Observation{ID: strconv.Itoa(p.seq), Kind: observation.Fact, Polarity: observation.Info, Source: "dataquality",
			Entity: p.table(k), Time: p.clock, Received: p.clock, Fact: &observation.FactValue{Name: vocab.FactRows, Value: float64(p.seq)}}
	}
	return out
}

func (p *plant) observe(list []observation.Observation) {
	p.tb.Helper()
	for len(list) > 0 {
		n := min(1000, len(list))
		require.NoError(p.tb, p.Observe(p.tb.Context(), list[:n]))
		list = list[n:]
	}
}

func (p *plant) tick(d time.Duration) {
	p.tb.Helper()
	p.clock = p.clock.Add(d)
	require.NoError(p.tb, p.Tick(p.tb.Context()))
}

// to brings all incidents to a state.
func (p *plant) to(jobs int, state incident.State) {
	p.tb.Helper()
	if state == incident.Suppressed {
		_, err := p.Silence(p.tb.Context(), "ann", store.Silence{Match: "*", End: p.clock.Add(time.Hour), Comment: "storm"})
		require.NoError(p.tb, err)
	}
	p.observe(p.storm(jobs))
	if state == incident.Open {
		return
	}
	p.tick(6 * time.Second)
	if state == incident.Planned || state == incident.Suppressed {
		return
	}
	p.tick(31 * time.Second)
	leases, err := p.Lease(p.tb.Context(), "exec", jobs, time.Hour)
	require.NoError(p.tb, err)
	require.Len(p.tb, leases, jobs)
	for _, l := range leases {
		require.NoError(p.tb, p.Begin(p.tb.Context(), l, action.Intent{Executor: "exec"}))
		if state == incident.Verifying || state == incident.Escalated {
			status := action.Succeeded
			if state == incident.Escalated {
				status = action.Failed
			}
			require.NoError(p.tb, p.Complete(p.tb.Context(), l, action.Result{Status: status}))
		}
	}
}

func BenchmarkObserveFacts(b *testing.B) {
	for _, active := range []int{0, 1000} {
		b.Run(fmt.Sprintf("1000facts/%dincidents", active), func(b *testing.B) {
			p := newPlant(b, 2000)
			if active > 0 {
				p.to(active, incident.Planned)
			}
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				p.clock = p.clock.Add(time.Millisecond)
				list := p.facts(1000)
				b.StartTimer()
				p.observe(list)
			}
			b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "facts/s")
		})
	}
}

func BenchmarkObserveSuccesses(b *testing.B) {
	p := newPlant(b, 2000)
	p.to(1000, incident.Planned)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		list := make([]observation.Observation, 1000)
		for n := range list {
			list[n] = p.run(10_000+n, observation.PhaseSucceeded, observation.Recovery, 1)
		}
		b.StartTimer()
		p.observe(list)
	}
}

func BenchmarkStorm(b *testing.B) {
	for _, jobs := range []int{1000, 5000} {
		b.Run(strconv.Itoa(jobs), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				p := newPlant(b, 10_000)
				list := p.storm(jobs)
				b.StartTimer()
				p.observe(list)
			}
		})
	}
}

func BenchmarkTick(b *testing.B) {
	for _, state := range []incident.State{incident.Open, incident.Planned, incident.Acting, incident.Verifying, incident.Escalated, incident.Suppressed} {
		b.Run("1000/"+string(state), func(b *testing.B) {
			p := newPlant(b, 2000)
			p.to(1000, state)
			require.Equal(b, 1000, p.Status().Active[state])
			p.tick(time.Millisecond)
			b.ReportAllocs()
			for b.Loop() {
				p.tick(time.Millisecond)
			}
			require.Equal(b, 1000, p.Status().Active[state])
		})
	}
}
