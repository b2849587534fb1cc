package runs

import (
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/naming"
)

// Timing says how far the start and end of a run can be trusted.
type Timing string

const (
	// Exact: both were told, and the end is not before the start.
	Exact Timing = "exact"
	// StartUnknown: the end came without a start. The run has no length.
	StartUnknown Timing = "start_unknown"
	// ClocksDisagree: the end is before the start. The run is put at its end and has no length.
	ClocksDisagree Timing = "clocks_disagree"
	// Unfinished: no end came in time. The run ends with the last event heard.
	Unfinished Timing = "unfinished"
)

// Kinds of jobs.
const (
	KindDAG  = "dag"
	KindTask = "task"
	KindJob  = "job"
)

// Dataset is one that a run read or wrote, with what it last said of how much.
type Dataset struct {
	event.Identifier
	Statistics *event.Statistics
}

// Airflow is the address of a run on Airflow.
type Airflow struct {
	DAG, Run, Task string
	// MapIndex is -1 where the task is not mapped.
	MapIndex int64
	Try      int64
}

// Run is what is known of one run.
type Run struct {
	// ID is OpenLineage's runId, in lower case.
	ID  string
	Job event.Identifier
	// JobKind is dag, task or job.
	JobKind string
	// ParentRun and RootRun are runIds; empty for a run that nothing started.
	ParentRun, RootRun string
	Parent             event.Identifier
	Airflow            *Airflow
	// Platform is the integration that sent it, in lower case: airflow, spark, dbt; it may be empty.
	Platform string
	Owner    string
	URL      string
	Upstream []string

	Phase  observation.Phase
	Start  time.Time // zero where unknown and the run has not ended
	End    time.Time // zero while it runs
	Timing Timing
	// Error is what the event at hand says; it is not remembered.
	Error *event.ErrorMessage

	Inputs, Outputs []Dataset
	// Dropped counts datasets beyond the bound.
	Dropped int
}

// JoinID is the ID that all sources know the run by.
func (r *Run) JoinID() string {
	a := r.Airflow
	if a == nil {
		return r.ID
	}
	id := a.DAG + "/" + a.Run
	if a.Task != "" {
		id += "/" + a.Task
		if a.MapIndex >= 0 {
			id += "/" + strconv.FormatInt(a.MapIndex, 10)
		}
	}
	return id
}

// Duration of a run that has ended.
func (r *Run) Duration() time.Duration { return r.End.Sub(r.Start) }

// merge adds what an event says. It changes nothing when the event comes again.
func (r *Run) merge(e *event.Event, maxDatasets int) {
	facets, job := &e.Run.Facets, &e.Job.Facets
	r.ID, r.Job = e.Run.ID, naming.Job(e.Job)
	r.mergeAirflow(facets)
	if job.JobType != nil {
		r.Platform = Platform(job.JobType)
	}
	if r.Airflow != nil {
		r.Platform = "airflow"
	} else if job.JobType != nil || r.JobKind == "" {
		r.JobKind = KindOf(job.JobType)
	}
	if p := facets.Parent; p != nil && p.Run.RunID != "" && p.Run.RunID != r.ID {
		r.ParentRun, r.Parent = p.Run.RunID, event.Identifier{Namespace: clip(p.Job.Namespace), Name: clip(p.Job.Name)}
		r.RootRun = r.ParentRun
		if p.Root != nil && p.Root.Run.RunID != "" {
			r.RootRun = p.Root.Run.RunID
		}
	}
	if o := job.Ownership; o != nil && len(o.Owners) > 0 {
		r.Owner = clip(o.Owners[0].Name)
	}
	if d := facets.JobDependencies; d != nil {
		r.Upstream = dependencies(d, r.Job)
	}
	for i := range e.Inputs {
		d := Dataset{naming.Dataset(&e.Inputs[i]), e.Inputs[i].Input.Statistics}
		r.Inputs = r.touch(r.Inputs, d, maxDatasets)
	}
	for i := range e.Outputs {
		d := Dataset{naming.Dataset(&e.Outputs[i]), e.Outputs[i].Output.Statistics}
		r.Outputs = r.touch(r.Outputs, d, maxDatasets)
	}
	if phase, ok := phases[e.Type]; ok {
		r.Phase = phase
	} else if r.Phase == "" {
		r.Phase = observation.PhaseOther
	}
	if e.Type == event.Start && (r.Start.IsZero() || e.Time.Before(r.Start)) {
		r.Start = e.Time
	}
}

