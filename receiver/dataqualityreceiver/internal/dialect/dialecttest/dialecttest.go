// Package dialecttest is the conformance suite of dialects: a dialect that
// passes Run can be used by the receiver.
package dialecttest

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/load"
)

// Fixture is a database to test with.
type Fixture struct {
	Dialect    dialect.Dialect
	Datasource string
	// Exec runs a statement that writes, in a session of the test's own.
	Exec func(t *testing.T, statement string)
	// Zoned and Local are the types of times with and without an offset.
	Zoned, Local string
	// Slow is a SELECT that runs for minutes.
	Slow string
	// Poison has SELECTs that fail with a message that quotes a value, which
	// holds Secret.
	Poison []string
}

// Secret must never come out of Explain.
const Secret = "4111111111111111"

// Run tests a dialect. Each part makes tables of its own.
func Run(t *testing.T, f Fixture) {
	for name, part := range map[string]func(*testing.T, Fixture, dialect.Querier){
		"shape": shape, "empty table": empty, "newest": newest, "numbers as times": numbers, "loads": loads,
		"loads without times": untimed, "duplicates": duplicates, "hostile names": hostile, "parts that are missing": missing, "view": view,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			part(t, f, open(t, f, time.Minute))
		})
	}
	t.Run("sessions cannot write", func(t *testing.T) { t.Parallel(); readOnly(t, f) })
	t.Run("statements end", func(t *testing.T) { t.Parallel(); timeout(t, f) })
	t.Run("errors quote no values", func(t *testing.T) { t.Parallel(); quiet(t, f) })
}

