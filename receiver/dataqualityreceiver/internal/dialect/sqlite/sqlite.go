// Package sqlite measures tables of SQLite files, beside their writers.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"modernc.org/sqlite" // also registers the driver

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/load"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/schema"
)

// Dialect is SQLite 3.42 or later, which the driver brings along.
type Dialect struct{}

var _ dialect.Dialect = Dialect{}

// System is the value of db.system.name.
func (Dialect) System() string { return "sqlite" }

// Locate takes the path of a file, or file: and such a path.
func (Dialect) Locate(datasource string) (dialect.Location, error) {
	path := strings.TrimPrefix(datasource, "file:")
	switch {
	case path == "":
		return dialect.Location{}, errors.New("it names no file")
	case strings.Contains(path, ":memory:"):
		return dialect.Location{}, errors.New("a database in memory has no other process's tables")
	case path != datasource && strings.ContainsAny(path, "?#"):
		return dialect.Location{}, errors.New("write the path of the file alone: how it is opened is not for the data source to say")
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return dialect.Location{}, err
	}
	return dialect.Location{Namespace: "sqlite://", Database: absolute}, nil
}

// Check refuses a schema: a file has but one.
func (Dialect) Check(t dialect.Table) error {
	if t.Schema != "" {
		return errors.New("schema: SQLite has none, leave it out")
	}
	return nil
}

// EntityName is the path of the file and the table.
func (Dialect) EntityName(l dialect.Location, t dialect.Table) string {
	return l.Database + "." + t.Name
}

// Open makes each connection anew: one that stayed open would go on reading a
// file that has been replaced since.
//
// mode=ro opens the file for reading; query_only refuses to write also where a
// file is opened otherwise. In WAL mode SQLite still needs the -shm file beside
// the database and makes it when it is not there.
func (d Dialect) Open(datasource string, limits dialect.Limits) (*sql.DB, error) {
	location, err := d.Locate(datasource)
	if err != nil {
		return nil, err
	}
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: location.Database, RawQuery: url.Values{
		"mode":    {"ro"},
		"_pragma": {"query_only(1)", "busy_timeout(" + strconv.FormatInt(limits.Lock.Milliseconds(), 10) + ")"},
	}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(0)
	return db, nil
}

// Shape reads the columns that the user can see, generated ones too.
func (Dialect) Shape(ctx context.Context, q dialect.Querier, t dialect.Table) (dialect.Shape, error) {
	rows, err := q.QueryContext(ctx, `SELECT name, type FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid`, t.Name)
	if err != nil {
		return dialect.Shape{}, err
	}
	defer func() { _ = rows.Close() }()
	var shape dialect.Shape
	for rows.Next() {
		var c schema.Column
		if err := rows.Scan(&c.Name, &c.Type); err != nil {
			return dialect.Shape{}, err
		}
		shape.Columns = append(shape.Columns, dialect.Column{Column: c, Base: c.Type})
	}
	if err := rows.Err(); err != nil {
		return dialect.Shape{}, err
	}
	if len(shape.Columns) == 0 {
		return dialect.Shape{}, dialect.ErrTableMissing
	}
	return shape, nil
}

// Reference is the quoted name.
func (d Dialect) Reference(t dialect.Table) string { return d.Quote(t.Name) }

// Quote doubles quotes and leaves nothing to interpret.
func (Dialect) Quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Newest looks at each value, because any column may hold any type: text in the
// forms of ISO 8601 that SQLite reads, and numbers as Unix times. The pattern
// keeps out words that SQLite would read as times, such as "now".
func (d Dialect) Newest(c dialect.Column) (zoned, local string, err error) {
	value := d.Quote(c.Name)
	isTime := "typeof(" + value + ") = 'text' AND " + value + " GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'"
	hasOffset := "(" + value + " LIKE '%Z' OR (substr(" + value + ", -6, 1) IN ('+', '-') AND substr(" + value + ", -3, 1) = ':'))"
	read := "unixepoch(" + value + ", 'subsec')"
	zoned = "max(CASE WHEN " + isTime + " THEN CASE WHEN " + hasOffset + " THEN " + read + " END" +
		" WHEN typeof(" + value + ") IN ('integer', 'real') THEN " + dialect.UnixSeconds(value) + " END)"
	local = "max(CASE WHEN " + isTime + " AND NOT " + hasOffset + " THEN " + read + " END)"
	return zoned, local, nil
}

// LoadType goes by the value: what a column is declared as binds nobody.
func (Dialect) LoadType(_ dialect.Column, id string) string {
	return fmt.Sprintf("CASE WHEN typeof(%s) IN ('integer', 'real') THEN %d ELSE %d END", id, load.Number, load.Text)
}

// Size is not known: SQLite would have to visit every page of the table.
func (Dialect) Size(dialect.Shape) string { return "NULL" }

// Codes of https://www.sqlite.org/rescode.html. Messages are not passed on, for
// they can quote values.
var codes = map[int]dialect.Failure{
	3:  {Kind: dialect.PermissionDenied, Text: "the file may not be read (SQLITE_PERM)"},
	5:  {Kind: dialect.LockTimeout, Text: "a writer held its lock for longer than lock_timeout (SQLITE_BUSY)"},
	6:  {Kind: dialect.LockTimeout, Text: "a writer held its lock for longer than lock_timeout (SQLITE_LOCKED)"},
	8:  {Kind: dialect.PermissionDenied, Text: "the statement would have written (SQLITE_READONLY)"},
	9:  {Kind: dialect.Timeout, Text: "the statement ran for longer than query_timeout (SQLITE_INTERRUPT)"},
	10: {Kind: dialect.Unreachable, Text: "the file cannot be read (SQLITE_IOERR)"},
	11: {Kind: dialect.Corrupt, Text: "the file is damaged (SQLITE_CORRUPT)"},
	14: {Kind: dialect.Unreachable, Text: "the file cannot be opened: check that it exists, that the collector may read it and, in WAL mode, that it may write to its folder or that a writer has it open (SQLITE_CANTOPEN)"},
	23: {Kind: dialect.PermissionDenied, Text: "the statement is not allowed (SQLITE_AUTH)"},
	26: {Kind: dialect.Corrupt, Text: "the file is no SQLite database (SQLITE_NOTADB)"},
}

// Explain goes by the result code alone.
func (Dialect) Explain(err error) dialect.Failure {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return dialect.ExplainAny(err)
	}
	const primary = 0xff // extended codes have the primary one in the lowest byte
	if known, ok := codes[failure.Code()&primary]; ok {
		return known
	}
	return dialect.Failure{Kind: dialect.QueryFailed, Text: fmt.Sprintf("SQLite refused the statement with result code %d (its message is withheld, it can quote values)", failure.Code())}
}
