package main

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
)

func incidentsCommand(o *options) *cobra.Command {
	var states []string
	var limit int
	c := &cobra.Command{
		Use: "incidents", Short: "List incidents, newest first", Args: arguments(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			q := url.Values{"state": states, "limit": {strconv.Itoa(limit)}}
			var got struct {
				Items []*incident.Incident `json:"items"`
			}
			if err := o.call(c.Context(), "GET", "/api/v1/incidents?"+q.Encode(), nil, &got); err != nil {
				return err
			}
			return o.print(got.Items, func(w io.Writer) {
				if len(got.Items) == 0 {
					fmt.Fprintln(w, "no incidents")
					return
				}
				fmt.Fprintln(w, "ID\tSTATE\tREASON\tCLASS\tROOT\tSTARTED\tWHAT")
				for _, i := range got.Items {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", i.ID, i.State, i.Reason, i.Class, i.Root.Display(), i.Started.UTC().Format(time.DateTime), i.Title)
				}
			})
		},
	}
	c.Flags().StringSliceVar(&states, "state", nil, "only these states: open, planned, awaiting_approval, acting, verifying, resolved, escalated, suppressed")
	c.Flags().IntVar(&limit, "limit", 50, "at most so many")
	return c
}

type detail struct {
	incident.Incident
	Plans []*action.Plan `json:"plans"`
}

func incidentCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "incident ID", Short: "Show one incident: evidence, decision, actions, verification", Args: arguments(1, "the ID of an incident"),
		RunE: func(c *cobra.Command, args []string) error {
			var i detail
			if err := o.call(c.Context(), "GET", "/api/v1/incidents/"+url.PathEscape(args[0]), nil, &i); err != nil {
				return err
			}
			return o.print(i, func(w io.Writer) { describe(w, &i) })
		},
	}
}

func describe(w io.Writer, i *detail) {
	fmt.Fprintf(w, "%s\n\n", i.Title)
	row := func(name, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, text)
		}
	}
	row("ID", "%s", i.ID)
	row("state", "%s (%s)", i.State, i.Reason)
	row("", "%s", i.Detail)
	row("class", "%s, confidence %.2f, rule %s", i.Class, i.Confidence, i.Rule)
	row("root", "%s", i.Root)
	if i.RootRun != nil {
		row("run", "%s, attempt %d %s", i.RootRun.ID, i.RootRun.Attempt, i.RootRun.URL)
	}
	row("last good run", "%s", i.LastGoodRun)
	row("owner", "%s", i.Owner)
	row("in trouble too", "%s", names(len(i.Observed), func(n int) string { return i.Observed[n].Display() }))
	row("at risk", "%s", names(len(i.AtRisk), func(n int) string { return i.AtRisk[n].Display() }))
	timeline(row, i)
	for _, e := range i.Evidence {
		what := string(e.Observation.Kind)
		if e.Cleared {
			what += ", cleared"
		}
		row("evidence", "%s: %s from %s (%s)%s", e.Observation.Time.UTC().Format(time.TimeOnly), e.Observation.Entity.Display(), e.Observation.Source, what, cause(e))
	}
	if d := i.Decision; d != nil {
		row("decision", "%s, policy %s: %s", d.Chosen, d.Policy, d.Why)
		for _, a := range d.Alternatives {
			allowed := "not allowed"
			if a.Allowed {
				allowed = "allowed"
			}
			row("  weighed", "%s, score %.2f, %s: %s", a.Name, a.Score, allowed, strings.Join(a.Reasons, "; "))
		}
	}
	for _, s := range i.Steps {
		row("action", "%s: %s → %s", s.Action, s.Summary, s.Outcome)
	}
	if v := i.Verification; v != nil {
		for _, c := range v.Conditions {
			mark := "no"
			switch {
			case c.Holds:
				mark = "yes"
			case c.Silent:
				mark = "silent"
			}
			row("verified", "%s %s: %s", mark, c.Name, c.Detail)
		}
	}
}

func timeline(row func(name, format string, args ...any), i *detail) {
	for _, at := range []struct {
		name string
		time time.Time
	}{{"started", i.Started}, {"detected", i.Detected}, {"decided", i.Decided}, {"acted", i.Acted}, {"recovered", i.Recovered}, {"closed", i.Closed}} {
		if !at.time.IsZero() {
			row(at.name, "%s (+%s)", at.time.UTC().Format(time.RFC3339), at.time.Sub(i.Started).Round(time.Second))
		}
	}
}

func cause(e incident.Evidence) string {
	switch {
	case e.Observation.Error != nil:
		x := e.Observation.Error
		text := " " + x.Type + " " + x.Message
		if x.Location != "" {
			text += " at " + x.Location
		}
		return strings.ReplaceAll(text, "\n", " ")
	case e.Observation.Series != nil:
		s := e.Observation.Series
		return fmt.Sprintf(" %s %s: %g, expected %g (%g to %g)", s.Metric, s.Reason, s.Value, s.Expected, s.Lower, s.Upper)
	}
	return ""
}

func names(n int, name func(int) string) string {
	var list []string
	for k := range min(n, 10) {
		list = append(list, name(k))
	}
	if n > 10 {
		list = append(list, fmt.Sprintf("and %d more", n-10))
	}
	return strings.Join(list, ", ")
}

func closeCommand(o *options) *cobra.Command {
	var comment string
	c := &cobra.Command{
		Use: "close ID", Short: "Close an incident by your word", Args: arguments(1, "the ID of an incident"),
		RunE: func(c *cobra.Command, args []string) error {
			if comment == "" {
				return usagef("--comment: say why it is closed")
			}
			return o.call(c.Context(), "POST", "/api/v1/incidents/"+url.PathEscape(args[0])+"/close", map[string]string{"comment": comment}, nil)
		},
	}
	c.Flags().StringVar(&comment, "comment", "", "why")
	return c
}
