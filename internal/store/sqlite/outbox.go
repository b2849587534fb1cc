package sqlite

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// askedEvery is how often it is written down that a subscriber still asks.
const askedEvery = time.Hour

// subscribers are those that asked in a View, which writes nothing. The next Update
// writes them down, before any row of the outbox can go. Until then no row is lost
// by forgetting them in a crash.
type subscribers struct {
	mu    sync.Mutex
	asked map[string]time.Time // by name: when it was last taken for writing
	fresh []string             // to be written
}

func (s *subscribers) add(name string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.asked[name]; ok && now.Sub(at) < askedEvery || slices.Contains(s.fresh, name) {
		return
	}
	s.fresh = append(s.fresh, name)
}

func (s *subscribers) pending() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.fresh)
}

// written takes names off the list; it must not run before they are durable.
func (s *subscribers) written(names []string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked == nil {
		s.asked = map[string]time.Time{}
	}
	for _, n := range names {
		s.asked[n] = now
	}
	s.fresh = slices.DeleteFunc(s.fresh, func(n string) bool { return slices.Contains(names, n) })
}

func (s *subscribers) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.asked, name)
}

// register writes down who has asked.
func (t *tx) register() error {
	names := t.store.asked.pending()
	for _, name := range names {
		if err := t.subscribe(name, 0); err != nil {
			return err
		}
	}
	now := t.store.now()
	t.after = append(t.after, func() { t.store.asked.written(names, now) })
	return nil
}

func (t *tx) subscribe(name string, delivered int64) error {
	_, err := t.exec("register subscriber "+name, `INSERT INTO subscriber (name, delivered, asked) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET asked = excluded.asked,
			delivered = CASE WHEN excluded.delivered > subscriber.delivered THEN excluded.delivered ELSE subscriber.delivered END`,
		name, delivered, nanos(t.store.now()))
	return err
}

func (t *tx) counter(name string) (int64, error) {
	var n int64
	err := t.one("read counter "+name, `SELECT value FROM counter WHERE name = ?`, []any{name}, &n)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return n, err
}

func (t *tx) count(name string, n int64) error {
	if n == 0 {
		return nil
	}
	_, err := t.exec("count "+name, `INSERT INTO counter (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value`, name, n)
	return err
}

// sequenceCounter holds the last number given, so that none is given twice after
// the outbox has been emptied.
const sequenceCounter = "outbox.sequence"

// post adds an incident to the outbox.
func (t *tx) post(doc string, from incident.State) error {
	if err := t.count(sequenceCounter, 1); err != nil {
		return err
	}
	sequence, err := t.counter(sequenceCounter)
	if err != nil {
		return err
	}
	if _, err := t.exec("add to the outbox", `INSERT INTO outbox (sequence, from_state, recorded, doc) VALUES (?, ?, ?, ?)`,
		sequence, string(from), nanos(t.store.now()), doc); err != nil {
		return err
	}
	n, err := t.exec("bound the outbox", `DELETE FROM outbox WHERE sequence <= ?`, sequence-int64(t.store.bounds.MaxOutbox))
	if err != nil {
		return err
	}
	return t.count(droppedPrefix+"outbox", n)
}

func (t *tx) Outbox(subscriber string, limit int) ([]store.Transition, error) {
	if !t.store.readOnly {
		t.store.asked.add(subscriber, t.store.now())
	}
	if limit <= 0 {
		limit = t.store.bounds.MaxOutbox
	}
	return list(&t.session, "read the outbox", `SELECT sequence, from_state, recorded, doc FROM outbox
		WHERE sequence > COALESCE((SELECT delivered FROM subscriber WHERE name = ?), 0) ORDER BY sequence LIMIT ?`,
		[]any{subscriber, limit}, func(row func(...any) error) (tr store.Transition, err error) {
			var at int64
			var doc []byte
			if err := row(&tr.Sequence, &tr.From, &at, &doc); err != nil {
				return tr, err
			}
			tr.At = fromNanos(at)
			return tr, json.Unmarshal(doc, &tr.Incident)
		})
}

func (t *tx) Delivered(subscriber string, sequence int64) error {
	last, err := t.counter(sequenceCounter)
	if err != nil {
		return err
	}
	if sequence > last {
		return fmt.Errorf("mark transition %d as delivered to %s: the last one is %d", sequence, subscriber, last)
	}
	if err := t.register(); err != nil {
		return err
	}
	if err := t.subscribe(subscriber, sequence); err != nil {
		return err
	}
	_, err = t.exec("clear the outbox", `DELETE FROM outbox WHERE sequence <= (SELECT MIN(delivered) FROM subscriber)`)
	return err
}
