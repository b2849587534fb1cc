package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

func prune(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	all := map[string]*incident.Incident{}
	for id, c := range map[string]struct {
		state  incident.State
		minute int
	}{
		"old-resolved": {incident.Resolved, 1}, "old-suppressed": {incident.Suppressed, 1}, "old-open": {incident.Open, 1},
		"old-escalated": {incident.Escalated, 1}, "new-resolved": {incident.Resolved, 9},
	} {
		i := newIncident(id, at(c.minute))
		i.State = c.state
		all[id] = i
		put(t, s, i)
		update(t, s, func(tx store.Tx) error {
			return tx.PutPlan(&action.Plan{ID: "plan-" + id, IncidentID: id, Status: action.Done, Created: at(c.minute)})
		})
	}
	update(t, s, func(tx store.Tx) error {
		for _, p := range []*action.Plan{
			{ID: "orphan-done", IncidentID: "gone", Status: action.Void, Created: at(1)},
			{ID: "orphan-begun", IncidentID: "gone", Status: action.Begun, Created: at(1)},
		} {
			if err := tx.PutPlan(p); err != nil {
				return err
			}
		}
		for _, id := range []string{"r-old", "r-new"} {
			minute := map[string]int{"r-old": 1, "r-new": 9}[id]
			if err := tx.PutRun(run(id, minute)); err != nil {
				return err
			}
			if _, err := tx.See(id, at(minute)); err != nil {
				return err
			}
			if err := tx.Touch(orders, id, at(minute)); err != nil {
				return err
			}
			if err := tx.PutSilence(store.Silence{ID: id, End: at(minute)}); err != nil {
				return err
			}
		}
		r := record(0)
		return tx.AppendAudit(&r)
	})
	putFacts(t, s, fact("old", "", 1, 1), fact("new", "", 1, 1), fact("new", "", 2, 9))
	putVerdicts(t, s, verdict("old", true, 1), verdict("new", true, 9))

	var n int
	update(t, s, func(tx store.Tx) (err error) {
		n, err = tx.Prune(at(5))
		return err
	})
	// 2 incidents, 3 plans; fact, its point, run, verdict, touch, silence and seen ID once each.
	require.Equal(t, 12, n)
	require.Equal(t, []string{"new-resolved", "old-open", "old-escalated"}, ids(read(t, s, func(r store.Reader) ([]*incident.Incident, error) {
		return r.Incidents(store.IncidentFilter{})
	})))
	var plans []string
	for _, p := range read(t, s, func(r store.Reader) ([]*action.Plan, error) { return r.Plans(store.PlanFilter{}) }) {
		plans = append(plans, p.ID)
	}
	require.Equal(t, []string{"orphan-begun", "plan-old-escalated", "plan-old-open", "plan-new-resolved"}, plans)
	require.Len(t, factsOf(t, s, orders), 1)
	require.Len(t, history(t, s, "new"), 2, "the history of a fact that is still heard of stays")
	require.Empty(t, history(t, s, "old"))
	require.Equal(t, []string{"new=9"}, anomaliesOf(t, s))
	view(t, s, func(r store.Reader) {
		runs, err := r.Runs(load, 0)
		require.NoError(t, err)
		require.Equal(t, []store.RunRecord{run("r-new", 9)}, runs)
		seen, err := r.LastSeen(orders, "r-old")
		require.NoError(t, err)
		require.True(t, seen.IsZero())
		silences, err := r.Silences(at(2))
		require.NoError(t, err)
		require.Len(t, silences, 1)
		size, err := r.AuditSize()
		require.NoError(t, err)
		require.Equal(t, int64(1), size, "the audit log is not pruned")
	})
	update(t, s, func(tx store.Tx) error {
		old, err := tx.See("r-old", at(10))
		require.NoError(t, err)
		require.True(t, old)
		fresh, err := tx.See("r-new", at(10))
		require.False(t, fresh)
		n, _ := tx.Prune(at(5))
		require.Zero(t, n, "nothing is left to drop")
		return err
	})
	require.Equal(t, observation.PhaseRunning, read(t, s, func(r store.Reader) (store.RunRecord, error) { return r.RunByID("r-new", load) }).Run.Phase)
}

func stats(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	put(t, s, newIncident("a", at(0)))
	st := read(t, s, store.Reader.Stats)
	require.Positive(t, st.Bytes)
	require.Equal(t, int64(1), st.Outbox)
	require.Equal(t, map[string]int64{"facts": 0, "edges": 0, "anomalies": 0, "touches": 0, "seen": 0, "outbox": 0}, st.Dropped)
}
