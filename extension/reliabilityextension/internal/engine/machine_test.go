package engine

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/audit"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

func (m *machine) actions() map[string]func(*rapid.T) {
	ctx := context.Background()
	return map[string]func(*rapid.T){
		"run": func(t *rapid.T) { m.newRun(m.life(t), "") },
		"failure": func(t *rapid.T) {
			m.newRun(m.life(t), rapid.SampledFrom(incident.Classes()).Draw(t, "class"))
		},
		"transient": func(t *rapid.T) { m.newRun(m.life(t), incident.TransientFailure) },
		"hearsay": func(t *rapid.T) {
			l := m.life(t)
			r := &dagRunModel{id: "r" + strconv.Itoa(len(l.runs)), tries: 1, class: incident.TransientFailure, failed: true}
			l.runs = append(l.runs, r)
			o := m.task(l, l.extract, r, observation.PhaseFailed, 1)
			o.Run.Confirmed, o.Source = false, "openlineage"
			m.see(o)
			if rapid.Bool().Draw(t, "retrying") {
				m.see(m.task(l, l.extract, r, observation.PhaseRetrying, 1))
			}
		},
		"dag fails": func(t *rapid.T) {
			l := m.life(t)
			for _, r := range m.broken(l) {
				o := m.task(l, l.extract, r, observation.PhaseFailed, 0)
				o.Entity, o.Run.ID, o.Error, o.Hypothesis = l.dag, l.name+"/"+r.id, nil, nil
				o.Run.Target = &observation.Target{Kind: "airflow", Instance: "default", Coordinates: map[string]string{observation.AirflowDAG: l.name, observation.AirflowRun: r.id}}
				m.see(o)
			}
		},
		"again": func(t *rapid.T) {
			l := m.life(t)
			for _, r := range m.broken(l) {
				if r.tries > 1 {
					m.see(m.task(l, l.extract, r, observation.PhaseFailed, r.tries))
				}
			}
		},
		"recover": func(t *rapid.T) {
			l := m.life(t)
			for _, r := range m.broken(l) {
				r.tries = max(r.tries, 2)
				m.succeed(l, r)
				break
			}
		},
		"load fails behind it": func(t *rapid.T) {
			l := m.life(t)
			for _, r := range m.broken(l) {
				r.tries = max(r.tries, 2)
				m.see(m.task(l, l.extract, r, observation.PhaseSucceeded, r.tries), m.task(l, l.load, r, observation.PhaseFailed, 1))
				break
			}
		},
		"measure": func(t *rapid.T) {
			for _, l := range m.lives {
				m.measure(l)
			}
		},
		"receiver off or on": func(t *rapid.T) { l := m.life(t); l.measured = !l.measured },
		"bad load": func(t *rapid.T) {
			l := m.life(t)
			r := l.runs[0]
			if r.failed || r.badLoad {
				return
			}
			r.badLoad, l.anomalous = true, true
			m.loadFact(l, r, 100)
			m.anomaly(l, r, true)
		},
		"repeat and reorder": func(t *rapid.T) {
			if len(m.sent) > 0 {
				at := rapid.IntRange(max(0, len(m.sent)-20), len(m.sent)-1).Draw(t, "at")
				require.NoError(m.t, m.engine.Observe(ctx, []observation.Observation{m.sent[at], m.sent[at]}))
			}
		},
		"short": func(t *rapid.T) { m.pass(time.Duration(rapid.IntRange(1, 10).Draw(t, "s")) * time.Second) },
		"while": func(t *rapid.T) { m.pass(time.Duration(rapid.IntRange(10, 120).Draw(t, "s")) * time.Second) },
		"long":  func(t *rapid.T) { m.pass(time.Duration(rapid.IntRange(1, 40).Draw(t, "min")) * time.Minute) },
		"back":  func(t *rapid.T) { m.pass(-time.Duration(rapid.IntRange(1, 3600).Draw(t, "s")) * time.Second) },
		"silence": func(t *rapid.T) {
			_, err := m.engine.Silence(ctx, "ann", store.Silence{Match: "*", End: m.clock.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "s")) * time.Second), Comment: "c"})
			require.NoError(m.t, err)
		},
		"pause":  func(t *rapid.T) { require.NoError(m.t, m.engine.Pause(ctx, "ann", "why")) },
		"resume": func(t *rapid.T) { require.NoError(m.t, m.engine.Resume(ctx, "ann")) },
		"close": func(t *rapid.T) {
			for _, i := range m.incidents() {
				if !i.Terminal() && i.State != incident.Acting && rapid.IntRange(0, 9).Draw(t, "which") == 0 {
					require.NoError(m.t, m.engine.Close(ctx, "ann", i.ID, "known"))
					return
				}
			}
		},
		"act": func(t *rapid.T) {
			for range 5 {
				m.pass(8 * time.Second)
			}
			got, err := m.engine.Lease(ctx, "a", 10, time.Minute)
			require.NoError(m.t, err)
			for _, l := range got {
				if !m.begin(l, false) || rapid.IntRange(0, 4).Draw(t, "dies") == 0 {
					m.leases = append(m.leases, l)
					continue
				}
				require.NoError(m.t, m.engine.Complete(ctx, l, action.Result{Status: action.Succeeded}))
			}
			m.pass(time.Second)
		},
		"lease": func(t *rapid.T) {
			who := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "executor")
			got, err := m.engine.Lease(ctx, who, rapid.IntRange(1, 3).Draw(t, "most"), time.Duration(rapid.IntRange(10, 120).Draw(t, "ttl"))*time.Second)
			require.NoError(m.t, err)
			for _, l := range got {
				m.leases = slices.DeleteFunc(m.leases, func(x action.Lease) bool {
					if x.Plan.ID == l.Plan.ID {
						m.old = append(m.old, x)
						return true
					}
					return false
				})
				m.leases = append(m.leases, l)
			}
		},
		"begin": func(t *rapid.T) {
			if len(m.leases) > 0 {
				m.begin(m.leases[rapid.IntRange(0, len(m.leases)-1).Draw(t, "lease")], false)
			}
		},
		"stale": func(t *rapid.T) {
			if len(m.old) > 0 {
				l := m.old[rapid.IntRange(0, len(m.old)-1).Draw(t, "lease")]
				m.begin(l, true)
				before := m.plan(l.Plan.ID)
				if err := m.engine.Complete(ctx, l, action.Result{Status: action.Succeeded}); err != nil {
					require.ErrorIs(m.t, err, reliability.ErrStaleFence)
				}
				require.Equal(m.t, before, m.plan(l.Plan.ID), "who holds nothing changes nothing")
			}
		},
		"complete": func(t *rapid.T) {
			if len(m.leases) == 0 {
				return
			}
			at := rapid.IntRange(0, len(m.leases)-1).Draw(t, "lease")
			l := m.leases[at]
			m.leases = slices.Delete(m.leases, at, at+1)
			res := action.Result{Status: action.VoidWorld, Why: rapid.SampledFrom([]string{"retry_pending", "running", "already_succeeded", "paused", "gone", "changed"}).Draw(t, "why")}
			if m.begun[l.Plan.ID] {
				res = action.Result{Status: rapid.SampledFrom([]action.ResultStatus{action.Succeeded, action.Succeeded, action.Succeeded, action.Failed, action.Unclear}).Draw(t, "status")}
			}
			if err := m.engine.Complete(ctx, l, res); err != nil {
				require.ErrorIs(m.t, err, reliability.ErrStaleFence)
			}
		},
		"release": func(t *rapid.T) {
			if len(m.leases) == 0 {
				return
			}
			l := m.leases[0]
			m.leases = m.leases[1:]
			m.old = append(m.old, l)
			err := m.engine.Release(ctx, l, string(rapid.SampledFrom([]incident.Reason{incident.ReasonPlatformDown, incident.ReasonCooldown}).Draw(t, "why")), time.Duration(rapid.IntRange(0, 60).Draw(t, "wait"))*time.Second)
			if err != nil {
				require.ErrorIs(m.t, err, reliability.ErrStaleFence)
			}
		},
		"sink fails": func(t *rapid.T) { m.deliver(true) },
		"checkpoint": func(t *rapid.T) { require.NoError(m.t, m.engine.Checkpoint(ctx)) },
		"die": func(t *rapid.T) {
			require.NoError(m.t, m.store.Close())
			m.start()
		},
		"recover all": func(*rapid.T) {
			for _, l := range m.lives {
				for _, r := range m.broken(l) {
					r.tries = max(r.tries, 2)
					m.succeed(l, r)
				}
			}
			for range 8 {
				m.pass(10 * time.Second)
				for _, l := range m.lives {
					m.measure(l)
				}
			}
		},
		"": func(*rapid.T) {
			m.check()
			m.transitions()
		},
	}
}

