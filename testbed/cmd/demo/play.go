package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/collector"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/oracle"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/source"
)

const (
	outage   = 20 * time.Second // how long the source answers 503
	patience = 4 * time.Minute  // how long the demo waits for the heal
	broken   = "load-3"         // the run that breaks
)

// play makes healthy loads, breaks the source, and follows what happens.
func (s *stage) play(ctx context.Context) (*result, error) {
	var healthy oracle.Load
	err := s.board.Do(stepBaseline, func() error {
		for _, run := range []string{"load-1", "load-2"} {
			load, err := s.load(ctx, run, "success")
			if err != nil {
				return err
			}
			if healthy, err = s.warehouse.Load(ctx, load.Load); err != nil {
				return err
			}
			if healthy.Rows != rows || healthy.Duplicates() != 0 {
				return fmt.Errorf("a healthy load has %d rows, want %d", healthy.Rows, rows)
			}
		}
		return pause(ctx, 5*time.Second) // until the collector has counted them
	})
	if err != nil {
		return nil, err
	}
	s.board.Quiet()
	s.board.Print("\nEach load brings %s orders. Now the source breaks: it answers 503 for %s.\n", thousands(rows), outage)
	s.source.SetFor("orders", source.Unavailable, outage, 0)
	r := &result{Broke: time.Now()}
	tale := &tale{began: r.Broke, print: s.board.Print}
	load, err := s.load(ctx, broken, "failed")
	if err != nil {
		return nil, fmt.Errorf("the pipeline does not fail as planned: %w", err)
	}
	r.Failed = load.Ended
	before, err := s.warehouse.Load(ctx, load.Load)
	if err != nil {
		return nil, err
	}
	r.Before = before.Rows
	tale.say(r.Failed, "broken", "Airflow gives up: task extract failed. orders: %s of %s rows", thousands(before.Rows), thousands(rows))
	closed, err := s.follow(ctx, tale)
	if err != nil {
		return nil, err
	}
	r.Decided, r.Acted = tale.decided, tale.acted
	return r, s.judge(ctx, r, closed, load.Load)
}

// follow tells the course of the incident until it is closed or given up.
func (s *stage) follow(ctx context.Context, t *tale) (*collector.Incident, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last *collector.Incident
	ours := func(r collector.Ref) bool { return strings.HasPrefix(r.Name, "orders") }
	for {
		if back := t.began.Add(outage); time.Now().After(back) && t.once("source", "back") {
			t.say(back, "source", "it answers again")
		}
		list, err := s.collector.Incidents(ctx)
		for i := range list {
			if err != nil || !list[i].Concerns(ours) {
				continue
			}
			whole, err := s.collector.Incident(ctx, list[i].ID)
			if err != nil {
				break
			}
			t.tell(&whole)
			last = &whole
			if whole.State == "resolved" || whole.State == "escalated" || whole.State == "suppressed" {
				return last, nil
			}
		}
		select {
		case <-ctx.Done():
			if last != nil {
				return last, nil // the verdict says how far it came
			}
			return nil, fmt.Errorf("the collector found no incident in %s: %w; its log is %s", patience, ctx.Err(), s.collector.Process().Log)
		case <-s.collector.Process().Done():
			return nil, fmt.Errorf("%w\n%s", s.collector.Process().Err(), s.collector.Process().Tail(3000))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// judge asks the warehouse and Airflow's own database, not the collector.
func (s *stage) judge(ctx context.Context, r *result, i *collector.Incident, load int64) error {
	after, err := s.warehouse.Load(ctx, load)
	if err != nil {
		return err
	}
	run, err := s.asked(ctx, broken)
	if err != nil {
		return err
	}
	r.fill(i)
	r.Owed, r.After, r.Duplicates, r.Tries, r.Run = rows, after.Rows, after.Duplicates(), run.Tries, run.State
	r.SetUp = r.Broke.Sub(s.began)
	calls := 0
	for _, step := range i.Steps {
		if step.Outcome != "void" && step.Outcome != "observed" {
			calls++
		}
	}
	switch {
	case i.State != "resolved":
		r.Verdict = fmt.Sprintf("the incident is %s (%s): %s", i.State, i.Reason, i.Detail)
	case run.State != "success":
		r.Verdict = "the collector says resolved, but Airflow's run is " + run.State
	case after.Rows != rows || after.Duplicates() != 0:
		r.Verdict = fmt.Sprintf("the collector says resolved, but orders has %d of %d rows, %d of them twice", after.Rows, rows, after.Duplicates())
	case s.refused() == 0:
		r.Verdict = "the source was never refused: nothing was shown"
	case run.Tries != 1+calls:
		r.Verdict = fmt.Sprintf("the collector tells of %d calls, but the task was tried %d times", calls, run.Tries)
	default:
		r.Healed = true
		r.Verdict = fmt.Sprintf("orders: %s of %s rows → %s, no duplicates, %s", thousands(r.Before), thousands(rows), thousands(after.Rows), i.Closed.Sub(r.Failed).Round(time.Second))
	}
	return nil
}
