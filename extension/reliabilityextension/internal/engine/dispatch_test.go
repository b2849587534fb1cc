package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
)

func TestACrashedExecutorIsTakenOverAndAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	first := w.lease()
	require.Len(t, first, 1)
	require.NoError(t, w.Begin(w.Context(), first[0], action.Intent{Executor: "exec", Before: map[string]string{"state": "failed"}}))
	assert.Empty(t, w.lease(), "it is held")

	require.NoError(t, w.store.Close())
	w.start()
	w.Register("exec", []action.Capability{{Action: action.AirflowClearDownstream, Platform: "airflow", Instance: "default", Act: []string{"*"}, Reachable: true}})
	require.NoError(t, w.Pause(w.Context(), "ann", "stop"))
	w.pass(61 * time.Second)
	second := w.lease()
	require.Len(t, second, 1, "what may have been sent must be looked into, also under the kill switch")
	require.NotNil(t, second[0].Prior)
	assert.Equal(t, "failed", second[0].Prior.Before["state"])

	require.ErrorIs(t, w.Begin(w.Context(), first[0], action.Intent{}), reliability.ErrStaleFence)
	require.ErrorIs(t, w.Complete(w.Context(), first[0], action.Result{Status: action.Succeeded}), reliability.ErrStaleFence)
	require.ErrorIs(t, w.Begin(w.Context(), second[0], action.Intent{}), reliability.ErrRefused, "no new call under the kill switch")
}

func TestBeginIsRefusedWhenTheWorldChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	l := w.lease()
	require.Len(t, l, 1)
	require.NoError(t, w.Pause(w.Context(), "ann", "stop"))
	require.ErrorIs(t, w.Begin(w.Context(), l[0], action.Intent{}), reliability.ErrRefused)
	require.NoError(t, w.Resume(w.Context(), "ann"))
	w.pass(6 * time.Second)
	w.act()
}

func TestNothingIsBegunThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	l := w.lease()
	require.NoError(t, w.store.Close())
	require.ErrorIs(t, w.Begin(w.Context(), l[0], action.Intent{}), reliability.ErrNotDurable)
	require.Error(t, w.Status().StoreError)
}

func TestOnePlanAtATimeForAResource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	w.act()
	w.pass(time.Second)
	// Another cause on the same job while the first is being verified.
	w.see(w.ended(failed(extract, "r2", 1, incident.UpstreamDelay)))
	w.pass(2 * time.Minute)
	assert.Empty(t, w.lease())
}
