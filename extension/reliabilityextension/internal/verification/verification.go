// Package verification says whether the world has recovered from an incident:
// which independent signals have to show it, and whether each of them does. The
// platform's own word about a run is one of them and never enough: the datasets
// that the run owes have to have moved as well, and silence proves nothing.
package verification

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/graph"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// Names of conditions.
const (
	RunSucceeded        = "run_succeeded"
	DownstreamSucceeded = "downstream_succeeded"
	RowsArrived         = "rows_arrived"
	NoDuplicates        = "no_duplicates"
	SeriesRecovered     = "series_recovered"
	SchemaRestored      = "schema_restored"
	DataSignal          = "data_signal"
	TroubleCleared      = "trouble_cleared"
)

// Settings of the judgement.
type Settings struct {
	// SignalTimeout is how old the last word about a dataset may be before its
	// source counts as silent.
	SignalTimeout time.Duration
	// RowTolerance is the share by which a load may fall short of the median of
	// earlier ones and still count as arrived, 0 to 1.
	RowTolerance float64
	// PlatformWordSuffices lets an incident close when no data signal covers what
	// the run writes.
	PlatformWordSuffices bool
}

// World is what is known.
type World struct {
	store.Reader
	Graph *graph.Graph
}

// Report is the outcome of one look.
type Report struct {
	Conditions []incident.Condition
	// FailedAgain is set when a run that was acted on has ended in failure since.
	FailedAgain *store.RunRecord
	// Next is a failed run that nothing has been done about yet, while all that was
	// acted on has succeeded.
	Next *store.RunRecord
	// Moved is a run behind the root, of the same run of their DAG, that failed by
	// itself when the root had come through.
	Moved *store.RunRecord
	// Running: a run that has to succeed is still under way.
	Running bool
}

// Holds reports whether every condition holds.
func (r Report) Holds() bool {
	return len(r.Conditions) > 0 && !slices.ContainsFunc(r.Conditions, func(c incident.Condition) bool { return !c.Holds })
}

// Silent returns the first condition that waits for a signal, nil where none does.
func (r Report) Silent() *incident.Condition {
	at := slices.IndexFunc(r.Conditions, func(c incident.Condition) bool { return !c.Holds && c.Silent })
	if at < 0 {
		return nil
	}
	return &r.Conditions[at]
}

// look is one evaluation.
type look struct {
	World
	i    *incident.Incident
	set  Settings
	now  time.Time
	out  Report
	runs []watchedRun
	// known is since when, on our clock, the last of the runs is known to have succeeded.
	known time.Time
}

// watchedRun is a run that has to succeed.
type watchedRun struct {
	job     entity.Ref
	run     observation.Run
	acted   bool // a plan acted on it
	attempt int  // the attempt that the last plan was made for
	// since is when the last plan acted on it, or found it well; what was heard
	// before says nothing about the effect.
	since time.Time
}

// Evaluate looks at everything that has to hold before i may close.
func Evaluate(w World, i *incident.Incident, plans []*action.Plan, set Settings, now time.Time) (Report, error) {
	l := &look{World: w, i: i, set: set, now: now}
	l.runs = watchedRuns(i, plans)
	for _, step := range []func() error{l.runsSucceeded, l.downstreamSucceeded, l.evidenceCleared, l.dataArrived} {
		if err := step(); err != nil {
			return Report{}, err
		}
	}
	return l.out, nil
}

// watchedRuns are the failed runs of the root and those that a plan acted on.
func watchedRuns(i *incident.Incident, plans []*action.Plan) []watchedRun {
	var runs []watchedRun
	for _, f := range i.FailedRuns() {
		runs = append(runs, watchedRun{job: f.Job, run: f.Run})
	}
	for _, p := range plans {
		id := RunID(p.Target)
		if p.Result == nil || id == "" {
			continue
		}
		at := slices.IndexFunc(runs, func(r watchedRun) bool { return r.run.ID == id })
		if p.Status == action.Void && at >= 0 {
			runs[at].since = later(runs[at].since, p.Result.At)
		}
		if p.Result.Status != action.Succeeded {
			continue
		}
		if at < 0 {
			target := p.Target
			runs = append(runs, watchedRun{job: p.Resource, run: observation.Run{ID: id, Target: &target}})
			at = len(runs) - 1
		}
		runs[at].acted = true
		// A plan without a try in it was made on hearsay: any failure after it counts.
		runs[at].attempt, _ = strconv.Atoi(p.Expect[action.ExpectTry])
		runs[at].since = p.Result.At
		if p.Intent != nil && p.Intent.At.Before(p.Result.At) {
			runs[at].since = p.Intent.At
		}
	}
	return runs
}

// RunID is the ID of the run that a target addresses, empty where it is none.
func RunID(t observation.Target) string {
	dag, run := t.Coordinates[observation.AirflowDAG], t.Coordinates[observation.AirflowRun]
	if dag == "" || run == "" {
		return ""
	}
	id := dag + "/" + run
	if task := t.Coordinates[observation.AirflowTask]; task != "" {
		id += "/" + task
	}
	if index := t.Coordinates[observation.AirflowMapIndex]; index != "" && index != "-1" {
		id += "/" + index
	}
	return id
}

func (l *look) add(c incident.Condition) { l.out.Conditions = append(l.out.Conditions, c) }

