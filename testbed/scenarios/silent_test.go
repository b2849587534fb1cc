package scenarios

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/oracle"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/source"
)

// The data quality receiver is switched off before verification: the incident
// stays open and says why, although the run has succeeded and the rows are
// there. Switched on again, it closes.
func TestQualityReceiverOff(t *testing.T) {
	t.Parallel()
	r := shared
	w := r.own(t, options{Name: "blind", Quality: true, Detect: true, Act: true, DAGs: []string{"lamps"}, Schemas: []string{"lamps"}})
	for _, id := range []string{"first", "second"} {
		r.load(t, "lamps", id, "success", nil)
	}
	time.Sleep(5 * time.Second) // the loads have to be known before anything is owed
	r.source.Set("lamps", source.Unavailable)
	run := r.load(t, "lamps", "broken", "failed", nil)
	w.await(t, time.Minute, "lamps")
	r.reconfigure(t, w, func(o *options) { o.Quality = false })
	r.source.Set("lamps", source.Normal)
	ctx := within(t, 3*time.Minute)
	_, err := r.airflow.WaitRun(ctx, "lamps", "broken", "success")
	must(t, err)
	must(t, r.whole(ctx, "lamps", run, "staging", "orders"))
	i := w.await(t, time.Minute, "lamps", "verifying")
	// All is well but nobody measures it; the window (10 s) passes many times.
	time.Sleep(20 * time.Second)
	must(t, oracle.Hold(t.Context(), hold, func(ctx context.Context) error {
		now, err := w.Incident(ctx, i.ID)
		if err != nil {
			return err
		}
		if now.State != "verifying" || now.Reason != "signal_missing" || now.Detail == "" {
			return fmt.Errorf("it is %s (%s): %q; want verifying (signal_missing) with a detail", now.State, now.Reason, now.Detail)
		}
		return nil
	}))
	r.reconfigure(t, w, func(o *options) { o.Quality = true })
	closed := w.await(t, 2*time.Minute, "lamps", "resolved")
	must(t, r.healed(t.Context(), "lamps", "broken", map[string]int{"extract": 1 + calls(&closed)}))
}

// reconfigure stops the collector as a person would, changes its config, and starts it again.
func (r *rig) reconfigure(t *testing.T, w *watch, change func(*options)) {
	t.Helper()
	must(t, w.Stop())
	change(&w.opts)
	must(t, r.configure(w))
	must(t, w.Start(within(t, time.Minute)))
}
