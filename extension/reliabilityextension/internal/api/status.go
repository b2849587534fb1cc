package api

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/killswitch"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

const (
	silentAfter = 10 * time.Minute
	maxSpots    = 100
)

// Status tells how the loop stands: what it covers, what it cannot see.
type Status struct {
	Heartbeat time.Time              `json:"heartbeat"` // last complete turn of the loop
	Paused    *killswitch.Pulled     `json:"paused,omitempty"`
	StateOK   bool                   `json:"state_ok"`
	State     string                 `json:"state_error,omitempty"`
	Incidents map[incident.State]int `json:"incidents"`
	Sources   []Source               `json:"sources"`
	Executors []Executor             `json:"executors"`
	Covered   Coverage               `json:"covered"`
	Detector  Detector               `json:"detector"`
	Blind     []string               `json:"blind_spots"`
}

// Source is one who tells, and when it was last heard.
type Source struct {
	Name  string    `json:"name"`
	Heard time.Time `json:"heard"`
}

// Executor is one action that can be carried out.
type Executor struct {
	Name      string      `json:"name"`
	Action    action.Type `json:"action"`
	Instance  string      `json:"instance"`
	Acting    []string    `json:"acting"` // scopes where acting is switched on
	Reachable bool        `json:"reachable"`
}

// Coverage counts what is known and what is watched.
type Coverage struct {
	Jobs             int `json:"jobs"`
	Datasets         int `json:"datasets"`
	DatasetsMeasured int `json:"datasets_measured"`
	Edges            int `json:"edges"`
}

// Detector is what anomaly detection says of itself.
type Detector struct {
	Ready    int64     `json:"series_ready"`
	Learning int64     `json:"series_learning"`
	Until    time.Time `json:"learning_until,omitzero"` // when the last of them is expected to be ready
}

func (s *server) status(r request) (any, error) {
	now := s.Now()
	e := s.Engine.Status()
	out := Status{Heartbeat: s.Heartbeat().UTC(), Paused: e.Killed, StateOK: e.StoreError == nil, Incidents: e.Active, Sources: []Source{}, Executors: []Executor{}, Blind: []string{}}
	if e.StoreError != nil {
		out.State = e.StoreError.Error()
		out.Blind = append(out.Blind, "the state cannot be written: nothing is done until it can")
	}
	for name, can := range e.Executors {
		for _, c := range can {
			out.Executors = append(out.Executors, Executor{Name: name, Action: c.Action, Instance: c.Platform + "/" + c.Instance, Acting: append([]string{}, c.Act...), Reachable: c.Reachable})
		}
	}
	slices.SortFunc(out.Executors, func(a, b Executor) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.Action, b.Action))
	})
	out.Covered.Edges = e.Edges
	err := s.Store.View(r.Context(), func(rd store.Reader) error {
		return errors.Join(s.sources(rd, &out, now), coverage(rd, &out, now), detector(rd, &out))
	})
	executors(&out)
	if len(out.Blind) > maxSpots {
		out.Blind = append(out.Blind[:maxSpots], fmt.Sprintf("and %d more", len(out.Blind)-maxSpots))
	}
	return out, err
}

func (s *server) sources(rd store.Reader, out *Status, now time.Time) error {
	heard, err := rd.Sources()
	if err != nil {
		return err
	}
	for name, at := range heard {
		out.Sources = append(out.Sources, Source{name, at})
		if now.Sub(at) > silentAfter {
			out.Blind = append(out.Blind, fmt.Sprintf("%s has said nothing since %s", name, at.UTC().Format(time.RFC3339)))
		}
	}
	if len(heard) == 0 {
		out.Blind = append(out.Blind, "no source has said anything yet")
	}
	slices.SortFunc(out.Sources, func(a, b Source) int { return cmp.Compare(a.Name, b.Name) })
	slices.Sort(out.Blind)
	return nil
}

// coverage compares what the graph knows with what somebody measures.
func coverage(rd store.Reader, out *Status, now time.Time) error {
	edges, err := rd.Edges()
	if err != nil {
		return err
	}
	seen := map[entity.Ref]bool{}
	written := map[entity.Ref]bool{}
	for _, e := range edges {
		seen[e.From], seen[e.To] = true, true
		if e.Relation == entity.Writes {
			written[e.To] = true
		}
	}
	refs := make([]entity.Ref, 0, len(seen))
	for ref := range seen {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b entity.Ref) int { return cmp.Compare(a.String(), b.String()) })
	for _, ref := range refs {
		switch ref.Kind {
		case entity.Job:
			out.Covered.Jobs++
			continue
		case entity.Dataset:
			out.Covered.Datasets++
		default:
			continue
		}
		facts, err := rd.Facts(ref)
		if err != nil {
			return err
		}
		var last time.Time
		for _, f := range facts {
			if (f.Name == vocab.FactRows || f.Name == vocab.FactNewest || f.Name == vocab.FactLoadRows) && f.Received.After(last) {
				last = f.Received
			}
		}
		switch {
		case !last.IsZero() && now.Sub(last) <= silentAfter:
			out.Covered.DatasetsMeasured++
		case !last.IsZero():
			out.Blind = append(out.Blind, fmt.Sprintf("%s was last measured at %s", ref.Name, last.UTC().Format(time.RFC3339)))
		case written[ref]:
			out.Blind = append(out.Blind, "nothing measures "+ref.Name+": a repair of what writes it cannot be verified")
		}
	}
	return nil
}

// detector sums what the anomaly detectors state about themselves.
func detector(rd store.Reader, out *Status) error {
	facts, err := rd.Facts(entity.Ref{Kind: entity.Platform, Namespace: "detector", Name: "anomaly_detection"})
	if err != nil {
		return err
	}
	for _, f := range facts {
		switch f.Name {
		case vocab.FactDetectorReady:
			out.Detector.Ready += int64(f.Value)
		case vocab.FactDetectorLearning:
			out.Detector.Learning += int64(f.Value)
		case vocab.FactDetectorUntil:
			if at := time.Unix(int64(f.Value), 0).UTC(); f.Value > 0 && at.After(out.Detector.Until) {
				out.Detector.Until = at
			}
		}
	}
	return nil
}

func executors(out *Status) {
	if len(out.Executors) == 0 {
		out.Blind = append(out.Blind, "no remediation exporter is there: nothing can be done")
	}
	for _, x := range out.Executors {
		if !x.Reachable {
			out.Blind = append(out.Blind, x.Instance+" does not answer: "+string(x.Action)+" waits")
		}
	}
}
