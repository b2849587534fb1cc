package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

func incidentRoundTrip(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	full := newIncident("inc-1", at(1))
	full.Reason, full.Detail, full.Confidence, full.Rule = incident.ReasonBackoff, "waits “a while”", 0.75, "http_5xx"
	full.RootRun = &observation.Run{ID: "shop/r1", Phase: observation.PhaseFailed, Attempt: 2, Inputs: []entity.Ref{orders}}
	full.Observed, full.AtRisk = []entity.Ref{orders, load}, []entity.Ref{load}
	full.Evidence = []incident.Evidence{{Observation: observation.Observation{ID: "o1", Entity: load, Time: at(0), Received: at(1), Attributes: map[string]string{"b": "2", "a": "1"}}, Count: 3, LastSeen: at(2)}}
	full.Decision = &incident.Decision{At: at(2), Chosen: "wait", Alternatives: []incident.Alternative{{Name: "wait", Score: -1.5, Reasons: []string{"r"}}}}
	full.Verification = &incident.Verification{Since: at(3), Window: time.Minute, Conditions: []incident.Condition{{Name: "rows_arrived", Entity: orders, Owed: 1000}}}
	put(t, s, full)
	require.Equal(t, int64(1), full.Version)

	require.Equal(t, full, read(t, s, func(r store.Reader) (*incident.Incident, error) { return r.Incident("inc-1") }))
	require.ErrorIs(t, s.View(t.Context(), func(r store.Reader) error {
		_, err := r.Incident("inc-2")
		return err
	}), store.ErrNotFound)
}

func incidentConflict(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	i := newIncident("inc-1", at(0))
	put(t, s, i)
	stale := *i
	put(t, s, i)
	for name, version := range map[string]int64{"older": stale.Version, "new": 0, "from the future": 7} {
		wrong := *i
		wrong.Version = version
		wrong.Title = name
		require.ErrorIs(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.PutIncident(&wrong, "") }), store.ErrConflict, name)
		require.Equal(t, version, wrong.Version, name)
	}
	unknown := newIncident("inc-2", at(0))
	unknown.Version = 1
	require.ErrorIs(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.PutIncident(unknown, "") }), store.ErrConflict)

	got := read(t, s, func(r store.Reader) (*incident.Incident, error) { return r.Incident("inc-1") })
	require.Equal(t, "orders", got.Title)
	require.Equal(t, int64(2), got.Version)
	require.Len(t, read(t, s, func(r store.Reader) ([]store.Transition, error) { return r.Outbox("x", 0) }), 2, "what was refused is not sent")
}

func incidentFilters(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	a, b, c, d := newIncident("inc-a", at(1)), newIncident("inc-b", at(3)), newIncident("inc-c", at(2)), newIncident("inc-d", at(3))
	b.State, c.Root, d.State = incident.Resolved, load, incident.Acting
	put(t, s, a, b, c, d)
	for name, f := range map[string]struct {
		filter store.IncidentFilter
		want   []string
	}{
		"all":         {store.IncidentFilter{}, []string{"inc-d", "inc-b", "inc-c", "inc-a"}},
		"limit":       {store.IncidentFilter{Limit: 2}, []string{"inc-d", "inc-b"}},
		"one state":   {store.IncidentFilter{States: []incident.State{incident.Open}}, []string{"inc-c", "inc-a"}},
		"two states":  {store.IncidentFilter{States: []incident.State{incident.Resolved, incident.Acting}}, []string{"inc-d", "inc-b"}},
		"root":        {store.IncidentFilter{Root: load}, []string{"inc-c"}},
		"since":       {store.IncidentFilter{Since: at(2)}, []string{"inc-d", "inc-b", "inc-c"}},
		"all of them": {store.IncidentFilter{States: []incident.State{incident.Open}, Root: orders, Since: at(1), Limit: 5}, []string{"inc-a"}},
		"none":        {store.IncidentFilter{States: []incident.State{incident.Suppressed}}, nil},
	} {
		require.Equal(t, f.want, ids(read(t, s, func(r store.Reader) ([]*incident.Incident, error) { return r.Incidents(f.filter) })), name)
	}
	// A change moves it, and is found by its new state.
	a.State, a.Updated = incident.Escalated, at(9)
	put(t, s, a)
	require.Equal(t, []string{"inc-a"}, ids(read(t, s, func(r store.Reader) ([]*incident.Incident, error) {
		return r.Incidents(store.IncidentFilter{Limit: 1})
	})))
	require.Equal(t, []string{"inc-c"}, ids(read(t, s, func(r store.Reader) ([]*incident.Incident, error) {
		return r.Incidents(store.IncidentFilter{States: []incident.State{incident.Open}})
	})))
}

func planFilters(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	plan := func(id, of string, minute int, status action.Status, on entity.Ref) *action.Plan {
		return &action.Plan{ID: id, IncidentID: of, Created: at(minute), Status: status, Resource: on, Action: action.AirflowClearTask,
			Target: observation.Target{Kind: "airflow", Instance: "default", Coordinates: map[string]string{observation.AirflowDAG: "shop"}}}
	}
	full := plan("plan-b", "inc-1", 1, action.Begun, load)
	full.Intent = &action.Intent{At: at(2), Executor: "e", Before: map[string]string{"state": "failed"}}
	full.Fence, full.LeaseUntil, full.Params = 3, at(5), map[string]string{"x": "y"}
	update(t, s, func(tx store.Tx) error {
		for _, p := range []*action.Plan{plan("plan-c", "inc-1", 2, action.Pending, load), full, plan("plan-a", "inc-2", 1, action.Done, orders)} {
			if err := tx.PutPlan(p); err != nil {
				return err
			}
		}
		return nil
	})
	require.Equal(t, full, read(t, s, func(r store.Reader) (*action.Plan, error) { return r.Plan("plan-b") }))
	require.ErrorIs(t, s.View(t.Context(), func(r store.Reader) error {
		_, err := r.Plan("plan-z")
		return err
	}), store.ErrNotFound)
	for name, f := range map[string]struct {
		filter store.PlanFilter
		want   []string
	}{
		"all":      {store.PlanFilter{}, []string{"plan-a", "plan-b", "plan-c"}},
		"incident": {store.PlanFilter{IncidentID: "inc-1"}, []string{"plan-b", "plan-c"}},
		"status":   {store.PlanFilter{Statuses: []action.Status{action.Done, action.Pending}}, []string{"plan-a", "plan-c"}},
		"resource": {store.PlanFilter{Resource: load}, []string{"plan-b", "plan-c"}},
		"since":    {store.PlanFilter{Since: at(2)}, []string{"plan-c"}},
		"none":     {store.PlanFilter{IncidentID: "inc-1", Resource: orders}, nil},
	} {
		var got []string
		for _, p := range read(t, s, func(r store.Reader) ([]*action.Plan, error) { return r.Plans(f.filter) }) {
			got = append(got, p.ID)
		}
		require.Equal(t, f.want, got, name)
	}
	full.Status = action.Done
	update(t, s, func(tx store.Tx) error { return tx.PutPlan(full) })
	require.Len(t, read(t, s, func(r store.Reader) ([]*action.Plan, error) {
		return r.Plans(store.PlanFilter{Statuses: []action.Status{action.Done}})
	}), 2)
}
