package sqlite

import (
	"errors"
	"fmt"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

func (t *tx) Runs(job entity.Ref, limit int) ([]store.RunRecord, error) {
	if limit <= 0 {
		limit = t.store.bounds.MaxRunsPerJob
	}
	return list(&t.session, "read runs of "+job.String(), `SELECT doc FROM run WHERE job = ? ORDER BY received DESC, run_id DESC LIMIT ?`,
		[]any{job.String(), limit}, document[store.RunRecord])
}

func (t *tx) RunByID(runID string, job entity.Ref) (r store.RunRecord, err error) {
	what := "read run " + runID
	var doc []byte
	if job.IsZero() {
		err = t.one(what, `SELECT doc FROM run WHERE run_id = ? ORDER BY received DESC, job LIMIT 1`, []any{runID}, &doc)
	} else {
		err = t.one(what, `SELECT doc FROM run WHERE job = ? AND run_id = ?`, []any{job.String(), runID}, &doc)
	}
	if err != nil {
		return r, err
	}
	p, err := decode[store.RunRecord](&t.session, what, doc)
	if err != nil {
		return r, err
	}
	return *p, nil
}

func (t *tx) PutRun(r store.RunRecord) error {
	what := "store run " + r.Run.ID
	job, err := ref(what, r.Job)
	if err != nil {
		return err
	}
	doc, err := encode(what, r)
	if err != nil {
		return err
	}
	if _, err := t.exec(what, `INSERT INTO run (job, run_id, received, doc) VALUES (?, ?, ?, ?)
		ON CONFLICT (job, run_id) DO UPDATE SET received = excluded.received, doc = excluded.doc`, job, r.Run.ID, nanos(r.Received), doc); err != nil {
		return err
	}
	_, err = t.exec(what, `DELETE FROM run WHERE job = ? AND run_id IN (
		SELECT run_id FROM run WHERE job = ? ORDER BY received DESC, run_id DESC LIMIT 1000 OFFSET ?)`, job, job, t.store.bounds.MaxRunsPerJob)
	return err
}

func (t *tx) Anomalies(e entity.Ref) ([]observation.Observation, error) {
	return list(&t.session, "read anomalies of "+e.String(), `SELECT doc FROM anomaly WHERE entity = ? ORDER BY series`,
		[]any{e.String()}, document[observation.Observation])
}

func (t *tx) PutAnomaly(o observation.Observation) error {
	what := "store the verdict on a series of " + o.Entity.String()
	e, err := ref(what, o.Entity)
	if err != nil {
		return err
	}
	if o.Series == nil {
		return fmt.Errorf("%s: the observation carries no series", what)
	}
	var measured int64
	err = t.one(what, `SELECT measured FROM anomaly WHERE entity = ? AND series = ?`, []any{e, o.Series.Key}, &measured)
	fresh := errors.Is(err, store.ErrNotFound)
	switch {
	case err != nil && !fresh:
		return err
	case fresh && !o.Series.Active, !fresh && late(nanos(o.Time), measured, nanos(o.Received)):
		return nil
	case !o.Series.Active:
		_, err := t.exec(what, `DELETE FROM anomaly WHERE entity = ? AND series = ?`, e, o.Series.Key)
		return err
	}
	doc, err := encode(what, o)
	if err != nil {
		return err
	}
	if _, err := t.exec(what, `INSERT INTO anomaly (entity, series, measured, received, doc) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (entity, series) DO UPDATE SET measured = excluded.measured, received = excluded.received, doc = excluded.doc`,
		e, o.Series.Key, nanos(o.Time), nanos(o.Received), doc); err != nil {
		return err
	}
	if fresh {
		return t.bound(anomalies)
	}
	return nil
}

func (t *tx) Outcomes(c incident.Class, a action.Type) ([]store.Outcome, error) {
	return list(&t.session, "read outcomes", `SELECT doc FROM outcome WHERE class = ? AND action = ? ORDER BY recorded DESC, plan_id DESC`,
		[]any{string(c), string(a)}, document[store.Outcome])
}

func (t *tx) PutOutcome(o store.Outcome) error {
	what := "store the outcome of plan " + o.PlanID
	doc, err := encode(what, o)
	if err != nil {
		return err
	}
	if _, err := t.exec(what, `INSERT INTO outcome (plan_id, class, action, recorded, doc) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (plan_id) DO UPDATE SET class = excluded.class, action = excluded.action, recorded = excluded.recorded, doc = excluded.doc`,
		o.PlanID, string(o.Class), string(o.Action), nanos(o.At), doc); err != nil {
		return err
	}
	_, err = t.exec(what, `DELETE FROM outcome WHERE plan_id IN (
		SELECT plan_id FROM outcome WHERE class = ? AND action = ? ORDER BY recorded DESC, plan_id DESC LIMIT 1000 OFFSET ?)`,
		string(o.Class), string(o.Action), t.store.bounds.MaxOutcomes)
	return err
}
