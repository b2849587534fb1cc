package oracle

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	_ "modernc.org/sqlite" // the demo's warehouse is a SQLite file
)

// Load is what a table holds of one load.
type Load struct {
	Rows     int
	Distinct int // different order IDs
}

// Duplicates is how many rows are there more than once.
func (l Load) Duplicates() int { return l.Rows - l.Distinct }

// Warehouse reads the target tables in PostgreSQL.
type Warehouse struct{ db *pgxpool.Pool }

// NewWarehouse reads from the warehouse's database.
func NewWarehouse(db *pgxpool.Pool) *Warehouse { return &Warehouse{db: db} }

// columns of a staging or orders table; the load is a number, loaded_at when the row was written.
const columns = ` (load_id bigint NOT NULL, order_id text NOT NULL, customer integer NOT NULL,
	amount double precision NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp())`

// Prepare makes the schemas with the tables staging, orders and report.
func (w *Warehouse) Prepare(ctx context.Context, schemas ...string) error {
	for _, s := range schemas {
		name := pgx.Identifier{s}.Sanitize()
		for _, q := range []string{
			"CREATE SCHEMA " + name,
			"CREATE TABLE " + name + ".staging" + columns,
			"CREATE TABLE " + name + ".orders" + columns,
			"CREATE TABLE " + name + ".report (load_id bigint PRIMARY KEY, customers integer, revenue double precision, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp())",
			"CREATE INDEX ON " + name + ".orders (load_id)",
			"CREATE INDEX ON " + name + ".staging (load_id)",
		} {
			if _, err := w.db.Exec(ctx, q); err != nil {
				return fmt.Errorf("prepare the schema %s: %w", s, err)
			}
		}
	}
	return nil
}

// Load reads what a table has of one load.
func (w *Warehouse) Load(ctx context.Context, schema, table string, load int64) (Load, error) {
	var l Load
	err := w.db.QueryRow(ctx, "SELECT count(*), count(DISTINCT order_id) FROM "+pgx.Identifier{schema, table}.Sanitize()+" WHERE load_id = $1", load).
		Scan(&l.Rows, &l.Distinct)
	if err != nil {
		return Load{}, fmt.Errorf("read load %d of %s.%s: %w", load, schema, table, err)
	}
	return l, nil
}

// Loads counts the loads of a table.
func (w *Warehouse) Loads(ctx context.Context, schema, table string) (int, error) {
	var n int
	err := w.db.QueryRow(ctx, "SELECT count(DISTINCT load_id) FROM "+pgx.Identifier{schema, table}.Sanitize()).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count the loads of %s.%s: %w", schema, table, err)
	}
	return n, nil
}

// File reads the demo's warehouse, a SQLite file.
type File struct{ db *sql.DB }

// CreateFile makes the file with empty tables staging, orders and report.
func CreateFile(ctx context.Context, path string) (*File, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)")
	if err != nil {
		return nil, fmt.Errorf("create the warehouse: %w", err)
	}
	for _, q := range []string{
		"CREATE TABLE staging (load_id INTEGER NOT NULL, order_id TEXT NOT NULL, customer INTEGER NOT NULL, amount REAL NOT NULL)",
		"CREATE TABLE orders (load_id INTEGER NOT NULL, loaded_at TEXT NOT NULL, order_id TEXT NOT NULL, customer INTEGER NOT NULL, amount REAL NOT NULL)",
		"CREATE TABLE report (load_id INTEGER PRIMARY KEY, customers INTEGER, revenue REAL)",
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return nil, fmt.Errorf("create the warehouse: %w", err)
		}
	}
	return &File{db: db}, nil
}

// Load reads what orders has of one load.
func (f *File) Load(ctx context.Context, load int64) (Load, error) {
	var l Load
	err := f.db.QueryRowContext(ctx, "SELECT count(*), count(DISTINCT order_id) FROM orders WHERE load_id = ?", load).Scan(&l.Rows, &l.Distinct)
	if err != nil {
		return Load{}, fmt.Errorf("read load %d of the warehouse: %w", load, err)
	}
	return l, nil
}

// Close closes the file.
func (f *File) Close() error { return f.db.Close() }

// FileRun reads one run from the metadata of an Airflow on SQLite: its state,
// the load it owes (the pipelines name it by the milliseconds of the run's
// run_after), and how many tries its task has made.
func FileRun(ctx context.Context, path, dag, run, task string) (state string, load int64, tries int, err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return "", 0, 0, fmt.Errorf("open Airflow's metadata: %w", err)
	}
	defer db.Close()
	var after time.Time
	if err := db.QueryRowContext(ctx, "SELECT state, run_after FROM dag_run WHERE dag_id = ? AND run_id = ?", dag, run).Scan(&state, &after); err != nil {
		return "", 0, 0, fmt.Errorf("read the run %s of %s: %w", run, dag, err)
	}
	err = db.QueryRowContext(ctx, "SELECT coalesce(max(try_number), 0) FROM task_instance WHERE dag_id = ? AND run_id = ? AND task_id = ?", dag, run, task).Scan(&tries)
	if err != nil {
		return "", 0, 0, fmt.Errorf("read the tries of %s: %w", task, err)
	}
	return state, after.UnixMilli(), tries, nil
}
