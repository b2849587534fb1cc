package sqlite

import (
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect/dialecttest"
)

// writer opens a file for writing, in WAL mode.
func writer(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)")
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), statement)
	require.NoError(t, err, statement)
}

func reader(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := Dialect{}.Open(path, dialect.Limits{Query: time.Minute, Lock: 50 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestConformance(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ware house?#%.db")
	db, err := sql.Open("sqlite", "file:"+"//"+filepath.Dir(path)+"/ware%20house%3f%23%25.db?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)")
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	exec(t, db, `CREATE TABLE ready (id bigint)`)
	require.FileExists(t, path)
	var mu sync.Mutex
	dialecttest.Run(t, dialecttest.Fixture{
		Dialect:    Dialect{},
		Datasource: path,
		Exec: func(t *testing.T, statement string) {
			mu.Lock()
			defer mu.Unlock()
			exec(t, db, statement)
		},
		Zoned: "text", Local: "text",
		Slow:   `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000000) SELECT count(*), NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM n`,
		Poison: []string{`SELECT json_extract('{}', '` + dialecttest.Secret + `')`},
	})
}

func TestLocate(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	require.NoError(t, err)
	for source, want := range map[string]string{
		"/data/w.db": "/data/w.db", "file:/data/w.db": "/data/w.db", "w.db": filepath.Join(here, "w.db"), "/data/../w.db": "/w.db", "/a?b.db": "/a?b.db",
	} {
		location, err := Dialect{}.Locate(source)
		require.NoError(t, err, source)
		assert.Equal(t, dialect.Location{Namespace: "sqlite://", Database: want}, location)
		assert.Equal(t, want+".orders", Dialect{}.EntityName(location, dialect.Table{Name: "orders"}))
	}
	for _, source := range []string{"", "file:", ":memory:", "file::memory:", "file:/data/w.db?mode=rwc"} {
		_, err := Dialect{}.Locate(source)
		require.Error(t, err, source)
	}
}

// A reader must neither hold up a writer nor miss what it wrote, and must see
// the file that is there now.
func TestBesideAWriter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "w.db")
	w := writer(t, path)
	exec(t, w, `CREATE TABLE orders (id bigint)`)
	r := reader(t, path)
	count := func() (n int64) {
		t.Helper()
		require.NoError(t, r.QueryRowContext(t.Context(), `SELECT count(*) FROM orders`).Scan(&n))
		return n
	}
	assert.EqualValues(t, 0, count())
	tx, err := w.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), `INSERT INTO orders VALUES (1)`)
	require.NoError(t, err)
	assert.EqualValues(t, 0, count(), "not yet committed")
	require.NoError(t, tx.Commit())
	assert.EqualValues(t, 1, count())

	snapshot, err := r.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	var n int64
	require.NoError(t, snapshot.QueryRowContext(t.Context(), `SELECT count(*) FROM orders`).Scan(&n))
	exec(t, w, `INSERT INTO orders VALUES (2)`)
	require.NoError(t, snapshot.QueryRowContext(t.Context(), `SELECT count(*) FROM orders`).Scan(&n))
	assert.EqualValues(t, 1, n, "one transaction sees one state")
	require.NoError(t, snapshot.Rollback())

	require.NoError(t, w.Close())
	assert.EqualValues(t, 2, count(), "also when the writer has gone")
	require.NoError(t, os.Remove(path))
	require.Error(t, r.QueryRowContext(t.Context(), `SELECT count(*) FROM orders`).Scan(&n), "a file that is gone is not read from memory")
	assert.NoFileExists(t, path, "and is not made")
	exec(t, writer(t, path), `CREATE TABLE orders (id bigint)`)
	assert.EqualValues(t, 0, count())
}

func TestExplain(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	read := func(path string) dialect.Failure {
		_, err := Dialect{}.Shape(t.Context(), reader(t, path), dialect.Table{Name: "orders"})
		require.Error(t, err)
		return Dialect{}.Explain(err)
	}
	assert.Equal(t, dialect.Unreachable, read(filepath.Join(folder, "absent.db")).Kind)

	garbage := filepath.Join(folder, "garbage.db")
	require.NoError(t, os.WriteFile(garbage, []byte("this is no database, whatever its name says; it is long enough to have a header"), 0o600))
	assert.Equal(t, dialect.Corrupt, read(garbage).Kind)

	locked := filepath.Join(folder, "locked.db")
	w := writer(t, locked)
	exec(t, w, `PRAGMA journal_mode = DELETE`)
	exec(t, w, `CREATE TABLE orders (id bigint)`)
	exec(t, w, `BEGIN EXCLUSIVE`)
	assert.Equal(t, dialect.LockTimeout, read(locked).Kind)
	exec(t, w, `ROLLBACK`)

	_, err := reader(t, locked).ExecContext(t.Context(), `INSERT INTO orders VALUES (1)`)
	require.Error(t, err)
	assert.Equal(t, dialect.PermissionDenied, Dialect{}.Explain(err).Kind)
}

// Text that is no time must not become one.
func TestNewestReadsOnlyTimes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "w.db")
	w := writer(t, path)
	exec(t, w, `CREATE TABLE odd (at)`)
	exec(t, w, `INSERT INTO odd VALUES ('now'), ('2460000.5'), ('yesterday'), ('2026-99-99'), (''), (x'00ff'), ('12:00')`)
	newest := func() (m dialect.Measurement) {
		t.Helper()
		table := dialect.Table{Name: "odd", Timestamp: "at"}
		s, err := Dialect{}.Shape(t.Context(), reader(t, path), table)
		require.NoError(t, err)
		statement, _ := dialect.Statement(Dialect{}, table, s, 8)
		m, err = dialect.Read(t.Context(), reader(t, path), statement)
		require.NoError(t, err)
		return m
	}
	m := newest()
	assert.EqualValues(t, 7, m.Rows)
	assert.False(t, m.Zoned.Valid || m.Local.Valid)

	exec(t, w, `INSERT INTO odd VALUES ('2026-11-24T08:00:00Z'), ('2026-11-24T07:00:00.123456-02:00'), ('2026-11-24 09:30'), (1780000000)`)
	m = newest()
	assert.InDelta(t, float64(time.Date(2026, 11, 24, 9, 0, 0, 123e6, time.UTC).UnixMilli())/1e3, m.Zoned.Float64, 1e-3)
	assert.InDelta(t, float64(time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC).Unix()), m.Local.Float64, 1e-3)
}
