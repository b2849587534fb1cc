package sqlite

import (
	"errors"
	"fmt"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

func (t *tx) LastSeen(e entity.Ref, source string) (time.Time, error) {
	var heard int64
	err := t.one("read when "+e.String()+" was last heard of", `SELECT heard FROM touch WHERE entity = ? AND source = ?`,
		[]any{e.String(), source}, &heard)
	if errors.Is(err, store.ErrNotFound) {
		return time.Time{}, nil
	}
	return fromNanos(heard), err
}

func (t *tx) Sources() (map[string]time.Time, error) {
	all := map[string]time.Time{}
	_, err := list(&t.session, "read sources", `SELECT name, heard FROM source ORDER BY name`, nil,
		func(row func(...any) error) (struct{}, error) {
			var name string
			var heard int64
			err := row(&name, &heard)
			all[name] = fromNanos(heard)
			return struct{}{}, err
		})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (t *tx) Touch(e entity.Ref, source string, at time.Time) error {
	what := "note that " + source + " spoke of " + e.String()
	text, err := ref(what, e)
	if err != nil {
		return err
	}
	if _, err := t.exec(what, `INSERT INTO source (name, heard) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET heard = excluded.heard WHERE excluded.heard > source.heard`, source, nanos(at)); err != nil {
		return err
	}
	n, err := t.exec(what, `UPDATE touch SET heard = CASE WHEN heard < ? THEN ? ELSE heard END WHERE entity = ? AND source = ?`,
		nanos(at), nanos(at), text, source)
	if err != nil || n > 0 {
		return err
	}
	if _, err := t.exec(what, `INSERT INTO touch (entity, source, heard) VALUES (?, ?, ?)`, text, source, nanos(at)); err != nil {
		return err
	}
	return t.bound(touches)
}

func (t *tx) Edges() ([]entity.Edge, error) {
	return list(&t.session, "read edges", `SELECT from_ref, to_ref, relation, source, last_seen FROM edge ORDER BY from_ref, to_ref, relation, source`, nil,
		func(row func(...any) error) (e entity.Edge, err error) {
			var from, to string
			var seen int64
			if err := row(&from, &to, &e.Relation, &e.Source, &seen); err != nil {
				return e, err
			}
			if e.From, err = entity.Parse(from); err != nil {
				return e, err
			}
			if e.To, err = entity.Parse(to); err != nil {
				return e, err
			}
			e.LastSeen = fromNanos(seen)
			return e, nil
		})
}

func (t *tx) PutEdge(e entity.Edge) error {
	what := fmt.Sprintf("store that %s %s %s", e.From, e.Relation, e.To)
	from, err := ref(what, e.From)
	if err != nil {
		return err
	}
	to, err := ref(what, e.To)
	if err != nil {
		return err
	}
	seen := nanos(e.LastSeen)
	n, err := t.exec(what, `UPDATE edge SET last_seen = CASE WHEN last_seen < ? THEN ? ELSE last_seen END
		WHERE from_ref = ? AND to_ref = ? AND relation = ? AND source = ?`, seen, seen, from, to, string(e.Relation), e.Source)
	if err != nil || n > 0 {
		return err
	}
	if _, err := t.exec(what, `INSERT INTO edge (from_ref, to_ref, relation, source, last_seen) VALUES (?, ?, ?, ?, ?)`,
		from, to, string(e.Relation), e.Source, seen); err != nil {
		return err
	}
	return t.bound(edges)
}

func (t *tx) DeleteEdges(source string, before time.Time) (int, error) {
	n, err := t.exec("delete edges of "+source, `DELETE FROM edge WHERE source = ? AND last_seen < ?`, source, nanos(before))
	return int(n), err
}
