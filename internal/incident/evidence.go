package incident

import (
	"encoding/json"
	"slices"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

// Clone returns a copy that shares nothing with i.
func (i *Incident) Clone() *Incident {
	// The JSON form is what the store keeps, so nothing that matters is lost on the way.
	raw, err := json.Marshal(i)
	if err != nil {
		panic("incident: a stored type must have a JSON form: " + err.Error())
	}
	var c Incident
	if err := json.Unmarshal(raw, &c); err != nil {
		panic("incident: its own JSON form must be readable: " + err.Error())
	}
	return &c
}

// OpenEvidence returns the evidence that nothing has taken back yet.
func (i *Incident) OpenEvidence() []Evidence {
	var open []Evidence
	for _, e := range i.Evidence {
		if e.Observation.Polarity == observation.Problem && !e.Cleared {
			open = append(open, e)
		}
	}
	return open
}

// FailedRun is one run of a job that the incident has to bring to success.
type FailedRun struct {
	Job entity.Ref
	Run observation.Run
}

// FailedRuns returns the runs of the root whose failure is evidence, cleared or
// not, oldest first, each once with its newest attempt.
func (i *Incident) FailedRuns() []FailedRun {
	var runs []FailedRun
	for _, e := range i.Evidence {
		o := e.Observation
		if o.Kind != observation.RunState || o.Polarity != observation.Problem || o.Run == nil || o.Entity != i.Root {
			continue
		}
		at := slices.IndexFunc(runs, func(r FailedRun) bool { return r.Run.ID == o.Run.ID })
		switch {
		case at < 0:
			runs = append(runs, FailedRun{Job: o.Entity, Run: *o.Run})
		case runs[at].Run.Attempt < o.Run.Attempt || runs[at].Run.Target == nil:
			runs[at].Run = *o.Run
		}
	}
	return runs
}

// Sees reports whether ref is the root or was seen in trouble.
func (i *Incident) Sees(ref entity.Ref) bool {
	return i.Root == ref || slices.Contains(i.Observed, ref)
}
