// Package postgresql measures tables, views and foreign tables of PostgreSQL 12
// and later.
package postgresql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/load"
)

// Dialect is PostgreSQL.
type Dialect struct{}

var _ dialect.Dialect = Dialect{}

// DefaultSchema is the schema of a table whose configuration names none.
const DefaultSchema = "public"

// System is the value of db.system.name.
func (Dialect) System() string { return "postgresql" }

// Locate reads a URL or a keyword/value string as libpq does. Of several hosts
// the first one gives the name; a socket's is localhost.
func (Dialect) Locate(datasource string) (dialect.Location, error) {
	config, err := parse(datasource)
	if err != nil {
		return dialect.Location{}, err
	}
	host := config.Host
	if host == "" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		host = "localhost"
	}
	database := config.Database
	if database == "" {
		database = config.User
	}
	return dialect.Location{
		Namespace: "postgres://" + net.JoinHostPort(host, strconv.Itoa(int(config.Port))),
		Database:  database,
	}, nil
}

func parse(datasource string) (*pgx.ConnConfig, error) {
	if datasource == "" {
		return nil, errors.New("it is empty")
	}
	config, err := pgx.ParseConfig(datasource)
	if err != nil {
		return nil, errors.New("it is neither a URL (postgres://user@host:5432/database) nor a string of keywords (host=… dbname=…) that PostgreSQL reads")
	}
	return config, nil
}

// Check has nothing to refuse.
func (Dialect) Check(dialect.Table) error { return nil }

// EntityName is database.schema.table.
func (Dialect) EntityName(l dialect.Location, t dialect.Table) string {
	return l.Database + "." + schemaOf(t) + "." + t.Name
}

func schemaOf(t dialect.Table) string {
	if t.Schema == "" {
		return DefaultSchema
	}
	return t.Schema
}

// Open sets the limits when a session starts; what the data source says of the
// same settings does not count. The server ends a statement on its own, so that
// one does not run on when the collector is gone.
func (Dialect) Open(datasource string, limits dialect.Limits) (*sql.DB, error) {
	config, err := parse(datasource)
	if err != nil {
		return nil, err
	}
	maps.Copy(config.RuntimeParams, map[string]string{
		"application_name":                    limits.Application,
		"default_transaction_read_only":       "on",
		"statement_timeout":                   strconv.FormatInt(limits.Query.Milliseconds(), 10),
		"lock_timeout":                        strconv.FormatInt(limits.Lock.Milliseconds(), 10),
		"idle_in_transaction_session_timeout": strconv.FormatInt((2 * limits.Query).Milliseconds(), 10),
		"timezone":                            "UTC",
		"datestyle":                           "ISO",
	})
	if config.ConnectTimeout == 0 || config.ConnectTimeout > limits.Query {
		config.ConnectTimeout = limits.Query
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	db.SetConnMaxLifetime(30 * time.Minute) // so that a change of address or role is met
	return db, nil
}

// Shape needs no right on the table: everyone may read the catalogue.
func (Dialect) Shape(ctx context.Context, q dialect.Querier, t dialect.Table) (dialect.Shape, error) {
	rows, err := q.QueryContext(ctx, `
SELECT c.oid, c.relkind::text, coalesce(a.attname, ''),
       coalesce(pg_catalog.format_type(a.atttypid, a.atttypmod), ''),
       coalesce(CASE WHEN y.typtype = 'd' THEN pg_catalog.format_type(y.typbasetype, y.typtypmod) ELSE pg_catalog.format_type(a.atttypid, a.atttypmod) END, '')
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY a.attnum`, schemaOf(t), t.Name)
	if err != nil {
		return dialect.Shape{}, err
	}
	defer func() { _ = rows.Close() }()
	var shape dialect.Shape
	found := false
	for rows.Next() {
		var c dialect.Column
		if err := rows.Scan(&shape.OID, &shape.Kind, &c.Name, &c.Type, &c.Base); err != nil {
			return dialect.Shape{}, err
		}
		found = true
		if c.Name != "" {
			shape.Columns = append(shape.Columns, c)
		}
	}
	if err := rows.Err(); err != nil {
		return dialect.Shape{}, err
	}
	if !found {
		return dialect.Shape{}, dialect.ErrTableMissing
	}
	return shape, nil
}

// Reference is the quoted schema and name.
func (Dialect) Reference(t dialect.Table) string {
	return pgx.Identifier{schemaOf(t), t.Name}.Sanitize()
}

// Quote quotes one identifier.
func (Dialect) Quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// Newest takes timestamps, dates, and numbers as Unix times. Infinity, which
// stands for "always", is not a time.
func (d Dialect) Newest(c dialect.Column) (zoned, local string, err error) {
	value := d.Quote(c.Name)
	epoch := "CAST(extract(epoch FROM max(" + value + ") FILTER (WHERE isfinite(" + value + "))) AS double precision)"
	switch base := family(c.Base); base {
	case "timestamptz":
		return epoch, "CAST(NULL AS double precision)", nil
	case "timestamp", "date":
		return "CAST(NULL AS double precision)", epoch, nil
	case "integer", "number":
		newest := "max(CAST(" + value + " AS double precision))"
		if base == "number" {
			newest += " FILTER (WHERE CAST(" + value + " AS double precision) NOT IN ('NaN', 'Infinity', '-Infinity'))"
		}
		return dialect.UnixSeconds(newest), "CAST(NULL AS double precision)", nil
	default:
		return "", "", fmt.Errorf("column %q is of type %s, which holds no times: name one of type timestamp, date, or a number of seconds", c.Name, c.Type)
	}
}

// family strips what a type has in brackets.
func family(name string) string {
	switch {
	case strings.HasPrefix(name, "timestamp") && strings.HasSuffix(name, "with time zone"):
		return "timestamptz"
	case strings.HasPrefix(name, "timestamp"):
		return "timestamp"
	case name == "date":
		return "date"
	case name == "smallint", name == "integer", name == "bigint":
		return "integer"
	case strings.HasPrefix(name, "numeric"), name == "real", name == "double precision":
		return "number"
	default:
		return "text"
	}
}

// LoadType goes by the type of the column.
func (Dialect) LoadType(c dialect.Column, _ string) string {
	kind := load.Text
	switch family(c.Base) {
	case "timestamptz", "timestamp", "date":
		kind = load.Timestamp
	case "integer", "number":
		kind = load.Number
	}
	return "CAST(" + strconv.Itoa(int(kind)) + " AS bigint)"
}

// Size adds up table, indexes and TOAST, of all partitions where there are
// some. A view has none of its own.
func (Dialect) Size(s dialect.Shape) string {
	oid := strconv.FormatUint(uint64(s.OID), 10)
	switch s.Kind {
	case "r", "m":
		return "pg_catalog.pg_total_relation_size(" + oid + "::oid::regclass)"
	case "p":
		return "(SELECT CAST(sum(pg_catalog.pg_total_relation_size(relid)) AS bigint) FROM pg_catalog.pg_partition_tree(" + oid + "::oid::regclass))"
	default:
		return "CAST(NULL AS bigint)"
	}
}
