package scenarios

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/collector"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/oracle"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/source"
)

const normalLoads = 55

// A load brings a tenth of its rows while every task succeeds. No rule names
// it; the detector finds it, the upstream is run again, and the same series verifies it.
func TestTenthOfTheRows(t *testing.T) {
	t.Parallel()
	r, w := shared, shared.common(t)
	run := r.tenth(t, "shoes")
	found := w.await(t, time.Minute, "shoes")
	band(t, &found)
	i := w.await(t, 3*time.Minute, "shoes", "resolved", "escalated")
	if i.State != "resolved" || i.Class != "data_quality_breach" {
		t.Fatalf("%s (%s), class %s: %s", i.State, i.Reason, i.Class, i.Detail)
	}
	proofs(t, &i, "series_recovered")
	must(t, oracle.Hold(t.Context(), hold, func(ctx context.Context) error { return r.refilled(ctx, "shoes", run, 1+calls(&i)) }))
	r.pace(t, &i, "shoes", run.ID, "extract")
}

// Without the detector nothing names the short load, so nothing heals it: what
// TestTenthOfTheRows asserts does not come true.
func TestTenthOfTheRowsWithoutDetector(t *testing.T) {
	t.Parallel()
	r := shared
	w := r.own(t, options{Name: "undetecting", Quality: true, Act: true, DAGs: []string{"plain*"}, Schemas: []string{"plain"}})
	run := r.tenth(t, "plain")
	err := oracle.Hold(t.Context(), 90*time.Second, func(ctx context.Context) error {
		if r.refilled(ctx, "plain", run, 2) == nil {
			return errors.New("it was healed without the detector")
		}
		list, err := w.incidents(ctx, "plain")
		if err != nil {
			return err
		}
		for _, i := range list {
			if i.State == "resolved" {
				return fmt.Errorf("%s is resolved without the detector: %s", i.ID, i.Detail)
			}
		}
		return r.tried(ctx, "plain", run.ID, map[string]int{"extract": 1, "load": 1})
	})
	must(t, err)
}

// tenth makes normal loads, then one of a tenth, and mends the source.
func (r *rig) tenth(t *testing.T, schema string) oracle.Run {
	t.Helper()
	ctx := within(t, 8*time.Minute)
	must(t, r.airflow.Trigger(ctx, schema+"_history", "normal", map[string]any{"loads": normalLoads, "pace": 2.5}))
	_, err := r.airflow.WaitRun(ctx, schema+"_history", "normal", "success")
	must(t, err)
	for _, id := range []string{"first", "second"} {
		must(t, r.whole(ctx, schema, r.load(t, schema, id, "success", nil), "staging", "orders"))
	}
	loads, err := r.warehouse.Loads(ctx, schema, "orders")
	must(t, err)
	if loads < 50 {
		t.Fatalf("only %d normal loads", loads)
	}
	// The last normal load has to be seen as complete before the short one comes.
	time.Sleep(5 * time.Second)
	r.source.Set(schema, source.Tenth)
	run := r.load(t, schema, "short", "success", nil)
	r.source.Set(schema, source.Normal)
	got, err := r.warehouse.Load(ctx, schema, "orders", run.Load)
	must(t, err)
	if owed := len(r.source.Rows(schema, run.Load)); got.Rows != owed/10 {
		t.Fatalf("the short load has %d rows, want a tenth of %d", got.Rows, owed)
	}
	return run
}

func (r *rig) refilled(ctx context.Context, schema string, run oracle.Run, tries int) error {
	return errors.Join(
		r.healed(ctx, schema, run.ID, map[string]int{"extract": tries}),
		r.whole(ctx, schema, run, "staging", "orders"))
}

// band checks that the incident shows the series with its value outside the band.
func band(t *testing.T, i *collector.Incident) {
	t.Helper()
	for _, e := range i.Evidence {
		s := e.Observation.Series
		if s != nil && s.Metric == "data.dataset.load.rows" && s.Value < s.Lower && s.Lower < s.Upper && s.Expected > s.Lower {
			return
		}
	}
	t.Errorf("%s shows no series with its band", i.ID)
}
