package scenarios

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/collector"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/oracle"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/source"
)

// hold is for how long the oracle's word has to stand after an incident closed.
const hold = time.Minute

// A task fails on its source's 503: transient, retried with backoff, verified by
// the run and by the rows that it owed.
func TestSourceUnavailable(t *testing.T) {
	t.Parallel()
	r, w := shared, shared.common(t)
	for _, id := range []string{"first", "second"} {
		must(t, r.whole(t.Context(), "books", r.load(t, "books", id, "success", nil), "staging", "orders"))
	}
	r.source.Set("books", source.Unavailable)
	run := r.load(t, "books", "broken", "failed", nil)
	if l, err := r.warehouse.Load(t.Context(), "books", "orders", run.Load); err != nil || l.Rows != 0 {
		t.Fatalf("the broken load left %d rows: %v", l.Rows, err)
	}
	r.source.SetFor("books", source.Unavailable, 5*time.Second, 0)

	i := w.await(t, 3*time.Minute, "books", "resolved", "escalated")
	if i.State != "resolved" || i.Class != "transient_failure" {
		t.Fatalf("%s (%s), class %s: %s", i.State, i.Reason, i.Class, i.Detail)
	}
	proofs(t, &i, "run_succeeded", "rows_arrived")
	check := func(ctx context.Context) error {
		return errors.Join(
			r.healed(ctx, "books", "broken", map[string]int{"extract": 1 + calls(&i), "load": 1, "report": 1}),
			r.whole(ctx, "books", run, "staging", "orders"))
	}
	must(t, oracle.Hold(t.Context(), hold, check))
	if n := r.source.Count("books", http.StatusServiceUnavailable); n < 1 {
		t.Error("the source was never refused")
	}
	r.pace(t, &i, "books", "broken", "extract")
}

// proofs checks that an incident closed because these signals held.
func proofs(t *testing.T, i *collector.Incident, names ...string) {
	t.Helper()
	if i.Verification == nil {
		t.Fatalf("%s was closed without verification", i.ID)
	}
	for _, name := range names {
		seen := false
		for _, c := range i.Verification.Conditions {
			seen = seen || c.Name == name && c.Holds
		}
		if !seen {
			t.Errorf("%s was closed without %s: %+v", i.ID, name, i.Verification.Conditions)
		}
	}
}

// pace notes how long each part of the loop took, by Airflow's clock for the
// fault and the collector's for the rest (it is one machine).
func (r *rig) pace(t *testing.T, i *collector.Incident, dag, run, task string) {
	t.Helper()
	tries, err := r.truth.Tries(t.Context(), dag, run, task)
	must(t, err)
	fault, healed := *tries[0].Ended, *tries[len(tries)-1].Ended
	r.figures.note(t, "fault to detected s", i.Detected.Sub(fault))
	r.figures.note(t, "fault to decided s", i.Decided.Sub(fault))
	r.figures.note(t, "fault to acted s", i.Acted.Sub(fault))
	r.figures.note(t, "fault to verified s", i.Closed.Sub(fault))
	// Neither the platform's run nor the wait before the retry is the loop's own.
	overhead := i.Decided.Sub(fault) + i.Closed.Sub(healed)
	r.figures.note(t, "overhead s", overhead)
	r.figures.note(t, "calls", calls(i))
	if overhead > time.Minute {
		t.Errorf("the loop's own overhead is %s, want at most 1m", overhead)
	}
}
