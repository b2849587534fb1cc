package scenarios

import (
	"net/http"
	"testing"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/source"
)

// The platforms, pipelines and oracle are what the scenarios think they are.
// No collector takes part.
func TestPlatforms(t *testing.T) {
	t.Parallel()
	r := shared
	t.Run("a healthy load arrives whole", func(t *testing.T) {
		run := r.load(t, "maps", "healthy", "success", nil)
		must(t, r.whole(t.Context(), "maps", run, "staging", "orders"))
		must(t, r.healed(t.Context(), "maps", "healthy", map[string]int{"extract": 1, "load": 1, "report": 1}))
	})
	t.Run("a 503 fails the run and writes nothing", func(t *testing.T) {
		r.source.Set("maps", source.Unavailable)
		run := r.load(t, "maps", "broken", "failed", nil)
		r.source.Set("maps", source.Normal)
		if r.source.Count("maps", http.StatusServiceUnavailable) != 1 {
			t.Error("the source was not refused once")
		}
		if err := r.whole(t.Context(), "maps", run, "orders"); err == nil {
			t.Error("the oracle finds a load whole that is not there")
		}
		must(t, r.tried(t.Context(), "maps", "broken", map[string]int{"extract": 1, "load": 0, "report": 0}))
	})
	t.Run("SQL tasks tell their inputs and outputs", func(t *testing.T) {
		deadline := time.Now().Add(20 * time.Second)
		for {
			for _, e := range r.lineage.events("maps.load") {
				if len(e.Inputs) == 1 && e.Inputs[0].Name == "warehouse.maps.staging" && len(e.Outputs) == 1 && e.Outputs[0].Name == "warehouse.maps.orders" {
					return
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("no such event: %+v", r.lineage.events("maps.load"))
			}
			time.Sleep(200 * time.Millisecond)
		}
	})
}
