package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/killswitch"
)

// status is the answer of /api/v1/status.
type status struct {
	Heartbeat time.Time          `json:"heartbeat"`
	Paused    *killswitch.Pulled `json:"paused,omitempty"`
	StateOK   bool               `json:"state_ok"`
	State     string             `json:"state_error,omitempty"`
	Incidents map[string]int     `json:"incidents"`
	Sources   []struct {
		Name  string    `json:"name"`
		Heard time.Time `json:"heard"`
	} `json:"sources"`
	Executors []struct {
		Name      string   `json:"name"`
		Action    string   `json:"action"`
		Instance  string   `json:"instance"`
		Acting    []string `json:"acting"`
		Reachable bool     `json:"reachable"`
	} `json:"executors"`
	Covered struct {
		Jobs     int `json:"jobs"`
		Datasets int `json:"datasets"`
		Measured int `json:"datasets_measured"`
		Edges    int `json:"edges"`
	} `json:"covered"`
	Detector struct {
		Ready    int64     `json:"series_ready"`
		Learning int64     `json:"series_learning"`
		Until    time.Time `json:"learning_until,omitzero"`
	} `json:"detector"`
	Blind []string `json:"blind_spots"`
}

func statusCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show what is covered, what is being learned, and what cannot be seen", Args: arguments(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			var s status
			if err := o.call(c.Context(), "GET", "/api/v1/status", nil, &s); err != nil {
				return err
			}
			return o.print(s, func(w io.Writer) { s.write(w, o.now()) })
		},
	}
}

func (s *status) write(w io.Writer, now time.Time) {
	fmt.Fprintf(w, "loop\tlast turn %s\n", since(now, s.Heartbeat))
	if s.Paused != nil {
		fmt.Fprintf(w, "PAUSED\tby %s since %s: %s\n", s.Paused.By, s.Paused.At.UTC().Format(time.RFC3339), s.Paused.Reason)
	}
	if !s.StateOK {
		fmt.Fprintf(w, "STATE FAILS\t%s\n", s.State)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Incidents)) {
		fmt.Fprintf(w, "incidents\t%d %s\n", s.Incidents[name], name)
	}
	fmt.Fprintf(w, "covered\t%d jobs, %d of %d datasets measured, %d edges\n", s.Covered.Jobs, s.Covered.Measured, s.Covered.Datasets, s.Covered.Edges)
	learning := ""
	if s.Detector.Learning > 0 && !s.Detector.Until.IsZero() {
		learning = " until about " + s.Detector.Until.UTC().Format(time.RFC3339)
	}
	fmt.Fprintf(w, "series\t%d judged, %d learning%s\n", s.Detector.Ready, s.Detector.Learning, learning)
	for _, x := range s.Sources {
		fmt.Fprintf(w, "source\t%s, heard %s\n", x.Name, since(now, x.Heard))
	}
	for _, x := range s.Executors {
		acting := "observes"
		if len(x.Acting) > 0 {
			acting = "acts on " + strings.Join(x.Acting, ", ")
		}
		if !x.Reachable {
			acting += ", does not answer"
		}
		fmt.Fprintf(w, "action\t%s on %s: %s\n", x.Action, x.Instance, acting)
	}
	for _, x := range s.Blind {
		fmt.Fprintf(w, "blind spot\t%s\n", x)
	}
}
