package api

import (
	"slices"
	"strconv"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

var states = []incident.State{incident.Open, incident.Planned, incident.AwaitingApproval, incident.Acting, incident.Verifying, incident.Resolved, incident.Escalated, incident.Suppressed}

type list[T any] struct {
	Items []T `json:"items"`
}

func (s *server) incidents(r request) (any, error) {
	f := store.IncidentFilter{Limit: 100}
	q := r.URL.Query()
	for _, v := range q["state"] {
		if !slices.Contains(states, incident.State(v)) {
			return nil, invalidf("state %q is none of %v", v, states)
		}
		f.States = append(f.States, incident.State(v))
	}
	if v := q.Get("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxItems {
			return nil, invalidf("limit %q is not a number from 1 to %d", v, maxItems)
		}
		f.Limit = n
	}
	if v := q.Get("since"); v != "" {
		at, err := time.Parse(time.RFC3339, v)
		if err != nil {
			return nil, invalidf("since: %w", err)
		}
		f.Since = at
	}
	out := list[*incident.Incident]{Items: []*incident.Incident{}}
	err := s.Store.View(r.Context(), func(rd store.Reader) error {
		items, err := rd.Incidents(f)
		out.Items = append(out.Items, items...)
		return err
	})
	return out, err
}

// detail is an incident with the plans that were made for it.
type detail struct {
	*incident.Incident
	Plans []*action.Plan `json:"plans"`
}

func (s *server) incident(r request) (any, error) {
	out := detail{Plans: []*action.Plan{}}
	err := s.Store.View(r.Context(), func(rd store.Reader) (err error) {
		if out.Incident, err = rd.Incident(r.PathValue("id")); err != nil {
			return err
		}
		plans, err := rd.Plans(store.PlanFilter{IncidentID: out.ID})
		out.Plans = append(out.Plans, plans...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *server) closeIncident(r request) (any, error) {
	var body struct {
		Comment string `json:"comment"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	return nil, s.Engine.Close(r.Context(), r.user.Name, r.PathValue("id"), body.Comment)
}
