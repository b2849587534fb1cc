package engine

import (
	"context"
	"errors"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// Observe implements reliability.Intake.
func (e *Engine) Observe(ctx context.Context, seen []observation.Observation) error {
	return e.update(ctx, func(b *batch) error {
		for n := range seen {
			if err := b.take(seen[n]); err != nil {
				return err
			}
		}
		return b.judge()
	})
}

// take stores one observation and its effect.
func (b *batch) take(o observation.Observation) error {
	kind := string(o.Kind)
	if !usable(&o, b.now) {
		b.after = append(b.after, func() { b.counts.Unusable[kind]++ })
		return nil
	}
	fresh, err := b.See(o.ID, b.now)
	if err != nil {
		return err
	}
	if !fresh {
		b.after = append(b.after, func() { b.counts.Duplicates[kind]++ })
		return nil
	}
	b.after = append(b.after, func() { b.counts.Observed[kind]++ })
	for _, edge := range o.Edges {
		isNew := !b.graph.Has(edge)
		if b.graph.Add(edge, edgeRefresh) {
			if isNew {
				b.edges = append(b.edges, edge)
			}
			if err := b.PutEdge(edge); err != nil {
				return err
			}
		}
	}
	if o.Entity.IsZero() {
		return nil
	}
	if err := b.Touch(o.Entity, o.Source, b.now); err != nil {
		return err
	}
	switch {
	case o.Kind == observation.Fact && o.Fact != nil:
		f := o.Fact
		if err := b.PutFact(store.Fact{Entity: o.Entity, Name: f.Name, Part: f.Part, Value: f.Value, Time: o.Time, Received: b.now}); err != nil {
			return err
		}
	case o.Kind == observation.Anomaly && o.Series != nil:
		if err := b.PutAnomaly(o); err != nil {
			return err
		}
	case o.Kind == observation.RunState && o.Run != nil:
		stale, err := b.run(&o)
		if err != nil || stale {
			return err
		}
	}
	switch o.Polarity {
	case observation.Problem:
		return b.problem(o)
	case observation.Recovery:
		b.recovery(o)
	}
	return nil
}

// run merges what a source says of a run with what is known. An event of an
// earlier try, or one that the platform's own word has overtaken, is stale: it
// adds to what is known and changes no state.
func (b *batch) run(o *observation.Observation) (stale bool, err error) {
	known, err := b.RunByID(o.Run.ID, o.Entity)
	found := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	r := store.RunRecord{Job: o.Entity, Run: *o.Run, Source: o.Source, Time: o.Time, Received: b.now}
	if !found {
		return false, b.PutRun(r)
	}
	was := known.Run
	earlierTry := o.Run.Attempt > 0 && o.Run.Attempt < was.Attempt
	switch {
	case earlierTry:
		stale = true
	case was.Confirmed && !o.Run.Confirmed:
		// The platform's word stays; an event that is older than it is stale.
		stale = !o.Time.After(known.Time) || (!was.Ended.IsZero() && was.Phase == observation.PhaseSucceeded)
	case was.Confirmed && o.Run.Confirmed && o.Time.Before(known.Time) && o.Run.Attempt == was.Attempt:
		stale = true
	}
	// Datasets, the owner and the address are told by whoever knows them.
	fill(&r.Run, was)
	if stale || (was.Confirmed && !o.Run.Confirmed) {
		kept := known
		fill(&kept.Run, *o.Run)
		return stale, b.PutRun(kept)
	}
	o.Run.Target, o.Run.Owner, o.Run.URL = r.Run.Target, r.Run.Owner, r.Run.URL
	return false, b.PutRun(r)
}

func fill(r *observation.Run, from observation.Run) {
	if len(r.Inputs) == 0 {
		r.Inputs = from.Inputs
	}
	if len(r.Outputs) == 0 {
		r.Outputs = from.Outputs
	}
	if r.Target == nil {
		r.Target = from.Target
	}
	if r.Owner == "" {
		r.Owner = from.Owner
	}
	if r.URL == "" {
		r.URL = from.URL
	}
	if r.Started.IsZero() && r.Attempt <= from.Attempt {
		r.Started = from.Started
	}
}
