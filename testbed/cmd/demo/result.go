package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/collector"
)

// result is what the demo found, by the warehouse's and Airflow's own word.
type result struct {
	Healed  bool   `json:"healed"`
	Verdict string `json:"verdict"`

	Incident string   `json:"incident"`
	Class    string   `json:"class"`
	Root     string   `json:"root"`
	Actions  []string `json:"actions"`

	// The first decision and the first act; where it takes several, recovery shows it.
	Broke     time.Time `json:"broke"`
	Failed    time.Time `json:"failed"` // Airflow gave the run up
	Detected  time.Time `json:"detected"`
	Decided   time.Time `json:"decided"`
	Acted     time.Time `json:"acted"`
	Recovered time.Time `json:"recovered"`
	Verified  time.Time `json:"verified"`

	Owed       int    `json:"rows_owed"`
	Before     int    `json:"rows_before"`
	After      int    `json:"rows_after"`
	Duplicates int    `json:"duplicates"`
	Tries      int    `json:"tries"`
	Run        string `json:"run_state"`

	SetUp time.Duration `json:"set_up_ns"`
}

func (r *result) fill(i *collector.Incident) {
	r.Incident, r.Class, r.Root = i.ID, i.Class, i.Root.Name
	r.Detected, r.Recovered, r.Verified = i.Detected, i.Recovered, i.Closed
	for _, s := range i.Steps {
		r.Actions = append(r.Actions, s.Action+" "+s.Outcome)
	}
}

// table shows when each stage was reached and what it took.
func (r *result) table() string {
	var b strings.Builder
	b.WriteString("\n  stage       after      took   what\n  ───────────────────────────────────────────────────────────────────────────\n")
	last := r.Broke
	row := func(name string, at time.Time, what string) {
		if at.IsZero() {
			fmt.Fprintf(&b, "  %-10s %8s\n", name, "never")
			return
		}
		fmt.Fprintf(&b, "  %-10s %6.1f s %7.1f s  %s\n", name, at.Sub(r.Broke).Seconds(), at.Sub(last).Seconds(), what)
		last = at
	}
	failed := func() { row("failed", r.Failed, "Airflow's run, retries of its own: none") }
	// The failed task tells of itself a moment before Airflow gives its run up.
	early := r.Detected.Before(r.Failed) && !r.Detected.IsZero()
	if !early {
		failed()
	}
	row("detected", r.Detected, r.Root)
	if early {
		failed()
	}
	row("decided", r.Decided, strings.ReplaceAll(r.Class, "_", " "))
	row("acted", r.Acted, strings.Join(r.Actions, ", "))
	row("recovered", r.Recovered, fmt.Sprintf("run %s after %d tries", r.Run, r.Tries))
	row("verified", r.Verified, "all signals held for the window")
	fmt.Fprintf(&b, "\n  %s\n  (set-up took %s; the figures are in build/demo.json)\n", r.Verdict, r.SetUp.Round(time.Second))
	return b.String()
}

func (r *result) write(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil { //nolint:gosec // figures only
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// yours is all that observing one's own Airflow needs beside examples/observe.yaml.
const yours = `receivers:
  airflow:
    endpoint: https://airflow.example.com
    username: selfheal
    password: ${env:AIRFLOW_PASSWORD}
`

// epilogue tells how to go on with one's own Airflow.
func (s *stage) epilogue() string {
	return fmt.Sprintf(`
  Your own Airflow, observing only. Put these five lines into my.yaml:

%s
  and start:  build/otelcol-selfheal-slim --config examples/observe.yaml --config my.yaml

  Airflow       %s  (admin / admin)
  the API       %s/api/v1/incidents
  the config    %s
`, yours, s.airflow.URL, s.collector.API, s.config)
}
