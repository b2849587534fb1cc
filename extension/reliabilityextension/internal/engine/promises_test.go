package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// allowed are the transitions of the design, with what it leaves to words: a plan
// that the world has made void, and an incident whose next step has to wait, are
// open again; a silence that ends leads back to where its incident belongs; a
// person may close anything that is not acting.
var allowed = map[incident.State][]incident.State{
	incident.Open:       {incident.Planned, incident.Verifying, incident.Escalated, incident.Suppressed, incident.Resolved},
	incident.Planned:    {incident.Acting, incident.Verifying, incident.Escalated, incident.Suppressed, incident.Open, incident.Resolved},
	incident.Acting:     {incident.Verifying, incident.Escalated, incident.Open},
	incident.Verifying:  {incident.Resolved, incident.Planned, incident.Open, incident.Escalated, incident.Suppressed},
	incident.Escalated:  {incident.Verifying, incident.Resolved},
	incident.Resolved:   {incident.Open},
	incident.Suppressed: {incident.Open, incident.Verifying},
}

// begin checks what must not succeed before it lets it happen.
func (m *machine) begin(l action.Lease, stale bool) bool {
	ctx := context.Background()
	silenced := false
	var i *incident.Incident
	var p *action.Plan
	require.NoError(m.t, m.store.View(ctx, func(r store.Reader) (err error) {
		if p, err = r.Plan(l.Plan.ID); err != nil {
			return err
		}
		if i, err = r.Incident(p.IncidentID); err != nil {
			return err
		}
		silences, err := r.Silences(m.clock)
		silenced = len(silences) > 0
		return err
	}))
	err := m.engine.Begin(ctx, l, action.Intent{Executor: l.Plan.LeasedBy, Before: map[string]string{"state": "failed"}})
	if err != nil {
		if !errors.Is(err, reliability.ErrRefused) && !errors.Is(err, reliability.ErrStaleFence) {
			m.t.Fatalf("begin: %v", err)
		}
		return false
	}
	switch {
	case m.paused():
		m.t.Fatalf("begun under the kill switch")
	case silenced:
		m.t.Fatalf("begun under a silence")
	case stale, p.Fence != l.Fence:
		m.t.Fatalf("begun with a stale fence")
	case i.State == incident.Resolved || i.State == incident.Suppressed:
		m.t.Fatalf("begun for an incident that is %s", i.State)
	case !slices.Contains([]incident.Class{incident.TransientFailure, incident.DataQualityBreach, incident.UpstreamDelay}, i.Class):
		m.t.Fatalf("begun for %s", i.Class)
	}
	m.begun[p.ID] = true
	// The clear takes effect: the run is tried again, and comes through or not.
	for _, life := range m.lives {
		for _, r := range life.runs {
			if life.name == p.Target.Coordinates[observation.AirflowDAG] && r.id == p.Target.Coordinates[observation.AirflowRun] {
				r.tries++
			}
		}
	}
	return true
}

// supersede forgets every lease that somebody else holds by now.
func (m *machine) supersede() {
	m.old = append(m.old, m.leases...)
	m.leases = nil
}

func (m *machine) check() {
	ctx := context.Background()
	// The audit log holds, and knows of each intent.
	intents := m.intents
	require.NoError(m.t, m.store.View(ctx, func(r store.Reader) error {
		for {
			records, err := r.Audit(m.audited, 1000)
			if err != nil || len(records) == 0 {
				return err
			}
			for _, a := range records {
				if a.Kind == "plan.intent" {
					intents[a.Subject] = true
				}
			}
			m.audited += int64(len(records))
		}
	}))
	under := map[entity.Ref]string{}
	require.NoError(m.t, m.store.View(ctx, func(r store.Reader) error {
		plans, err := r.Plans(store.PlanFilter{})
		for _, p := range plans {
			if p.Intent != nil && !intents[p.ID] {
				m.t.Fatalf("plan %s was begun without a record", p.ID)
			}
			if p.Status != action.Begun {
				continue
			}
			if other, ok := under[p.Resource]; ok {
				m.t.Fatalf("%s and %s are begun on %s", other, p.ID, p.Resource)
			}
			under[p.Resource] = p.ID
		}
		return err
	}))
	for id := range m.begun {
		if !intents[id] {
			m.t.Fatalf("plan %s was begun without a record", id)
		}
	}
	m.deliver(false)
}

