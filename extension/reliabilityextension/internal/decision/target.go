package decision

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/loads"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// target is what would be acted on.
type target struct {
	action    action.Type
	address   observation.Target
	resource  entity.Ref
	expect    map[string]string
	confirmed bool
	failed    time.Time // when the run ended, platform clock
	summary   string
}

// target finds the run to act on; early is set where that already decides.
func (d *decider) target() (t target, early *Choice, err error) {
	i := d.Incident
	switch i.Root.Kind {
	case entity.Job:
		return d.failedRun()
	case entity.Dataset:
		return d.badLoad()
	default:
		return t, escalate(incident.ReasonNoTarget, fmt.Sprintf("no action of ours helps a %s: %s", i.Root.Kind, cause(i))), nil
	}
}

// failedRun picks the oldest failed run of the root that has not recovered.
func (d *decider) failedRun() (target, *Choice, error) {
	i := d.Incident
	runs := i.FailedRuns()
	if len(runs) == 0 {
		return target{}, escalate(incident.ReasonNoTarget, "no run of "+i.Root.Name+" is known to have failed"), nil
	}
	for _, f := range runs {
		record, err := d.RunByID(f.Run.ID, f.Job)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return target{}, nil, err
		}
		if err != nil {
			record = store.RunRecord{Job: f.Job, Run: f.Run}
		}
		if record.Run.Phase == observation.PhaseSucceeded && record.Run.Confirmed {
			continue
		}
		return d.run(record, f)
	}
	return target{}, wait(incident.ReasonHolding, "every run has succeeded since"), nil
}

func (d *decider) run(record store.RunRecord, f incident.FailedRun) (target, *Choice, error) {
	i, run := d.Incident, record.Run
	waited := d.Now.Sub(i.Detected)
	switch {
	case run.Confirmed && run.Phase == observation.PhaseRetrying:
		return target{}, wait(incident.ReasonPlatformRetry, "the platform itself will try run "+run.ID+" again"), nil
	case run.Confirmed && (run.Phase == observation.PhaseRunning || run.Phase == observation.PhaseQueued):
		return target{}, wait(incident.ReasonRunning, "run "+run.ID+" is "+string(run.Phase)), nil
	case !run.Confirmed && waited < d.set.ConfirmPatience:
		return target{}, wait(incident.ReasonSettling, "the platform has not yet confirmed that run "+run.ID+" failed for good"), nil
	case run.Paused:
		return target{}, escalate(incident.ReasonPaused, "a person has paused "+i.Root.Name), nil
	}
	address := run.Target
	if address == nil {
		address = f.Run.Target
	}
	if address == nil {
		return target{}, escalate(incident.ReasonNoTarget, "no platform that can be told to act is known to run "+i.Root.Name), nil
	}
	if address.Coordinates[observation.AirflowTask] == "" {
		if waited < d.set.ConfirmPatience {
			return target{}, wait(incident.ReasonSettling, "which task made run "+run.ID+" fail is not known yet"), nil
		}
		return target{}, escalate(incident.ReasonUncertainRoot, "no failed task of run "+run.ID+" is known"), nil
	}
	t := target{
		action: action.AirflowClearTask, address: coordinates(address), resource: f.Job, confirmed: run.Confirmed, failed: run.Ended,
		summary: "run " + i.Root.Name + " of " + address.Coordinates[observation.AirflowRun] + " again",
	}
	if run.Confirmed {
		t.expect = map[string]string{action.ExpectState: "failed", action.ExpectTry: strconv.Itoa(run.Attempt)}
	}
	if len(d.Graph.After(f.Job)) > 0 {
		t.action = action.AirflowClearDownstream
		t.summary += ", with what depends on it"
	}
	return t, nil, nil
}

// coordinates drops the try: a plan is for the run.
func coordinates(a *observation.Target) observation.Target {
	c := observation.Target{Kind: a.Kind, Instance: a.Instance, Coordinates: map[string]string{}}
	for _, k := range []string{observation.AirflowDAG, observation.AirflowRun, observation.AirflowTask, observation.AirflowMapIndex} {
		if v := a.Coordinates[k]; v != "" {
			c.Coordinates[k] = v
		}
	}
	return c
}

// badLoad finds the run that brought the data and the first task of that run
// that may have brought it in wrong.
func (d *decider) badLoad() (target, *Choice, error) {
	i := d.Incident
	writer, err := d.lastWriter(i.Root)
	if err != nil {
		return target{}, nil, err
	}
	if load, _ := d.badLoadOf(i.Root); load == "" {
		return target{}, escalate(incident.ReasonUncertainRoot, "which load of "+i.Root.Name+" is wrong is not known, so no run can be named: "+i.Title), nil
	}
	if writer == nil {
		return target{}, escalate(incident.ReasonNoTarget, "no run that wrote "+i.Root.Name+" is known"), nil
	}
	switch writer.Run.Phase {
	case observation.PhaseRunning, observation.PhaseQueued, observation.PhaseRetrying:
		return target{}, wait(incident.ReasonRunning, "run "+writer.Run.ID+" is "+string(writer.Run.Phase)), nil
	}
	if writer.Run.Paused {
		return target{}, escalate(incident.ReasonPaused, "a person has paused "+writer.Job.Name), nil
	}
	first, err := d.climb(*writer)
	if err != nil {
		return target{}, nil, err
	}
	address := first.Run.Target
	if address == nil || address.Coordinates[observation.AirflowTask] == "" {
		return target{}, escalate(incident.ReasonNoTarget, "no platform that can be told to act is known to run "+first.Job.Name), nil
	}
	t := target{
		action: action.AirflowClearDownstream, address: coordinates(address), resource: first.Job,
		confirmed: first.Run.Confirmed, failed: first.Run.Ended,
		summary: "run " + first.Job.Name + " of " + address.Coordinates[observation.AirflowRun] + " again, with what depends on it",
	}
	if first.Run.Confirmed {
		t.expect = map[string]string{action.ExpectState: "success", action.ExpectTry: strconv.Itoa(first.Run.Attempt)}
	}
	return t, nil, nil
}

