package engine

import (
	"slices"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// maxReach bounds how many entities around one are looked at.
const maxReach = 4096

// edgeRefresh is how often an edge that is said again is written again.
const edgeRefresh = time.Hour

// problem joins an observation to the incident of the same cause, or opens one.
func (b *batch) problem(o observation.Observation) error {
	if b.now.Sub(o.Time) > b.Engine.set.IgnoreOlder {
		b.after = append(b.after, func() { b.counts.TooOld[string(o.Kind)]++ })
		return nil
	}
	for _, find := range []func(observation.Observation) (string, bool){b.bySameThing, b.bySameRun, b.bySameRoot, b.byGraph} {
		if id, reroot := find(o); id != "" {
			i := b.join(id, o)
			if reroot {
				i.Root = o.Entity
			}
			return nil
		}
	}
	// A job that never ran because another failed is a symptom of that one, and a
	// service's error alone is none of ours: both only add to what is there.
	if o.Kind == observation.Failure || o.Run != nil && o.Run.Phase == observation.PhaseUpstream {
		return nil
	}
	return b.open(o)
}

func (b *batch) open(o observation.Observation) error {
	if b.under() >= b.Engine.set.MaxActive {
		b.after = append(b.after, func() { b.counts.Overflow[string(o.Kind)]++ })
		return nil
	}
	id, err := b.id("inc-", b.now)
	if err != nil {
		return err
	}
	started := o.Time
	if o.Series != nil && !o.Series.Onset.IsZero() {
		started = o.Series.Onset
	}
	if started.After(b.now) {
		started = b.now
	}
	i := &incident.Incident{ID: id, State: incident.Open, Reason: incident.ReasonSettling, Class: incident.Unknown, Root: o.Entity, Started: started, Detected: b.now}
	b.dirty[id], b.from[id] = i, incident.Open
	b.unresolved++
	b.addEvidence(i, o)
	return nil
}

// under counts the incidents that are not over, those of this batch included.
func (b *batch) under() int {
	if !b.counted {
		b.counted = true
		for _, id := range b.each() {
			if b.get(id).State != incident.Resolved {
				b.unresolved++
			}
		}
	}
	return b.unresolved
}

// live finds among some incidents the one that a new problem belongs to: the
// oldest one under way, else the one that was closed last.
func (b *batch) live(among []string, fn func(i *incident.Incident) bool) string {
	closed := ""
	for _, id := range among {
		i := b.get(id)
		switch {
		case i.State == incident.Resolved && b.now.Sub(i.Closed) > b.Engine.set.ReopenWithin, !fn(i):
		case i.State != incident.Resolved:
			return id
		default:
			closed = id
		}
	}
	return closed
}

// bySameThing: the very run, series or check that an incident has as evidence.
func (b *batch) bySameThing(o observation.Observation) (string, bool) {
	return b.live(b.index().about(o.Entity), func(i *incident.Incident) bool {
		return slices.ContainsFunc(i.Evidence, func(e incident.Evidence) bool { return sameThing(e.Observation, o) })
	}), false
}

// bySameRun: tasks of one run of a DAG that depend on each other, and the DAG itself.
func (b *batch) bySameRun(o observation.Observation) (string, bool) {
	run := dagRun(o.Run)
	if run == "" {
		return "", false
	}
	reroot := false
	id := b.live(b.index().ofRun(run), func(i *incident.Incident) bool {
		if i.State == incident.Resolved || dagRun(i.RootRun) != run && !slices.ContainsFunc(i.Evidence, func(e incident.Evidence) bool {
			return e.Observation.Entity == i.Root && dagRun(e.Observation.Run) == run
		}) {
			return false
		}
		switch {
		case o.Entity == b.graph.Parent(i.Root), isDAG(o.Run):
			return true
		case b.isParent(i, o):
			reroot = true
			return true
		case o.Run.Phase == observation.PhaseUpstream, b.graph.Reaches(i.Root, o.Entity, 20):
			return true
		case b.graph.Reaches(o.Entity, i.Root, 20):
			reroot = i.State == incident.Open
			return true
		}
		return false
	})
	return id, reroot
}

// isParent: the root so far is the DAG that contains the job which is now seen to have failed.
func (b *batch) isParent(i *incident.Incident, o observation.Observation) bool {
	if o.Run.Phase == observation.PhaseUpstream {
		return false
	}
	if i.Root == b.graph.Parent(o.Entity) {
		return true
	}
	return slices.ContainsFunc(i.Evidence, func(e incident.Evidence) bool {
		return e.Observation.Entity == i.Root && isDAG(e.Observation.Run)
	})
}

// bySameRoot: the same job or dataset in trouble again, or by another run.
func (b *batch) bySameRoot(o observation.Observation) (string, bool) {
	return b.live(b.index().about(o.Entity), func(i *incident.Incident) bool {
		return i.Root == o.Entity && i.State != incident.Suppressed && sameClass(i, o)
	}), false
}

// byGraph: a symptom downstream of a root, or a cause upstream of one that
// nothing has been done about yet.
func (b *batch) byGraph(o observation.Observation) (string, bool) {
	if hasOwnCause(o) {
		return "", false
	}
	above, below := map[entity.Ref]bool{}, map[entity.Ref]bool{}
	near := []entity.Ref{}
	for _, ref := range b.graph.Upstream(o.Entity, b.Engine.set.Hops, maxReach) {
		above[ref], near = true, append(near, ref)
	}
	for _, ref := range b.graph.Downstream(o.Entity, b.Engine.set.Hops, maxReach) {
		below[ref], near = true, append(near, ref)
	}
	reroot := false
	id := b.live(b.index().about(near...), func(i *incident.Incident) bool {
		if i.State == incident.Resolved || b.now.Sub(i.Updated) > b.Engine.set.JoinWindow && b.now.Sub(i.Detected) > b.Engine.set.JoinWindow {
			return false
		}
		if above[i.Root] {
			return true
		}
		if i.State == incident.Open && below[i.Root] {
			reroot = true
			return true
		}
		return false
	})
	return id, reroot
}

// hasOwnCause: the text of the failure names a cause that no other job can have.
func hasOwnCause(o observation.Observation) bool {
	if o.Kind != observation.RunState || o.Hypothesis == nil {
		return false
	}
	switch incident.Class(o.Hypothesis.Class) {
	case incident.DeterministicBug, incident.CredentialFailure, incident.ResourceExhaustion, incident.TransientFailure:
		return o.Hypothesis.Confidence >= 0.6
	}
	return false
}

func sameClass(i *incident.Incident, o observation.Observation) bool {
	if i.Class == incident.Unknown || o.Hypothesis == nil {
		return true
	}
	c := incident.Class(o.Hypothesis.Class)
	return c == incident.Unknown || c == i.Class
}

func sameThing(a, o observation.Observation) bool {
	if a.Kind != o.Kind || a.Entity != o.Entity {
		return false
	}
	switch {
	case a.Run != nil && o.Run != nil:
		return a.Run.ID == o.Run.ID
	case a.Series != nil && o.Series != nil:
		return a.Series.Key == o.Series.Key
	case a.Assertion != nil && o.Assertion != nil:
		return a.Assertion.Name == o.Assertion.Name && a.Assertion.Column == o.Assertion.Column
	case a.Kind == observation.RunState || a.Kind == observation.Anomaly:
		return false
	}
	return detail(a) == detail(o)
}

// detail tells apart several troubles of one kind of one entity.
func detail(o observation.Observation) string {
	if o.Error == nil {
		return ""
	}
	return o.Error.Type + "\x00" + o.Error.Location
}

func dagRun(r *observation.Run) string {
	if r == nil || r.Target == nil {
		return ""
	}
	c := r.Target.Coordinates
	if c[observation.AirflowRun] == "" {
		return ""
	}
	return r.Target.Kind + "/" + r.Target.Instance + "/" + c[observation.AirflowDAG] + "/" + c[observation.AirflowRun]
}

func isDAG(r *observation.Run) bool {
	return r != nil && r.Target != nil && r.Target.Coordinates[observation.AirflowTask] == "" && r.Target.Coordinates[observation.AirflowRun] != ""
}

// join adds evidence to an incident and, where it had ended, opens it again.
func (b *batch) join(id string, o observation.Observation) *incident.Incident {
	i := b.edit(id)
	added := b.addEvidence(i, o)
	if i.State == incident.Resolved && added {
		i.State, i.Reason, i.Detail = incident.Open, incident.ReasonSettling, "it came back"
		b.unresolved++
		i.Recurrence++
		i.Detected, i.Started = b.now, o.Time
		i.Closed, i.Recovered, i.Acted, i.Decided = time.Time{}, time.Time{}, time.Time{}, time.Time{}
		i.Verification, i.Decision = nil, nil
		i.Evidence = slices.DeleteFunc(i.Evidence, func(e incident.Evidence) bool { return e.Cleared })
	}
	return i
}

// addEvidence reports whether the observation is new trouble, not the same again.
func (b *batch) addEvidence(i *incident.Incident, o observation.Observation) bool {
	for n := range i.Evidence {
		e := &i.Evidence[n]
		same := sameThing(e.Observation, o) && attempt(e.Observation) == attempt(o) && e.Observation.Source == o.Source && e.Observation.Load() == o.Load()
		if !same {
			continue
		}
		again := e.Cleared
		e.Count++
		e.LastSeen, e.Cleared = b.now, false
		if tellsMore(o, e.Observation) {
			e.Observation = o
		}
		return again
	}
	for limit := b.Engine.set.MaxEvidence; len(i.Evidence) >= limit; {
		at := b.leastTelling(i, limit)
		i.Evidence = slices.Delete(i.Evidence, at, at+1)
	}
	i.Evidence = append(i.Evidence, incident.Evidence{Observation: o, Count: 1, LastSeen: b.now})
	b.index().add(i.ID, o)
	return true
}

// leastTelling is the evidence that can be spared: what was taken back, else a
// symptom, else what the root said; of each the oldest of the newer half. What
// stands against the root must not go while anything else is there, because
// without it the root would look healthy.
func (b *batch) leastTelling(i *incident.Incident, limit int) int {
	root := func(e incident.Evidence) bool { return e.Observation.Entity == i.Root }
	for _, spare := range []func(incident.Evidence) bool{
		func(e incident.Evidence) bool { return e.Cleared && !root(e) },
		func(e incident.Evidence) bool { return !root(e) },
		func(e incident.Evidence) bool { return e.Cleared },
	} {
		if at := slices.IndexFunc(i.Evidence[limit/2:], spare); at >= 0 {
			return limit/2 + at
		}
		if at := slices.IndexFunc(i.Evidence, spare); at >= 0 {
			return at
		}
	}
	return limit / 2
}

func attempt(o observation.Observation) int {
	if o.Run == nil {
		return 0
	}
	return o.Run.Attempt
}

func tellsMore(a, than observation.Observation) bool {
	if a.Series != nil && than.Series != nil {
		// What raised the incident is worth more than the points on the way back.
		return a.Series.Score > than.Series.Score
	}
	return (a.Error != nil && than.Error == nil) || (a.Hypothesis != nil && than.Hypothesis == nil) ||
		(a.Hypothesis != nil && a.Hypothesis.Confidence > than.Hypothesis.Confidence) ||
		(a.Run != nil && a.Run.Confirmed && (than.Run == nil || !than.Run.Confirmed))
}

// recovery takes back the evidence that the observation says has passed.
func (b *batch) recovery(o observation.Observation) {
	for _, id := range b.index().about(o.Entity) {
		i := b.get(id)
		if i.State == incident.Resolved {
			continue
		}
		for n := range i.Evidence {
			ev := i.Evidence[n]
			// A load that came in wrong is not mended by the next one: settleLoads looks at it.
			if ev.Cleared || ev.Observation.Polarity != observation.Problem || ev.Observation.Load() != "" || !takesBack(o, ev.Observation) {
				continue
			}
			e := &b.edit(id).Evidence[n]
			e.Cleared, e.LastSeen = true, b.now
		}
	}
}

// settleLoads takes back the evidence about single loads that have been put
// right: the series is calm, and the load itself now has a size inside the band.
func (b *batch) settleLoads(i *incident.Incident) error {
	for n, e := range i.Evidence {
		o := e.Observation
		load := o.Load()
		if e.Cleared || o.Polarity != observation.Problem || load == "" {
			continue
		}
		active, err := b.Anomalies(o.Entity)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(active, func(a observation.Observation) bool { return a.Series.Key == o.Series.Key }) {
			continue
		}
		facts, err := b.Facts(o.Entity)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(facts, func(f store.Fact) bool { return f.Name == o.Series.Metric && f.Part == load })
		if at < 0 || facts[at].Value < o.Series.Lower || facts[at].Value > o.Series.Upper {
			continue
		}
		x := &b.edit(i.ID).Evidence[n]
		x.Cleared, x.LastSeen = true, b.now
	}
	return nil
}

func takesBack(o, problem observation.Observation) bool {
	if !sameThing(problem, o) {
		// One recovery of an entity's kind of trouble may stand for all of it.
		whole := o.Kind == problem.Kind && o.Entity == problem.Entity && o.Kind != observation.RunState && o.Kind != observation.Anomaly && o.Assertion == nil
		if !whole {
			return false
		}
	}
	if o.Run == nil || problem.Run == nil {
		return true
	}
	// Only the platform's word takes back what the platform said.
	if problem.Run.Confirmed && !o.Run.Confirmed {
		return false
	}
	return o.Run.Attempt == 0 || o.Run.Attempt >= problem.Run.Attempt
}

// refs returns the entities of some evidence, each once.
func refs(evidence []incident.Evidence) []entity.Ref {
	var found []entity.Ref
	for _, e := range evidence {
		if !slices.Contains(found, e.Observation.Entity) {
			found = append(found, e.Observation.Entity)
		}
	}
	return found
}