var phases = map[string]observation.Phase{
	event.Start: observation.PhaseRunning, event.Running: observation.PhaseRunning,
	event.Complete: observation.PhaseSucceeded, event.Fail: observation.PhaseFailed, event.Abort: observation.PhaseAborted,
}

// Platform is the integration that a job's type names, in lower case.
func Platform(t *event.JobType) string { return clip(strings.ToLower(t.Integration)) }

// KindOf is dag, task or job. The facet may be nil.
func KindOf(t *event.JobType) string {
	if t != nil {
		if kind := strings.ToLower(t.JobType); kind == KindDAG || kind == KindTask {
			return kind
		}
	}
	return KindJob
}

// PhaseOf is the state that one event tells.
func PhaseOf(e *event.Event) observation.Phase {
	if phase, ok := phases[e.Type]; ok {
		return phase
	}
	return observation.PhaseOther
}

func (r *Run) touch(list []Dataset, d Dataset, limit int) []Dataset {
	for i := range list {
		if list[i].Identifier == d.Identifier {
			if d.Statistics != nil {
				list[i].Statistics = amounts(d.Statistics)
			}
			return list
		}
	}
	if len(list) >= limit {
		r.Dropped++
		return list
	}
	d.Statistics = amounts(d.Statistics)
	return append(list, d)
}

// amounts leaves out what need not be remembered.
func amounts(s *event.Statistics) *event.Statistics {
	if s == nil {
		return nil
	}
	return &event.Statistics{RowCount: s.RowCount, Size: s.Size, FileCount: s.FileCount}
}

// finish sets the end and how far it can be trusted.
func (r *Run) finish(end time.Time) {
	r.End, r.Timing = end, Exact
	switch {
	case r.Start.IsZero():
		r.Start, r.Timing = end, StartUnknown
	case end.Before(r.Start):
		r.Start, r.Timing = end, ClocksDisagree
	}
}

func (r *Run) mergeAirflow(facets *event.RunFacets) {
	f := facets.Airflow
	if f == nil {
		f = facets.AirflowDAGRun
	}
	if f == nil {
		return
	}
	dag := f.DAG.ID
	if dag == "" {
		dag = f.DAGRun.DAGID
	}
	if dag == "" || f.DAGRun.RunID == "" {
		return
	}
	a := &Airflow{DAG: clip(dag), Run: clip(f.DAGRun.RunID), Task: clip(f.Task.ID), MapIndex: -1, Try: f.TaskInstance.TryNumber}
	r.JobKind = KindDAG
	if a.Task != "" {
		r.JobKind = KindTask
		if r.Airflow != nil {
			a.MapIndex = r.Airflow.MapIndex
		}
		if m := f.TaskInstance.MapIndex; m != nil {
			a.MapIndex = *m
		} else if m := facets.AirflowMapped; m != nil && m.MapIndex != nil {
			a.MapIndex = *m.MapIndex
		}
		if f.Task.TriggerRule == "" || f.Task.TriggerRule == "all_success" {
			r.Upstream = upstream(f.Task.Upstream, dag)
		}
	}
	r.Airflow, r.URL = a, clip(naming.Namespace(f.TaskInstance.LogURL))
	if owner := f.Task.Owner; owner != "" {
		r.Owner = clip(owner)
	} else if r.Owner == "" {
		r.Owner = clip(f.DAG.Owner)
	}
	if r.Start.IsZero() {
		if start, err := event.ParseTime(f.DAGRun.StartDate); err == nil && a.Task == "" {
			r.Start = start
		}
	}
}

// maxUpstream bounds the jobs before one job.
const maxUpstream = 256

// upstream reads what Python prints of a list of texts: ['a', 'b'].
func upstream(list, dag string) []string {
	var names []string
	for part := range strings.SplitSeq(strings.Trim(list, "[]"), ",") {
		if task := strings.Trim(part, " '\""); task != "" && len(names) < maxUpstream {
			names = append(names, clip(dag+"."+task))
		}
	}
	return names
}

func dependencies(d *event.JobDependencies, self event.Identifier) []string {
	var names []string
	for _, u := range d.Upstream {
		if u.Job.Namespace == self.Namespace && u.Job.Name != "" && len(names) < maxUpstream {
			names = append(names, clip(u.Job.Name))
		}
	}
	return names
}

// clip bounds a name that comes from a facet.
func clip(s string) string {
	if len(s) > entity.MaxNameLength {
		return strings.ToValidUTF8(s[:entity.MaxNameLength], "")
	}
	return s
}
