//go:build platform

package postgresql

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect/dialecttest"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect/postgresql/postgresqltest"
)

func TestOnARealServer(t *testing.T) {
	t.Parallel()
	server := postgresqltest.Start(t)
	admin := server.DSN("postgres", postgresqltest.Password, "postgres")
	reader := func(t *testing.T, dsn string, limits dialect.Limits) *sql.DB {
		t.Helper()
		db, err := Dialect{}.Open(dsn, limits)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return db
	}
	short := dialect.Limits{Query: 300 * time.Millisecond, Lock: 100 * time.Millisecond, Application: "the-test"}
	explained := func(t *testing.T, db *sql.DB, statement string) dialect.Failure {
		t.Helper()
		_, err := dialect.Read(t.Context(), db, statement)
		require.Error(t, err)
		return Dialect{}.Explain(err)
	}
	// Parallel parts run before the server's clean-up, within this one.
	t.Run("conformance", func(t *testing.T) {
		dialecttest.Run(t, dialecttest.Fixture{
			Dialect: Dialect{}, Datasource: admin,
			Exec:  func(t *testing.T, statement string) { server.Exec(t, statement) },
			Zoned: "timestamptz", Local: "timestamp",
			Slow: `SELECT count(*), NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM generate_series(1, 100000000000)`,
			Poison: []string{
				`SELECT CAST('` + dialecttest.Secret + `-' || now() AS integer)`,
				`SELECT CAST('` + dialecttest.Secret + `x' AS integer)`,
			},
		})
	})
	t.Run("a session says who it is and what it may", func(t *testing.T) {
		t.Parallel()
		db := reader(t, admin+"?default_transaction_read_only=off&statement_timeout=0&options=-c%20default_transaction_read_only%3Doff", short)
		for name, want := range map[string]string{
			"application_name": "the-test", "default_transaction_read_only": "on", "statement_timeout": "300ms", "lock_timeout": "100ms", "TimeZone": "UTC",
		} {
			var got string
			require.NoError(t, db.QueryRowContext(t.Context(), `SELECT current_setting($1)`, name).Scan(&got))
			assert.Equal(t, want, got, name)
		}
	})
	t.Run("the server ends a statement by itself", func(t *testing.T) {
		t.Parallel()
		failure := explained(t, reader(t, admin, short), `SELECT count(*), NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM pg_sleep(60)`)
		assert.Equal(t, dialect.Timeout, failure.Kind)
	})
	t.Run("a lock is not waited for long", func(t *testing.T) {
		t.Parallel()
		server.Exec(t, `CREATE TABLE locked (id int)`)
		tx, err := server.Admin.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), `LOCK TABLE locked IN ACCESS EXCLUSIVE MODE`)
		require.NoError(t, err)
		failure := explained(t, reader(t, admin, short), `SELECT count(*), NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM locked`)
		assert.Equal(t, dialect.LockTimeout, failure.Kind)
		require.NoError(t, tx.Rollback())
	})
	t.Run("a right that is missing is named", func(t *testing.T) {
		t.Parallel()
		server.Exec(t, `CREATE TABLE secret (id int)`, `CREATE ROLE guest LOGIN PASSWORD 'guest'`)
		db := reader(t, server.DSN("guest", "guest", "postgres"), short)
		s, err := Dialect{}.Shape(t.Context(), db, dialect.Table{Name: "secret"})
		require.NoError(t, err, "everyone may read the catalogue")
		assert.Len(t, s.Columns, 1)
		failure := explained(t, db, `SELECT count(*), NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM secret`)
		assert.Equal(t, dialect.PermissionDenied, failure.Kind)
		assert.Contains(t, failure.Text, "secret", "which table")
	})
	t.Run("who is not let in is told", func(t *testing.T) {
		t.Parallel()
		failure := explained(t, reader(t, server.DSN("postgres", "wrong-9aQx", "postgres"), short), `SELECT 1`)
		assert.Equal(t, dialect.AuthenticationFailed, failure.Kind)
		assert.NotContains(t, failure.Text, "wrong-9aQx")
		failure = explained(t, reader(t, server.DSN("postgres", postgresqltest.Password, "nowhere"), short), `SELECT 1`)
		assert.Equal(t, dialect.Unreachable, failure.Kind)
	})
	t.Run("a message that a function makes is withheld", func(t *testing.T) {
		t.Parallel()
		server.Exec(t, `CREATE FUNCTION bad() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'card 4111111111111111 of X' USING ERRCODE = '42501'; END $$`)
		failure := explained(t, reader(t, admin, short), `SELECT bad()`)
		assert.NotContains(t, failure.Text, "of X")
	})
	t.Run("size", func(t *testing.T) {
		t.Parallel()
		server.Exec(t,
			`CREATE TABLE sized (id int) PARTITION BY RANGE (id)`,
			`CREATE TABLE sized_1 PARTITION OF sized FOR VALUES FROM (0) TO (1000000)`,
			`INSERT INTO sized SELECT generate_series(1, 1000)`,
			`CREATE MATERIALIZED VIEW kept_view AS SELECT * FROM sized`)
		db := reader(t, admin, short)
		for _, name := range []string{"sized", "sized_1", "kept_view"} {
			table := dialect.Table{Name: name}
			s, err := Dialect{}.Shape(t.Context(), db, table)
			require.NoError(t, err)
			statement, _ := dialect.Statement(Dialect{}, table, s, 8)
			m, err := dialect.Read(t.Context(), db, statement)
			require.NoError(t, err)
			assert.EqualValues(t, 1000, m.Rows)
			assert.True(t, m.Size.Valid)
			assert.Greater(t, m.Size.Int64, int64(8192), name)
		}
	})
	t.Run("types", func(t *testing.T) {
		t.Parallel()
		server.Exec(t,
			`CREATE DOMAIN moment AS timestamptz`,
			`CREATE TABLE typed (at moment, forever timestamptz, n numeric(20,3), u uuid, words text)`,
			`INSERT INTO typed VALUES ('2026-11-24 08:00:00+00', 'infinity', 'NaN', gen_random_uuid(), 'x'), (NULL, '-infinity', 1780000000.25, NULL, NULL)`)
		db := reader(t, admin, short)
		read := func(table dialect.Table) (dialect.Measurement, []dialect.Failure) {
			table.Name = "typed"
			s, err := Dialect{}.Shape(t.Context(), db, table)
			require.NoError(t, err)
			statement, failures := dialect.Statement(Dialect{}, table, s, 8)
			m, err := dialect.Read(t.Context(), db, statement)
			require.NoError(t, err, statement)
			return m, failures
		}
		m, _ := read(dialect.Table{Timestamp: "at"})
		assert.True(t, m.Zoned.Valid, "a domain is what it is made of")
		m, _ = read(dialect.Table{Timestamp: "forever"})
		assert.False(t, m.Zoned.Valid || m.Local.Valid, "infinity is no time")
		m, _ = read(dialect.Table{Timestamp: "n"})
		assert.InDelta(t, 1780000000.25, m.Zoned.Float64, 1e-3)
		m, _ = read(dialect.Table{Load: "u"})
		assert.Len(t, m.Loads, 1)
		m, failures := read(dialect.Table{Timestamp: "words"})
		assert.EqualValues(t, 2, m.Rows, "the rest is measured")
		require.Len(t, failures, 1)
		assert.Equal(t, dialect.ColumnUnsuitable, failures[0].Kind)
	})
}
