package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/killswitch"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// records returns the kinds and actors of the audit log, without what the engine's start adds.
func (w *world) records() []string {
	w.Helper()
	var list []string
	require.NoError(w, w.store.View(w.Context(), func(r store.Reader) error {
		all, err := r.Audit(0, 1000)
		for _, a := range all {
			if a.Actor != "engine" {
				list = append(list, a.Actor+" "+a.Kind)
			}
		}
		return err
	}))
	return list
}

func TestASilenceHasToMakeSense(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, s := range map[string]store.Silence{
		"no pattern":      {End: w.now().Add(time.Hour), Comment: "c"},
		"a bad pattern":   {Match: "[", End: w.now().Add(time.Hour), Comment: "c"},
		"it is over":      {Match: "*", End: w.now(), Comment: "c"},
		"nobody says why": {Match: "*", End: w.now().Add(time.Hour)},
	} {
		_, err := w.Silence(w.Context(), "ann", s)
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	assert.Empty(t, w.records())
}

func TestASilenceBeginsAndEndsOnTheRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, err := w.Silence(w.Context(), "ann", store.Silence{ID: "mine", By: "someone else", Match: "job:default/orders*", End: w.now().Add(time.Hour), Comment: "c"})
	require.NoError(t, err)
	assert.Equal(t, "ann", s.By)
	assert.NotEqual(t, "mine", s.ID)
	w.see(failed(extract, "r1", 1, incident.TransientFailure))
	w.pass(10 * time.Second)
	w.requireState(incident.Suppressed, incident.ReasonSilenced)
	require.NoError(t, w.EndSilence(w.Context(), "bob", s.ID))
	require.ErrorIs(t, w.EndSilence(w.Context(), "bob", s.ID), store.ErrNotFound)
	w.pass(2 * time.Second)
	w.requireState(incident.Planned, incident.ReasonBackoff)
	assert.Equal(t, []string{"user:ann silence.add", "user:bob silence.end"}, w.records())
}

func TestTheKillSwitchIsOnTheRecordWhoeverUsesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.see(failed(extract, "r1", 1, incident.TransientFailure))
	w.pass(10 * time.Second)
	require.NoError(t, w.Pause(w.Context(), "ann", "migration"))
	require.NotNil(t, w.Status().Killed)
	require.NoError(t, w.Resume(w.Context(), "bob"))
	require.Nil(t, w.Status().Killed)
	// While the collector was down, by the command.
	require.NoError(t, killswitch.Pull(w.dir, killswitch.Pulled{By: "eve", At: w.now(), Reason: "r"}))
	w.pass(2 * time.Second)
	assert.Equal(t, "eve", w.Status().Killed.By)
	assert.Equal(t, []string{"user:ann killswitch.on", "user:bob killswitch.resume", "user killswitch.off", "user:eve killswitch.on"}, w.records())
	w.requireState(incident.Planned, incident.ReasonKillSwitch)
}

func TestWhatAPersonMayClose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	id := w.only().ID
	require.ErrorIs(t, w.Close(w.Context(), "ann", id, ""), ErrInvalid)
	l := w.lease()
	require.Len(t, l, 1)
	require.NoError(t, w.Begin(w.Context(), l[0], action.Intent{Executor: "exec"}))
	require.ErrorIs(t, w.Close(w.Context(), "ann", id, "known"), ErrInvalid, "its call is under way")
	require.NoError(t, w.Complete(w.Context(), l[0], action.Result{Status: action.Succeeded}))
	require.NoError(t, w.Close(w.Context(), "ann", id, "known"))
	i := w.requireState(incident.Resolved, incident.ReasonOperator)
	assert.Contains(t, i.Detail, "closed by ann: known")
	require.ErrorIs(t, w.Close(w.Context(), "ann", id, "again"), store.ErrNotFound)
}

func TestWhatWasClosedIsNotActedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	l := w.lease()
	require.Len(t, l, 1)
	require.NoError(t, w.Close(w.Context(), "ann", w.only().ID, "known"))
	require.ErrorIs(t, w.Begin(w.Context(), l[0], action.Intent{Executor: "exec"}), reliability.ErrStaleFence)
	w.pass(2 * time.Minute)
	assert.Empty(t, w.lease())
	w.requireState(incident.Resolved, incident.ReasonOperator)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.requireState(incident.Resolved, incident.ReasonOperator)
}
