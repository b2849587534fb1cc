// Package dialect is what the receiver needs to know of a database engine. Each
// engine is one folder here that implements Dialect; dialecttest says when it is
// done.
package dialect

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/load"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/schema"
)

// Dialect is one engine. It holds no state and is safe for concurrent use.
type Dialect interface {
	// System is the value of db.system.name.
	System() string
	// Locate reads a data source, without I/O. Its errors never quote the data
	// source, which may hold a password.
	Locate(datasource string) (Location, error)
	// Check says what is wrong with how the table is configured, naming the key.
	Check(Table) error
	// EntityName is how OpenLineage names the table.
	EntityName(Location, Table) string
	// Open gives a pool, without I/O. Its sessions MUST be unable to write,
	// whatever statement they are given, and MUST keep to the limits.
	Open(datasource string, limits Limits) (*sql.DB, error)
	// Shape reads the table's columns from the catalogue, without touching the
	// table. It returns ErrTableMissing where there is none.
	Shape(context.Context, Querier, Table) (Shape, error)
	// Reference is the table for a FROM clause, quoted.
	Reference(Table) string
	// Quote makes an identifier of any name.
	Quote(name string) string
	// Newest gives aggregate expressions over a column of times, each in Unix
	// seconds as a double: of values that know their offset from UTC, and of
	// those that do not (as if they were UTC). A value that is no finite time
	// MUST count as NULL. An error says that the type holds no times.
	Newest(Column) (zoned, local string, err error)
	// LoadType gives an expression for the load.Type of id, a value of the column, as an integer.
	LoadType(column Column, id string) string
	// Size is an expression for the bytes of the table, or NULL where the engine
	// cannot tell cheaply.
	Size(Shape) string
	// Explain says why a statement failed without quoting any value that the
	// database holds.
	Explain(error) Failure
}

// Location is what a data source tells of its database.
type Location struct {
	// Namespace of its datasets, as OpenLineage names it.
	Namespace string
	// Database is the name, or absolute path, that comes first in a dataset's name.
	Database string
}

// Limits bound what one session may ask of the database.
type Limits struct {
	Query       time.Duration // longest run of one statement
	Lock        time.Duration // longest wait for a lock
	Application string        // how the session calls itself
}

// Table is a table and the roles of its columns; empty ones have none.
type Table struct {
	Schema    string
	Name      string
	Timestamp string
	Load      string
	Key       []string
}

// Column is one column of a Shape.
type Column struct {
	schema.Column
	// Base is the type below a domain, else the same as Type.
	Base string
}

// Shape is what the catalogue says of a table.
type Shape struct {
	Columns []Column
	// OID identifies the table in PostgreSQL.
	OID uint32
	// Kind is the engine's own letter or word for table, view and the like.
	Kind string
}

// Column finds a column by name.
func (s Shape) Column(name string) (Column, bool) {
	for _, c := range s.Columns {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}

// Schema is the columns as the engine types them.
func (s Shape) Schema() []schema.Column {
	columns := make([]schema.Column, len(s.Columns))
	for i, c := range s.Columns {
		columns[i] = c.Column
	}
	return columns
}

// Querier runs a statement: a transaction, a connection or a pool.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Measurement is what one scan of a table found.
type Measurement struct {
	Rows int64
	// Zoned and Local are the newest times with and without an offset, in Unix
	// seconds; Local as if it were UTC. NULL: there are none.
	Zoned, Local sql.NullFloat64
	Size         sql.NullInt64 // bytes
	Duplicates   sql.NullInt64 // rows whose key another row has, beyond the first
	Loads        []Load        // the newest ones, oldest first
}

// Load is one load as the table holds it. ID may be a data value: see load.ID.
type Load struct {
	ID   string
	Type load.Type
	Rows int64
}

// ErrTableMissing says that the catalogue does not know the table.
var ErrTableMissing = errors.New("the table does not exist, or its schema may not be used")

// Kind is why a measurement failed. The list is closed; the values are error.type.
type Kind string

const (
	TableMissing         Kind = "table_missing"
	ColumnMissing        Kind = "column_missing"
	ColumnUnsuitable     Kind = "column_unsuitable" // of a type that cannot play its role
	PermissionDenied     Kind = "permission_denied"
	AuthenticationFailed Kind = "authentication_failed"
	Timeout              Kind = "timeout"
	LockTimeout          Kind = "lock_timeout"
	Unreachable          Kind = "unreachable"
	Hanging              Kind = "hanging" // an earlier statement has not come back, even though it was ended
	Corrupt              Kind = "corrupt"
	QueryFailed          Kind = "query_failed"
)

// WholeDatabase reports whether the other tables of the database must fail the same way.
func (k Kind) WholeDatabase() bool {
	switch k {
	case AuthenticationFailed, Unreachable, Hanging, Corrupt:
		return true
	default:
		return false
	}
}

// Failure is why something could not be measured. Text is fit for logs.
type Failure struct {
	Kind Kind
	Text string
}

// Error makes a Failure an error.
func (f Failure) Error() string { return f.Text }
