package engine

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

type planned = *action.Plan

// maxAtRisk bounds the part of the blast radius that is listed.
const maxAtRisk = 200

// judge draws the conclusions from changed evidence: class, root run, blast
// radius, owner, title.
func (b *batch) judge() error {
	for _, i := range b.dirty {
		classify(i)
		i.Observed = slices.DeleteFunc(refs(i.Evidence), func(r entity.Ref) bool { return r == i.Root })
		i.AtRisk = slices.DeleteFunc(b.graph.Downstream(i.Root, b.Engine.set.Hops, maxAtRisk), i.Sees)
		i.RootRun = nil
		if failed := i.FailedRuns(); len(failed) > 0 {
			i.RootRun = &failed[0].Run
		}
		for _, e := range i.Evidence {
			if o := e.Observation; o.Run != nil && o.Run.Owner != "" && (i.Owner == "" || o.Entity == i.Root) {
				i.Owner = o.Run.Owner
			}
		}
		i.Title = title(i)
		if i.LastGoodRun == "" && i.Root.Kind == entity.Job {
			records, err := b.Runs(i.Root, 100)
			if err != nil {
				return err
			}
			for _, r := range records {
				if r.Run.Phase == observation.PhaseSucceeded {
					i.LastGoodRun = r.Run.ID
					break
				}
			}
		}
	}
	return nil
}

// classify takes the class from what the root itself says, of its newest try;
// where that says nothing, from what else was seen. Two different classes that
// are nearly as likely make it unknown.
func classify(i *incident.Incident) {
	best, second := pick(i, func(o observation.Observation) bool { return o.Entity == i.Root })
	if best == nil {
		best, second = pick(i, func(o observation.Observation) bool { return o.Kind != observation.RunState })
	}
	i.Class, i.Confidence, i.Rule = incident.Unknown, 0, ""
	switch {
	case best == nil:
	case second != nil && best.Confidence-second.Confidence < 0.05:
		i.Confidence = best.Confidence - second.Confidence
		i.Rule = best.Rule + " or " + second.Rule
	default:
		i.Class, i.Confidence, i.Rule = incident.Class(best.Class), best.Confidence, best.Rule
	}
}

// pick returns the likeliest hypothesis and the likeliest one of another class.
// The platform's own word about a run comes before an event's.
func pick(i *incident.Incident, from func(observation.Observation) bool) (best, second *observation.Hypothesis) {
	newest := map[string]int{}
	confirmed := false
	for _, e := range i.Evidence {
		if o := e.Observation; o.Run != nil && from(o) {
			newest[o.Run.ID] = max(newest[o.Run.ID], o.Run.Attempt)
		}
	}
	usable := func(o observation.Observation) bool {
		h := o.Hypothesis
		return from(o) && h != nil && h.Class != string(incident.Unknown) && h.Class != "" &&
			(o.Run == nil || o.Run.Attempt == 0 || o.Run.Attempt == newest[o.Run.ID])
	}
	for _, e := range i.Evidence {
		confirmed = confirmed || (usable(e.Observation) && e.Observation.Run != nil && e.Observation.Run.Confirmed)
	}
	for _, e := range i.Evidence {
		o := e.Observation
		if !usable(o) || (confirmed && (o.Run == nil || !o.Run.Confirmed)) {
			continue
		}
		h := o.Hypothesis
		switch {
		case best == nil || h.Confidence > best.Confidence:
			if best != nil && best.Class != h.Class {
				second = best
			}
			best = h
		case h.Class != best.Class && (second == nil || h.Confidence > second.Confidence):
			second = h
		}
	}
	return best, second
}

// title is one line for a person.
func title(i *incident.Incident) string {
	for _, e := range i.Evidence {
		o := e.Observation
		if o.Entity != i.Root || o.Polarity != observation.Problem {
			continue
		}
		if text := sentence(o); text != "" {
			return text
		}
	}
	return i.Root.Name + " is in trouble"
}

func sentence(o observation.Observation) string {
	name := o.Entity.Display()
	switch {
	case o.Series != nil:
		return fmt.Sprintf("%s: %s is %s, expected %s (%s to %s)", name, o.Series.Metric,
			round(o.Series.Value), round(o.Series.Expected), round(o.Series.Lower), round(o.Series.Upper))
	case o.Run != nil:
		text := name + " " + string(o.Run.Phase)
		if e := o.Error; e != nil && (e.Type != "" || e.Message != "") {
			text += ": " + e.Type
			if e.Type != "" && e.Message != "" {
				text += ": "
			}
			text += firstLine(e.Message)
		}
		return text
	case o.Assertion != nil:
		return fmt.Sprintf("%s: check %s failed", name, o.Assertion.Name)
	case o.Schema != nil:
		return fmt.Sprintf("%s: columns changed (%d added, %d dropped, %d retyped)", name, len(o.Schema.Added), len(o.Schema.Dropped), len(o.Schema.Retyped))
	case o.Error != nil:
		return name + ": " + firstLine(o.Error.Message)
	}
	return ""
}

func firstLine(s string) string {
	for n, r := range s {
		if r == '\n' || n > 160 {
			return s[:n]
		}
	}
	return s
}

func round(v float64) string {
	if math.Abs(v) >= 100 {
		v = math.Round(v)
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}
