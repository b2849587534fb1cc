package sqlite

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

func (t *tx) Silences(at time.Time) ([]store.Silence, error) {
	n := nanos(at)
	return list(&t.session, "read silences", `SELECT doc FROM silence WHERE starts <= ? AND ends > ? ORDER BY starts, id`,
		[]any{n, n}, document[store.Silence])
}

func (t *tx) PutSilence(s store.Silence) error {
	what := "store silence " + s.ID
	doc, err := encode(what, s)
	if err != nil {
		return err
	}
	_, err = t.exec(what, `INSERT INTO silence (id, starts, ends, doc) VALUES (?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET starts = excluded.starts, ends = excluded.ends, doc = excluded.doc`,
		s.ID, nanos(s.Start), nanos(s.End), doc)
	return err
}

func (t *tx) Users() ([]store.User, error) {
	return list(&t.session, "read users", `SELECT doc, token_hash FROM users ORDER BY name`, nil,
		func(row func(...any) error) (u store.User, err error) {
			var doc, hash []byte
			if err := row(&doc, &hash); err != nil {
				return u, err
			}
			err = json.Unmarshal(doc, &u)
			u.TokenHash = hash
			return u, err
		})
}

func (t *tx) PutUser(u store.User) error {
	what := "store user " + u.Name
	doc, err := encode(what, u)
	if err != nil {
		return err
	}
	_, err = t.exec(what, `INSERT INTO users (name, token_hash, doc) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET token_hash = excluded.token_hash, doc = excluded.doc`, u.Name, blob(u.TokenHash), doc)
	return err
}

func (t *tx) Meta(key string) ([]byte, error) {
	var value []byte
	err := t.one("read meta "+key, `SELECT value FROM meta WHERE key = ?`, []any{key}, &value)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err == nil && value == nil {
		value = []byte{}
	}
	return value, err
}

func (t *tx) PutMeta(key string, value []byte) error {
	what := "store meta " + key
	if value == nil {
		_, err := t.exec(what, `DELETE FROM meta WHERE key = ?`, key)
		return err
	}
	_, err := t.exec(what, `INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
	return err
}

// blob is b for a column that is never NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