func open(t *testing.T, f Fixture, limit time.Duration) *sql.DB {
	t.Helper()
	db, err := f.Dialect.Open(f.Datasource, dialect.Limits{Query: limit, Lock: time.Second, Application: "dialecttest"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func measure(t *testing.T, f Fixture, q dialect.Querier, table dialect.Table, window int) dialect.Measurement {
	t.Helper()
	shape, err := f.Dialect.Shape(t.Context(), q, table)
	require.NoError(t, err)
	statement, failures := dialect.Statement(f.Dialect, table, shape, window)
	require.Empty(t, failures)
	m, err := dialect.Read(t.Context(), q, statement)
	require.NoError(t, err, statement)
	return m
}

func shape(t *testing.T, f Fixture, q dialect.Querier) {
	f.Exec(t, `CREATE TABLE shaped (id bigint, name text, at date)`)
	s, err := f.Dialect.Shape(t.Context(), q, dialect.Table{Name: "shaped"})
	require.NoError(t, err)
	names := make([]string, 0, len(s.Columns))
	for _, c := range s.Columns {
		names = append(names, c.Name+" "+strings.ToLower(c.Type))
	}
	assert.Equal(t, []string{"id bigint", "name text", "at date"}, names)

	f.Exec(t, `ALTER TABLE shaped DROP COLUMN name`)
	s, err = f.Dialect.Shape(t.Context(), q, dialect.Table{Name: "shaped"})
	require.NoError(t, err)
	assert.Len(t, s.Columns, 2, "a column that was dropped is gone")

	_, err = f.Dialect.Shape(t.Context(), q, dialect.Table{Name: "nowhere"})
	require.ErrorIs(t, err, dialect.ErrTableMissing)
	assert.Equal(t, dialect.TableMissing, f.Dialect.Explain(err).Kind)
}

func empty(t *testing.T, f Fixture, q dialect.Querier) {
	f.Exec(t, `CREATE TABLE hollow (id bigint, batch text, at `+f.Zoned+`)`)
	m := measure(t, f, q, dialect.Table{Name: "hollow", Timestamp: "at", Load: "batch", Key: []string{"id"}}, 8)
	assert.Zero(t, m.Rows)
	assert.False(t, m.Zoned.Valid || m.Local.Valid, "no row has no time")
	assert.True(t, m.Duplicates.Valid)
	assert.Zero(t, m.Duplicates.Int64)
	assert.Empty(t, m.Loads)
	m = measure(t, f, q, dialect.Table{Name: "hollow", Timestamp: "at"}, 8)
	assert.Zero(t, m.Rows)
	assert.False(t, m.Zoned.Valid || m.Local.Valid)
	assert.False(t, m.Duplicates.Valid, "nobody asked")
}

func newest(t *testing.T, f Fixture, q dialect.Querier) {
	f.Exec(t, `CREATE TABLE timed (zoned `+f.Zoned+`, local `+f.Local+`, day date, never `+f.Zoned+`)`)
	f.Exec(t, `INSERT INTO timed VALUES ('2026-11-24 08:00:00.250+02:00', '2026-11-24 08:00:00.5', '2026-11-23', NULL)`)
	f.Exec(t, `INSERT INTO timed VALUES ('2026-11-24 05:00:00+00:00', '2026-11-24 07:00:00', '2026-11-24', NULL)`)
	f.Exec(t, `INSERT INTO timed VALUES (NULL, NULL, NULL, NULL)`)
	at := func(s string) float64 {
		parsed, err := time.Parse(time.RFC3339Nano, s)
		require.NoError(t, err)
		return float64(parsed.UnixMilli()) / 1e3
	}
	m := measure(t, f, q, dialect.Table{Name: "timed", Timestamp: "zoned"}, 8)
	assert.EqualValues(t, 3, m.Rows)
	require.True(t, m.Zoned.Valid)
	assert.InDelta(t, at("2026-11-24T06:00:00.25Z"), m.Zoned.Float64, 1e-3)
	assert.False(t, m.Local.Valid)

	m = measure(t, f, q, dialect.Table{Name: "timed", Timestamp: "local"}, 8)
	require.True(t, m.Local.Valid)
	assert.InDelta(t, at("2026-11-24T08:00:00.5Z"), m.Local.Float64, 1e-3, "as if it were UTC")
	assert.False(t, m.Zoned.Valid)

	m = measure(t, f, q, dialect.Table{Name: "timed", Timestamp: "day"}, 8)
	require.True(t, m.Local.Valid)
	assert.InDelta(t, at("2026-11-24T00:00:00Z"), m.Local.Float64, 1e-3)

	m = measure(t, f, q, dialect.Table{Name: "timed", Timestamp: "never"}, 8)
	assert.False(t, m.Zoned.Valid || m.Local.Valid, "NULLs have no time")
}

func numbers(t *testing.T, f Fixture, q dialect.Querier) {
	f.Exec(t, `CREATE TABLE counted (s bigint, ms bigint, us bigint, ns bigint, f double precision)`)
	f.Exec(t, `INSERT INTO counted VALUES (1780000000, 1780000000500, 1780000000500000, 1780000000500000000, 1780000000.5)`)
	for column, want := range map[string]float64{"s": 1780000000, "ms": 1780000000.5, "us": 1780000000.5, "ns": 1780000000.5, "f": 1780000000.5} {
		m := measure(t, f, q, dialect.Table{Name: "counted", Timestamp: column}, 8)
		require.True(t, m.Zoned.Valid, column)
		assert.InDelta(t, want, m.Zoned.Float64, 1e-3, column)
	}
}

func loads(t *testing.T, f Fixture, q dialect.Querier) {
	f.Exec(t, `CREATE TABLE loaded (batch text, at `+f.Zoned+`)`)
	for i, batch := range []string{"d", "a", "c", "b"} { // d is the oldest
		f.Exec(t, fmt.Sprintf(`INSERT INTO loaded VALUES ('%s', '2026-11-24 0%d:00:00+00:00'), ('%s', NULL)`, batch, i, batch))
	}
	f.Exec(t, `INSERT INTO loaded VALUES (NULL, '2026-11-25 00:00:00+00:00'), ('undated', NULL)`)
	table := dialect.Table{Name: "loaded", Timestamp: "at", Load: "batch"}
	m := measure(t, f, q, table, 3)
	assert.EqualValues(t, 10, m.Rows, "rows of no load and of old loads count too")
	assert.Equal(t, []dialect.Load{{ID: "a", Rows: 2}, {ID: "c", Rows: 2}, {ID: "b", Rows: 2}}, m.Loads)
	assert.InDelta(t, float64(time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC).Unix()), m.Zoned.Float64, 1e-3)

	f.Exec(t, `INSERT INTO loaded VALUES ('d', '2026-11-24 09:00:00+00:00')`)
	m = measure(t, f, q, table, 3)
	assert.Equal(t, []dialect.Load{{ID: "c", Rows: 2}, {ID: "b", Rows: 2}, {ID: "d", Rows: 3}}, m.Loads, "a load that ran again is new")
}

func untimed(t *testing.T, f Fixture, q dialect.Querier) {
	f.Exec(t, `CREATE TABLE stamped (n bigint, at `+f.Zoned+`)`)
	f.Exec(t, `INSERT INTO stamped VALUES (9, '2026-11-24 01:00:00+00:00'), (10, '2026-11-24 02:00:00+00:00'), (10, '2026-11-24 02:00:00+00:00')`)
	m := measure(t, f, q, dialect.Table{Name: "stamped", Load: "n"}, 8)
	assert.Equal(t, []dialect.Load{{ID: "9", Type: load.Number, Rows: 1}, {ID: "10", Type: load.Number, Rows: 2}}, m.Loads)
	m = measure(t, f, q, dialect.Table{Name: "stamped", Load: "at"}, 8)
	require.Len(t, m.Loads, 2)
	assert.Equal(t, "2026-11-24T02:00:00Z", load.ID(m.Loads[1].ID, m.Loads[1].Type, time.UTC, ""))
}

func duplicates(t *testing.T, f Fixture, q dialect.Querier) {
	f.Exec(t, `CREATE TABLE doubled (a bigint, b text, n bigint)`)
	f.Exec(t, `INSERT INTO doubled VALUES (1,'x',1), (1,'x',1), (1,'x',2), (1,'y',2), (2,'x',2), (2,'x',3), (NULL,'x',3), (NULL,'x',3)`)
	rows := func(table dialect.Table, window int) int64 {
		table.Name = "doubled"
		m := measure(t, f, q, table, window)
		require.True(t, m.Duplicates.Valid)
		assert.EqualValues(t, 8, m.Rows)
		return m.Duplicates.Int64
	}
	both := []string{"a", "b"}
	assert.EqualValues(t, 3, rows(dialect.Table{Key: both}, 8), "in the whole table; NULL equals nothing")
	assert.EqualValues(t, 3, rows(dialect.Table{Key: both, Load: "n"}, 3))
	assert.EqualValues(t, 1, rows(dialect.Table{Key: both, Load: "n"}, 2), "in the newest loads")
	assert.EqualValues(t, 0, rows(dialect.Table{Key: both, Load: "n"}, 1))
	assert.EqualValues(t, 1, rows(dialect.Table{Key: []string{"n", "a", "b"}, Load: "n"}, 3), "within each load")
}

func hostile(t *testing.T, f Fixture, q dialect.Querier) {
	name := `we"ird'; DROP TABLE kept; --`
	column := `c"; SELECT 1 --`
	f.Exec(t, `CREATE TABLE kept (id bigint)`)
	f.Exec(t, fmt.Sprintf(`CREATE TABLE %s (%s text, at %s)`, f.Dialect.Quote(name), f.Dialect.Quote(column), f.Zoned))
	f.Exec(t, fmt.Sprintf(`INSERT INTO %s VALUES ('x', '2026-11-24 08:00:00+00:00')`, f.Dialect.Quote(name)))
	m := measure(t, f, q, dialect.Table{Name: name, Timestamp: "at", Load: column, Key: []string{column}}, 8)
	assert.EqualValues(t, 1, m.Rows)
	assert.Equal(t, []dialect.Load{{ID: "x", Rows: 1}}, m.Loads)
	assert.EqualValues(t, 0, measure(t, f, q, dialect.Table{Name: "kept"}, 8).Rows)
}

func missing(t *testing.T, f Fixture, q dialect.Querier) {
	f.Exec(t, `CREATE TABLE partial (id bigint)`)
	f.Exec(t, `INSERT INTO partial VALUES (1)`)
	table := dialect.Table{Name: "partial", Timestamp: "at", Load: "batch", Key: []string{"id", "gone"}}
	s, err := f.Dialect.Shape(t.Context(), q, table)
	require.NoError(t, err)
	statement, failures := dialect.Statement(f.Dialect, table, s, 8)
	require.Len(t, failures, 3)
	for i, key := range []string{"timestamp_column", "load_column", "key"} {
		assert.Equal(t, dialect.ColumnMissing, failures[i].Kind)
		assert.Contains(t, failures[i].Text, key)
	}
	m, err := dialect.Read(t.Context(), q, statement)
	require.NoError(t, err)
	assert.EqualValues(t, 1, m.Rows, "the rest is measured")
	assert.False(t, m.Duplicates.Valid || m.Zoned.Valid || m.Local.Valid)
}

func view(t *testing.T, f Fixture, q dialect.Querier) {
	f.Exec(t, `CREATE TABLE behind (id bigint, at `+f.Zoned+`)`)
	f.Exec(t, `INSERT INTO behind VALUES (1, '2026-11-24 08:00:00+00:00'), (2, NULL)`)
	f.Exec(t, `CREATE VIEW before AS SELECT id, at FROM behind`)
	m := measure(t, f, q, dialect.Table{Name: "before", Timestamp: "at"}, 8)
	assert.EqualValues(t, 2, m.Rows)
	assert.True(t, m.Zoned.Valid)
	assert.False(t, m.Size.Valid, "a view has no size, least of all 0")
}

func readOnly(t *testing.T, f Fixture) {
	f.Exec(t, `CREATE TABLE safe (id bigint)`)
	db := open(t, f, time.Minute)
	for _, statement := range []string{
		`INSERT INTO safe VALUES (1)`, `UPDATE safe SET id = 2`, `DELETE FROM safe`, `DROP TABLE safe`, `CREATE TABLE other (id bigint)`,
	} {
		_, err := db.ExecContext(t.Context(), statement)
		require.Error(t, err, statement)
	}
}

func timeout(t *testing.T, f Fixture) {
	db := open(t, f, time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := dialect.Read(ctx, db, f.Slow)
	require.Error(t, err)
	assert.Less(t, time.Since(begin), 10*time.Second)
	assert.Equal(t, dialect.Timeout, f.Dialect.Explain(err).Kind, "%v", err)
}

func quiet(t *testing.T, f Fixture) {
	db := open(t, f, time.Minute)
	for _, statement := range f.Poison {
		var got any
		err := db.QueryRowContext(t.Context(), statement).Scan(&got)
		require.ErrorContains(t, err, Secret, "the test must provoke what it tests")
		failure := f.Dialect.Explain(err)
		assert.NotContains(t, failure.Text, Secret)
		assert.NotEmpty(t, failure.Text)
		assert.Equal(t, dialect.QueryFailed, failure.Kind)
	}
}
