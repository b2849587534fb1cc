package sqlite

import (
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

func withDefaults(b store.Bounds) store.Bounds {
	if b.SeenRetention <= 0 {
		b.SeenRetention = 7 * 24 * time.Hour
	}
	for _, d := range []struct {
		value    *int
		fallback int
	}{
		{&b.MaxSeen, 1_000_000},
		{&b.MaxFacts, 100_000},
		{&b.MaxEdges, 200_000},
		{&b.MaxAnomalies, 20_000},
		{&b.MaxTouches, 200_000},
		{&b.MaxRunsPerJob, 100},
		{&b.MaxOutcomes, 1_000},
		{&b.MaxOutbox, 100_000},
		{&b.MaxCheckpoints, 10_000},
	} {
		if *d.value <= 0 {
			*d.value = d.fallback
		}
	}
	return b
}

// droppedPrefix begins the counters of what bounds removed.
const droppedPrefix = "dropped."

// table is one that a bound holds as a whole.
type table struct {
	name   string
	max    func(store.Bounds) int
	count  string
	oldest string // deletes the given number of rows, oldest first
	slot   int    // in Store.inserts
}

var (
	facts = table{"facts", func(b store.Bounds) int { return b.MaxFacts }, `SELECT COUNT(*) FROM fact`,
		`DELETE FROM fact WHERE (entity, name, part) IN (SELECT entity, name, part FROM fact ORDER BY received, entity, name, part LIMIT ?)`, 0}
	edges = table{"edges", func(b store.Bounds) int { return b.MaxEdges }, `SELECT COUNT(*) FROM edge`,
		`DELETE FROM edge WHERE (from_ref, to_ref, relation, source) IN (SELECT from_ref, to_ref, relation, source FROM edge ORDER BY last_seen, from_ref, to_ref, relation, source LIMIT ?)`, 1}
	anomalies = table{"anomalies", func(b store.Bounds) int { return b.MaxAnomalies }, `SELECT COUNT(*) FROM anomaly`,
		`DELETE FROM anomaly WHERE (entity, series) IN (SELECT entity, series FROM anomaly ORDER BY received, entity, series LIMIT ?)`, 2}
	touches = table{"touches", func(b store.Bounds) int { return b.MaxTouches }, `SELECT COUNT(*) FROM touch`,
		`DELETE FROM touch WHERE (entity, source) IN (SELECT entity, source FROM touch ORDER BY heard, entity, source LIMIT ?)`, 3}
	seen = table{"seen", func(b store.Bounds) int { return b.MaxSeen }, `SELECT COUNT(*) FROM seen`,
		`DELETE FROM seen WHERE id IN (SELECT id FROM seen ORDER BY recorded, id LIMIT ?)`, 4}
)

// inserts counts the rows added to each bounded table since the process began.
type inserts [5]atomic.Int64

// bound removes the oldest rows of a table beyond its bound. It is called after
// each insert and looks at the first and then at every 64th part of the bound, at
// least at every 256th insert: counting costs more than inserting.
func (t *tx) bound(of table) error {
	most := of.max(t.store.bounds)
	every := int64(min(max(most/64, 1), 256))
	if n := t.store.inserts[of.slot].Add(1); n != 1 && n%every != 0 {
		return nil
	}
	var rows int
	if err := t.one("count "+of.name, of.count, nil, &rows); err != nil {
		return err
	}
	if rows <= most {
		return nil
	}
	n, err := t.exec("bound "+of.name, of.oldest, rows-most)
	if err != nil {
		return err
	}
	return t.count(droppedPrefix+of.name, n)
}

func (t *tx) Stats() (store.Stats, error) {
	st := store.Stats{Dropped: map[string]int64{"outbox": 0}}
	for _, of := range []table{facts, edges, anomalies, touches, seen} {
		st.Dropped[of.name] = 0
	}
	_, err := list(&t.session, "read counters", `SELECT name, value FROM counter ORDER BY name`, nil, func(row func(...any) error) (struct{}, error) {
		var name string
		var value int64
		err := row(&name, &value)
		if kind, ok := strings.CutPrefix(name, droppedPrefix); ok {
			st.Dropped[kind] = value
		}
		return struct{}{}, err
	})
	return st, errors.Join(err,
		t.one("count the outbox", `SELECT COUNT(*) FROM outbox`, nil, &st.Outbox),
		t.one("read the size of the state", `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`, nil, &st.Bytes))
}

func (t *tx) See(id string, at time.Time) (bool, error) {
	n, err := t.exec("remember observation "+id, `INSERT INTO seen (id, recorded) VALUES (?, ?) ON CONFLICT (id) DO NOTHING`, id, nanos(at))
	if err != nil || n == 0 {
		return false, err
	}
	return true, t.bound(seen)
}
