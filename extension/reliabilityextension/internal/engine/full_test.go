package engine

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
)

// reopen starts the engine anew on a database of at most so many bytes; 0: no bound.
func (w *world) reopen(most int64) {
	w.Helper()
	policies := w.policies
	require.NoError(w, w.store.Close())
	var err error
	w.store, err = sqlite.Open(w.dir, sqlite.Options{Now: w.now, MaxBytes: most})
	require.NoError(w, err)
	w.Engine, err = New(w.Context(), Options{Store: w.store, Signer: noSigner{}, Dir: w.dir, Policies: policies, Settings: w.set, MaxEdges: 1000, Now: w.now, Logger: zap.NewNop()})
	require.NoError(w, err)
	w.Register("exec", []action.Capability{{Action: action.AirflowClearDownstream, Platform: "airflow", Instance: "default", Act: []string{"*"}, Reachable: true}})
}

func TestADatabaseAtItsBound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.normal(3)
	w.see(w.ended(failed(extract, "r1", 1, incident.TransientFailure)))
	w.pass(40 * time.Second)
	w.reopen(2 << 20)
	l := w.lease()
	require.Len(t, l, 1)

	var err error
	for n := 0; err == nil && n < 500; n++ {
		var many []observation.Observation
		for k := range 50 {
			many = append(many, observation.Observation{ID: strings.Repeat("x", 400) + strconv.Itoa(50*n+k), Kind: observation.Fact, Source: "dataquality",
				Entity: entity.Ref{Kind: entity.Dataset, Namespace: "n", Name: strings.Repeat("y", 400) + strconv.Itoa(50*n+k)}, Fact: &observation.FactValue{Name: "data.dataset.rows", Value: 1}})
		}
		err = w.Observe(w.Context(), many)
	}
	require.ErrorIs(t, err, store.ErrFull)
	require.ErrorIs(t, w.Status().StoreError, store.ErrFull)
	// A few small writes may still find room; what does not must not be acted on.
	err = w.Begin(w.Context(), l[0], action.Intent{Executor: "exec", Before: map[string]string{"note": strings.Repeat("z", 1<<20)}})
	require.ErrorIs(t, err, reliability.ErrNotDurable)
	require.ErrorIs(t, w.Status().StoreError, store.ErrFull)
	assert.Equal(t, incident.Planned, w.only().State)

	w.reopen(0)
	require.NoError(t, w.Status().StoreError)
	w.pass(61 * time.Second)
	w.act()
	w.pass(time.Second)
	w.requireState(incident.Verifying, incident.ReasonNotRecovered)
}