// heal makes everything well, and looks whether all incidents end.
func (m *machine) heal() {
	ctx := context.Background()
	require.NoError(m.t, m.engine.Resume(ctx, "ann"))
	for _, l := range m.leases {
		if err := m.engine.Complete(ctx, l, action.Result{Status: action.Succeeded}); err != nil {
			require.ErrorIs(m.t, err, reliability.ErrStaleFence)
		}
	}
	m.supersede()
	m.clock = m.clock.Add(3 * time.Hour) // silences and leases have run out, clocks are right again
	for n := range 200 {
		if n%5 == 0 {
			for _, l := range m.lives {
				l.measured = true
				for _, r := range l.runs {
					if n == 0 {
						r.tries += 10
						m.succeed(l, r)
						m.loadFact(l, r, 1000)
						if l.anomalous {
							m.anomaly(l, r, false)
						}
					}
				}
				m.measure(l)
			}
		}
		leases, err := m.engine.Lease(ctx, "a", 10, time.Minute)
		require.NoError(m.t, err)
		for _, l := range leases {
			require.NoError(m.t, m.engine.Complete(ctx, l, action.Result{Status: action.VoidWorld, Why: "already_succeeded"}))
		}
		m.pass(10 * time.Second)
		m.transitions()
		if !slices.ContainsFunc(m.incidents(), func(i *incident.Incident) bool { return i.State != incident.Resolved && i.State != incident.Escalated }) {
			return
		}
	}
	for _, i := range m.incidents() {
		if i.State != incident.Resolved && i.State != incident.Escalated {
			raw, err := json.MarshalIndent(i, "", " ")
			require.NoError(m.t, err)
			m.t.Fatalf("incident %s never ends: %s %s %s\n%s", i.ID, i.State, i.Reason, i.Detail, raw)
		}
	}
}

func (m *machine) verifyAudit() {
	require.NoError(m.t, m.store.View(context.Background(), func(r store.Reader) error {
		report, err := audit.Verify(context.Background(), r, m.signer.Verifier(), nil)
		if err == nil && !report.OK() {
			m.t.Fatalf("the audit log does not verify: %+v", report.Problems)
		}
		return err
	}))
}

func TestNothingThatCanHappenBreaksThePromises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(rt, t.TempDir())
		defer func() { _ = m.store.Close() }()
		m.transitions()
		rt.Repeat(m.actions())
		m.heal()
		m.check()
		require.NoError(rt, m.engine.Checkpoint(context.Background()))
		m.verifyAudit()
	})
}