// lastWriter is the run that wrote what is wrong with ds: the one that the bad
// load's ID names, or whose time it falls into, else the newest that had begun
// when the trouble was seen.
func (d *decider) lastWriter(ds entity.Ref) (*store.RunRecord, error) {
	load, seen := d.badLoadOf(ds)
	var newest, named *store.RunRecord
	for _, job := range d.Graph.Writers(ds) {
		records, err := d.Runs(job, 100)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			if r.Run.Target == nil || r.Run.Target.Coordinates[observation.AirflowTask] == "" {
				continue
			}
			if load != "" && named == nil && loads.Of(r.Run, load) {
				named = &r
			}
			late := !seen.IsZero() && began(r).After(seen)
			if !late && (newest == nil || began(r).After(began(*newest))) {
				newest = &r
			}
		}
	}
	if named != nil {
		return named, nil
	}
	return newest, nil
}

// badLoadOf returns the first load of ds that is still wrong and when that was seen.
func (d *decider) badLoadOf(ds entity.Ref) (load string, seen time.Time) {
	for _, e := range d.Incident.OpenEvidence() {
		o := e.Observation
		if o.Entity == ds && o.Load() != "" && (seen.IsZero() || o.Time.Before(seen)) {
			load, seen = o.Load(), o.Time
		}
	}
	return load, seen
}

func began(r store.RunRecord) time.Time {
	if !r.Run.Started.IsZero() {
		return r.Run.Started
	}
	return r.Time
}

// climb walks up from the writer, inside its run, to the first task whose
// output is not known to be good: rerunning only the last step would load the
// same bad input again.
func (d *decider) climb(at store.RunRecord) (store.RunRecord, error) {
	parent := d.Graph.Parent(at.Job)
	if parent.IsZero() {
		return at, nil
	}
	run := at.Run.Target.Coordinates[observation.AirflowRun]
	for range 20 {
		var above []entity.Ref
		for _, job := range d.Graph.Before(at.Job) {
			if d.Graph.Parent(job) == parent {
				above = append(above, job)
			}
		}
		for _, ds := range d.Graph.Inputs(at.Job) {
			good, err := d.knownGood(ds)
			if err != nil {
				return at, err
			}
			if good {
				continue
			}
			for _, job := range d.Graph.Writers(ds) {
				if d.Graph.Parent(job) == parent && !slices.Contains(above, job) {
					above = append(above, job)
				}
			}
		}
		// Two ways up: which of them is to blame is not known, so neither is chosen.
		if len(above) != 1 {
			return at, nil
		}
		next, err := d.sameRun(above[0], run)
		if err != nil || next == nil || next.Run.Phase != observation.PhaseSucceeded {
			return at, err
		}
		if good, err := d.allGood(d.Graph.Outputs(next.Job)); err != nil || good {
			return at, err
		}
		at = *next
	}
	return at, nil
}

func (d *decider) sameRun(job entity.Ref, run string) (*store.RunRecord, error) {
	records, err := d.Runs(job, 50)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if r.Run.Target != nil && r.Run.Target.Coordinates[observation.AirflowRun] == run {
			return &r, nil
		}
	}
	return nil, nil
}

func (d *decider) allGood(datasets []entity.Ref) (bool, error) {
	for _, ds := range datasets {
		good, err := d.knownGood(ds)
		if err != nil || !good {
			return false, err
		}
	}
	return len(datasets) > 0, nil
}

// knownGood: it is measured, and nothing about it is anomalous.
func (d *decider) knownGood(ds entity.Ref) (bool, error) {
	if d.Incident.Sees(ds) {
		return false, nil
	}
	facts, err := d.Facts(ds)
	if err != nil || len(facts) == 0 {
		return false, err
	}
	active, err := d.Anomalies(ds)
	return len(active) == 0, err
}

// upstream holds a run whose input is late until the input has moved.
func (d *decider) upstream(t target) *Choice {
	i := d.Incident
	sources := d.Graph.Upstream(i.Root, 3, 100)
	moved := false
	for _, ref := range sources {
		facts, err := d.Facts(ref)
		if err != nil {
			return escalate(incident.ReasonStorageFailing, err.Error())
		}
		for _, f := range facts {
			moved = moved || f.Changed.After(i.Detected)
		}
		records, err := d.Runs(ref, 5)
		if err != nil {
			return escalate(incident.ReasonStorageFailing, err.Error())
		}
		for _, r := range records {
			moved = moved || (r.Run.Phase == observation.PhaseSucceeded && r.Received.After(i.Detected) && r.Run.Ended.After(t.failed))
		}
	}
	if moved || len(sources) == 0 {
		return nil
	}
	if d.Now.Sub(i.Detected) > d.set.UpstreamPatience {
		return escalate(incident.ReasonUpstreamPending, "its input has not come: "+cause(i))
	}
	return wait(incident.ReasonUpstreamPending, "its input is late: "+cause(i))
}