func (l *look) runsSucceeded() error {
	var next *store.RunRecord
	pending := false
	for _, w := range l.runs {
		c := incident.Condition{Name: RunSucceeded, Entity: w.job}
		r, err := l.RunByID(w.run.ID, w.job)
		if errors.Is(err, store.ErrNotFound) {
			c.Silent, c.Detail = true, fmt.Sprintf("run %s: nothing was heard of it", w.run.ID)
			l.add(c)
			pending = pending || w.acted
			continue
		}
		if err != nil {
			return err
		}
		c.LastSeen = r.Received
		// What was heard before the action says nothing about its effect.
		fresh := !w.acted || r.Received.After(w.since)
		switch r.Run.Phase {
		case observation.PhaseSucceeded:
			c.Holds, c.Silent = fresh && r.Run.Confirmed, !fresh || !r.Run.Confirmed
			if c.Holds {
				l.known = later(l.known, r.Received)
			}
		case observation.PhaseFailed:
			if w.acted && fresh && r.Run.Confirmed && r.Run.Attempt > w.attempt {
				l.out.FailedAgain = &r
			}
			if !w.acted && r.Run.Confirmed && r.Received.After(w.since) && next == nil {
				next = &r
			}
		case observation.PhaseRunning, observation.PhaseQueued, observation.PhaseRetrying:
			l.out.Running = true
		}
		c.Detail = fmt.Sprintf("run %s: %s, attempt %d", w.run.ID, r.Run.Phase, r.Run.Attempt)
		l.add(c)
		pending = pending || (w.acted && !c.Holds)
	}
	if !pending {
		l.out.Next = next
	}
	return nil
}

// downstreamSucceeded asks for the jobs that the same run of the DAG owes after
// the root: they failed with it, so they have to recover with it.
func (l *look) downstreamSucceeded() error {
	through := l.out.Holds() // so far there are the runs of the root
	for _, w := range l.runs {
		if w.run.Target == nil {
			continue
		}
		dagRun := w.run.Target.Coordinates[observation.AirflowRun]
		for _, job := range l.sameDAG(w.job) {
			records, err := l.Runs(job, 100)
			if err != nil {
				return err
			}
			for _, r := range records {
				if r.Run.Target == nil || r.Run.Target.Coordinates[observation.AirflowRun] != dagRun || dagRun == "" {
					continue
				}
				done := r.Run.Phase == observation.PhaseSucceeded || r.Run.Phase == observation.PhaseSkipped
				l.add(incident.Condition{
					Name: DownstreamSucceeded, Entity: job, Holds: done && r.Run.Confirmed, Silent: done && !r.Run.Confirmed,
					Detail: fmt.Sprintf("run %s: %s", r.Run.ID, r.Run.Phase), LastSeen: r.Received,
				})
				if done {
					l.known = later(l.known, r.Received)
				}
				if through && l.out.Moved == nil && l.failedByItself(r) {
					l.out.Moved = &r
				}
			}
		}
	}
	return nil
}

// failedByItself: the platform says so, after what was done about the root, and
// it is evidence of this incident.
func (l *look) failedByItself(r store.RunRecord) bool {
	if r.Run.Phase != observation.PhaseFailed || !r.Run.Confirmed || !r.Received.After(l.i.Acted) {
		return false
	}
	return slices.ContainsFunc(l.i.Evidence, func(e incident.Evidence) bool {
		o := e.Observation
		return o.Entity == r.Job && o.Run != nil && o.Run.ID == r.Run.ID && o.Run.Phase == observation.PhaseFailed && !e.Cleared
	})
}

// sameDAG returns the jobs downstream of job that are part of the same job.
func (l *look) sameDAG(job entity.Ref) []entity.Ref {
	parent := l.Graph.Parent(job)
	if parent.IsZero() {
		return nil
	}
	var jobs []entity.Ref
	for _, ref := range l.Graph.Downstream(job, 20, 500) {
		if ref.Kind == entity.Job && l.Graph.Parent(ref) == parent {
			jobs = append(jobs, ref)
		}
	}
	return jobs
}

// evidenceCleared asks that what was seen to be wrong, other than runs, is seen to be right.
func (l *look) evidenceCleared() error {
	for _, e := range l.i.Evidence {
		o := e.Observation
		if o.Polarity != observation.Problem || o.Kind == observation.RunState || o.Kind == observation.Failure {
			continue
		}
		// How long a job took or how full a pool was is history once the run is over.
		if o.Kind == observation.Anomaly && o.Entity.Kind != entity.Dataset && len(l.runs) > 0 {
			continue
		}
		c := incident.Condition{Name: TroubleCleared, Entity: o.Entity, Holds: e.Cleared, Silent: !e.Cleared, LastSeen: e.LastSeen, Detail: string(o.Kind)}
		switch {
		case o.Series != nil:
			c.Name, c.Before = SeriesRecovered, o.Series.Value
			c.Detail = o.Series.Metric + state(e.Cleared, ": back in its band", ": still out of its band")
			c.Owed = o.Series.Expected
		case o.Kind == observation.SchemaChange:
			c.Name, c.Detail = SchemaRestored, state(e.Cleared, "columns are back", "columns still differ")
		}
		l.add(c)
	}
	return nil
}

func state(ok bool, yes, no string) string {
	if ok {
		return yes
	}
	return no
}

// Summary is the conditions in one line for a person.
func Summary(conditions []incident.Condition) string {
	var parts []string
	for _, c := range conditions {
		if c.Detail != "" && (c.Name == RowsArrived || c.Name == NoDuplicates || c.Name == SeriesRecovered || !c.Holds) {
			parts = append(parts, c.Detail)
		}
	}
	if len(parts) > 6 {
		parts = append(parts[:6], fmt.Sprintf("and %d more", len(parts)-6))
	}
	return strings.Join(parts, "; ")
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
