package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

func (t *tx) Facts(e entity.Ref) ([]store.Fact, error) {
	return list(&t.session, "read facts of "+e.String(),
		`SELECT name, part, value, measured, received, changed FROM fact WHERE entity = ? ORDER BY name, part`, []any{e.String()},
		func(row func(...any) error) (store.Fact, error) {
			f := store.Fact{Entity: e}
			var value sql.NullFloat64
			var measured, received, changed int64
			err := row(&f.Name, &f.Part, &value, &measured, &received, &changed)
			f.Value, f.Time, f.Received, f.Changed = fromNumber(value), fromNanos(measured), fromNanos(received), fromNanos(changed)
			return f, err
		})
}

func (t *tx) FactHistory(e entity.Ref, name string) ([]store.FactPoint, error) {
	return list(&t.session, "read history of "+name+" of "+e.String(),
		`SELECT part, value, measured FROM fact_history WHERE entity = ? AND name = ? ORDER BY measured, id`, []any{e.String(), name},
		func(row func(...any) error) (p store.FactPoint, err error) {
			var value sql.NullFloat64
			var measured int64
			err = row(&p.Part, &value, &measured)
			p.Value, p.Time = fromNumber(value), fromNanos(measured)
			return p, err
		})
}

func (t *tx) PutFact(f store.Fact) error {
	what := fmt.Sprintf("store fact %s of %s", f.Name, f.Entity)
	e, err := ref(what, f.Entity)
	if err != nil {
		return err
	}
	var value sql.NullFloat64
	var measured, changed int64
	err = t.one(what, `SELECT value, measured, changed FROM fact WHERE entity = ? AND name = ? AND part = ?`,
		[]any{e, f.Name, f.Part}, &value, &measured, &changed)
	fresh := errors.Is(err, store.ErrNotFound)
	if err != nil && !fresh {
		return err
	}
	now, received := nanos(f.Time), nanos(f.Received)
	if !fresh && late(now, measured, received) {
		return nil
	}
	if fresh || !same(fromNumber(value), f.Value) {
		changed = received
		if err := t.remember(what, e, f); err != nil {
			return err
		}
	}
	if !fresh {
		_, err := t.exec(what, `UPDATE fact SET value = ?, measured = ?, received = ?, changed = ? WHERE entity = ? AND name = ? AND part = ?`,
			number(f.Value), now, received, changed, e, f.Name, f.Part)
		return err
	}
	if _, err := t.exec(what, `INSERT INTO fact (entity, name, part, value, measured, received, changed) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		e, f.Name, f.Part, number(f.Value), now, received, changed); err != nil {
		return err
	}
	if _, err := t.exec(what, `DELETE FROM fact WHERE entity = ? AND name = ? AND part IN (
		SELECT part FROM fact WHERE entity = ? AND name = ? ORDER BY received DESC, part DESC LIMIT 1000 OFFSET ?)`,
		e, f.Name, e, f.Name, store.FactHistory); err != nil {
		return err
	}
	return t.bound(facts)
}

// remember appends to the history.
func (t *tx) remember(what, e string, f store.Fact) error {
	if _, err := t.exec(what, `INSERT INTO fact_history (entity, name, part, value, measured) VALUES (?, ?, ?, ?, ?)`,
		e, f.Name, f.Part, number(f.Value), nanos(f.Time)); err != nil {
		return err
	}
	_, err := t.exec(what, `DELETE FROM fact_history WHERE id IN (
		SELECT id FROM fact_history WHERE entity = ? AND name = ? ORDER BY measured DESC, id DESC LIMIT 1000 OFFSET ?)`,
		e, f.Name, store.FactHistory)
	return err
}

// late: the stored row is newer on the source's clock, and that clock does not run
// ahead of ours. In nanoseconds.
func late(measured, stored, received int64) bool { return measured < stored && stored <= received }

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