// deliver takes what the outbox has, in order, and looks at each transition.
func (m *machine) deliver(failing bool) {
	ctx := context.Background()
	for {
		more, err := m.engine.deliverOnce(ctx, "sink", func(_ context.Context, l plog.Logs) error {
			if failing {
				return errors.New("the sink fails")
			}
			return nil
		})
		if failing {
			return
		}
		require.NoError(m.t, err)
		if !more {
			return
		}
	}
}

// transitions looks at the whole outbox of a subscriber that has acknowledged nothing.
func (m *machine) transitions() {
	require.NoError(m.t, m.store.View(context.Background(), func(r store.Reader) error {
		list, err := r.Outbox("witness", 10000)
		if err != nil {
			return err
		}
		for _, tr := range list {
			if tr.Sequence <= m.lastQ {
				continue
			}
			m.lastQ = tr.Sequence
			i := tr.Incident
			if i.Version != m.got[i.ID]+1 {
				m.t.Fatalf("incident %s: version %d after %d", i.ID, i.Version, m.got[i.ID])
			}
			m.got[i.ID] = i.Version
			if tr.From != i.State && !slices.Contains(allowed[tr.From], i.State) {
				m.t.Fatalf("incident %s: %s → %s (%s: %s)", i.ID, tr.From, i.State, i.Reason, i.Detail)
			}
			if i.State == incident.Resolved && tr.From != incident.Resolved && i.Reason != incident.ReasonOperator {
				m.closed(r, i)
			}
		}
		return nil
	}))
	require.NoError(m.t, m.store.Update(context.Background(), func(tx store.Tx) error { return tx.Delivered("witness", m.lastQ) }))
}

// closed: nothing that the incident watches may be in trouble.
func (m *machine) closed(r store.Reader, i incident.Incident) {
	for _, f := range i.FailedRuns() {
		rec, err := r.RunByID(f.Run.ID, f.Job)
		require.NoError(m.t, err)
		if rec.Run.Phase != observation.PhaseSucceeded || !rec.Run.Confirmed {
			m.t.Fatalf("incident %s closed while run %s is %s", i.ID, f.Run.ID, rec.Run.Phase)
		}
	}
	for _, c := range i.Verification.Conditions {
		if !c.Holds {
			m.t.Fatalf("incident %s closed while %s: %s", i.ID, c.Name, c.Detail)
		}
	}
	for _, l := range m.lives {
		if i.Root != l.extract && i.Root != l.load && i.Root != l.table {
			continue
		}
		facts, err := r.Facts(l.table)
		require.NoError(m.t, err)
		var last time.Time
		for _, f := range facts {
			if f.Received.After(last) {
				last = f.Received
			}
		}
		if i.Closed.Sub(last) > m.set.Verification.SignalTimeout {
			m.t.Fatalf("incident %s closed while %s is silent since %s", i.ID, l.table, last)
		}
		for _, run := range l.runs {
			owed := slices.ContainsFunc(i.FailedRuns(), func(f incident.FailedRun) bool { return f.Run.ID == l.name+"/"+run.id+"/extract" })
			if owed && !run.loaded {
				m.t.Fatalf("incident %s closed while run %s owes its rows", i.ID, run.id)
			}
		}
	}
}

func (m *machine) plan(id string) (p *action.Plan) {
	require.NoError(m.t, m.store.View(context.Background(), func(r store.Reader) (err error) {
		p, err = r.Plan(id)
		return err
	}))
	return p
}
