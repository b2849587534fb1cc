package storetest

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

func seeOnce(t *testing.T, open Open) {
	c := newClock()
	s, reopen := open(t, Config{Now: c.Now, Bounds: store.Bounds{SeenRetention: time.Hour, MaxSeen: 4}})
	see := func(id string) (fresh bool) {
		update(t, s, func(tx store.Tx) (err error) {
			fresh, err = tx.See(id, c.Now())
			return err
		})
		return fresh
	}
	require.True(t, see("a"))
	require.False(t, see("a"))
	s = reopen()
	require.False(t, see("a"), "also after a restart")
	require.True(t, see("b"))

	c.add(2 * time.Hour)
	update(t, s, func(tx store.Tx) error {
		_, err := tx.Prune(c.Now().Add(-24 * time.Hour))
		return err
	})
	require.True(t, see("a"), "forgotten after its retention")
	for n := range 4 {
		c.add(time.Second)
		require.True(t, see(strconv.Itoa(n)))
	}
	require.True(t, see("a"), "the oldest goes at the bound")
	require.False(t, see("3"))
	require.Positive(t, read(t, s, store.Reader.Stats).Dropped["seen"])
}

func run(id string, minute int) store.RunRecord {
	return store.RunRecord{Job: load, Run: observation.Run{ID: id, Phase: observation.PhaseRunning, Started: at(minute)}, Source: "airflow", Time: at(minute), Received: at(minute)}
}

func runs(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{MaxRunsPerJob: 3})
	other := run("r1", 9)
	other.Job = orders
	update(t, s, func(tx store.Tx) error {
		for _, r := range []store.RunRecord{run("r1", 1), run("r3", 3), run("r2", 2), other} {
			if err := tx.PutRun(r); err != nil {
				return err
			}
		}
		return nil
	})
	of := func(limit int) (names []string) {
		for _, r := range read(t, s, func(r store.Reader) ([]store.RunRecord, error) { return r.Runs(load, limit) }) {
			names = append(names, r.Run.ID)
		}
		return names
	}
	require.Equal(t, []string{"r3", "r2", "r1"}, of(0))
	require.Equal(t, []string{"r3", "r2"}, of(2))
	changed := run("r1", 4)
	changed.Run.Phase = observation.PhaseFailed
	update(t, s, func(tx store.Tx) error { return tx.PutRun(changed) })
	require.Equal(t, []string{"r1", "r3", "r2"}, of(0))
	update(t, s, func(tx store.Tx) error { return tx.PutRun(run("r5", 5)) })
	require.Equal(t, []string{"r5", "r1", "r3"}, of(0), "the oldest goes at the bound")

	require.Equal(t, changed, read(t, s, func(r store.Reader) (store.RunRecord, error) { return r.RunByID("r1", load) }))
	require.Equal(t, other, read(t, s, func(r store.Reader) (store.RunRecord, error) { return r.RunByID("r1", entity.Ref{}) }), "the newest of any job")
	require.ErrorIs(t, s.View(t.Context(), func(r store.Reader) error {
		_, err := r.RunByID("r2", load)
		return err
	}), store.ErrNotFound)
}

func verdict(key string, active bool, minute int) observation.Observation {
	return observation.Observation{ID: key + strconv.Itoa(minute), Kind: observation.Anomaly, Entity: orders, Time: at(minute), Received: at(minute),
		Series: &observation.Series{Metric: rows, Key: key, Active: active, Reason: "drop", Value: float64(minute), Attributes: map[string]string{"k": "v"}}}
}

func anomaliesOf(t *testing.T, s store.Store) (keys []string) {
	t.Helper()
	for _, o := range read(t, s, func(r store.Reader) ([]observation.Observation, error) { return r.Anomalies(orders) }) {
		keys = append(keys, fmt.Sprintf("%s=%g", o.Series.Key, o.Series.Value))
	}
	return keys
}

func putVerdicts(t *testing.T, s store.Store, all ...observation.Observation) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		for _, o := range all {
			if err := tx.PutAnomaly(o); err != nil {
				return err
			}
		}
		return nil
	})
}

func anomalyActive(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	putVerdicts(t, s, verdict("b", true, 1), verdict("a", true, 1), verdict("c", false, 1))
	require.Equal(t, []string{"a=1", "b=1"}, anomaliesOf(t, s))
	require.Equal(t, verdict("a", true, 1), read(t, s, func(r store.Reader) ([]observation.Observation, error) { return r.Anomalies(orders) })[0])
	putVerdicts(t, s, verdict("b", true, 3), verdict("a", false, 2))
	require.Equal(t, []string{"b=3"}, anomaliesOf(t, s))
	late := verdict("b", false, 2)
	late.Received = at(4)
	putVerdicts(t, s, late)
	require.Equal(t, []string{"b=3"}, anomaliesOf(t, s), "an older verdict that comes late changes nothing")

	without := verdict("d", true, 1)
	without.Series = nil
	require.ErrorContains(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.PutAnomaly(without) }), "no series")
}

func anomalyBound(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{MaxAnomalies: 2})
	putVerdicts(t, s, verdict("a", true, 2), verdict("b", true, 1), verdict("c", true, 3))
	require.Equal(t, []string{"a=2", "c=3"}, anomaliesOf(t, s))
	require.Equal(t, int64(1), read(t, s, store.Reader.Stats).Dropped["anomalies"])
}

func outcomes(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{MaxOutcomes: 2})
	outcome := func(plan string, minute int) store.Outcome {
		return store.Outcome{PlanID: plan, IncidentID: "inc", Class: incident.TransientFailure, Action: action.AirflowClearTask, Resource: load, Verified: true, At: at(minute), Duration: time.Minute}
	}
	other := outcome("d", 9)
	other.Class = incident.UpstreamDelay
	update(t, s, func(tx store.Tx) error {
		for _, o := range []store.Outcome{outcome("a", 1), outcome("c", 3), outcome("b", 2), other} {
			if err := tx.PutOutcome(o); err != nil {
				return err
			}
		}
		return nil
	})
	get := func(r store.Reader) ([]store.Outcome, error) {
		return r.Outcomes(incident.TransientFailure, action.AirflowClearTask)
	}
	require.Equal(t, []store.Outcome{outcome("c", 3), outcome("b", 2)}, read(t, s, get))
	again := outcome("c", 3)
	again.Verified = false
	update(t, s, func(tx store.Tx) error { return tx.PutOutcome(again) })
	require.Equal(t, []store.Outcome{again, outcome("b", 2)}, read(t, s, get), "one outcome for a plan")
}
