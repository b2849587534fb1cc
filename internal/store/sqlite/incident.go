package sqlite

import (
	"errors"
	"fmt"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

const defaultIncidents = 1000

func (t *tx) Incident(id string) (*incident.Incident, error) {
	what := "read incident " + id
	var doc []byte
	if err := t.one(what, `SELECT doc FROM incident WHERE id = ?`, []any{id}, &doc); err != nil {
		return nil, err
	}
	return decode[incident.Incident](&t.session, what, doc)
}

func (t *tx) Incidents(f store.IncidentFilter) ([]*incident.Incident, error) {
	var w where
	if len(f.States) > 0 {
		args := make([]any, len(f.States))
		for i, s := range f.States {
			args[i] = string(s)
		}
		w.add("state IN "+marks(len(args)), args...)
	}
	if !f.Root.IsZero() {
		w.add("root = ?", f.Root.String())
	}
	if !f.Since.IsZero() {
		w.add("updated >= ?", nanos(f.Since))
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultIncidents
	}
	return search(&t.session, "list incidents", `SELECT doc FROM incident`+w.String()+` ORDER BY updated DESC, id DESC LIMIT ?`,
		append(w.args, limit), pointer[incident.Incident])
}

func (t *tx) PutIncident(i *incident.Incident, from incident.State) error {
	what := "store incident " + i.ID
	var stored int64
	err := t.one(what, `SELECT version FROM incident WHERE id = ?`, []any{i.ID}, &stored)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if stored != i.Version {
		return fmt.Errorf("%s: version %d was read, version %d is stored: %w", what, i.Version, stored, store.ErrConflict)
	}
	next := *i
	next.Version++
	doc, err := encode(what, &next)
	if err != nil {
		return err
	}
	if _, err := t.exec(what, `INSERT INTO incident (id, version, state, root, updated, doc) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, state = excluded.state, root = excluded.root, updated = excluded.updated, doc = excluded.doc`,
		i.ID, next.Version, string(i.State), i.Root.String(), nanos(i.Updated), doc); err != nil {
		return err
	}
	if err := t.post(doc, from); err != nil {
		return err
	}
	i.Version = next.Version
	t.undo = append(t.undo, func() { i.Version-- })
	return nil
}

func (t *tx) Plan(id string) (*action.Plan, error) {
	what := "read plan " + id
	var doc []byte
	if err := t.one(what, `SELECT doc FROM plan WHERE id = ?`, []any{id}, &doc); err != nil {
		return nil, err
	}
	return decode[action.Plan](&t.session, what, doc)
}

func (t *tx) Plans(f store.PlanFilter) ([]*action.Plan, error) {
	var w where
	if f.IncidentID != "" {
		w.add("incident_id = ?", f.IncidentID)
	}
	if len(f.Statuses) > 0 {
		args := make([]any, len(f.Statuses))
		for i, s := range f.Statuses {
			args[i] = string(s)
		}
		w.add("status IN "+marks(len(args)), args...)
	}
	if !f.Resource.IsZero() {
		w.add("resource = ?", f.Resource.String())
	}
	if !f.Since.IsZero() {
		w.add("created >= ?", nanos(f.Since))
	}
	return search(&t.session, "list plans", `SELECT doc FROM plan`+w.String()+` ORDER BY created, id`, w.args, pointer[action.Plan])
}

func (t *tx) PutPlan(p *action.Plan) error {
	what := "store plan " + p.ID
	doc, err := encode(what, p)
	if err != nil {
		return err
	}
	_, err = t.exec(what, `INSERT INTO plan (id, incident_id, status, resource, created, doc) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET incident_id = excluded.incident_id, status = excluded.status, resource = excluded.resource, created = excluded.created, doc = excluded.doc`,
		p.ID, p.IncidentID, string(p.Status), p.Resource.String(), nanos(p.Created), doc)
	return err
}
