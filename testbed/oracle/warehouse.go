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

// TaskRun is one run and one of its tasks, by Airflow's own word.
type TaskRun struct {
	State string    // of the run
	Load  int64     // that the run owes: the pipelines name it by the milliseconds of its run_after
	Tries int       // of the task
	Ended time.Time // when the task's latest try ended
}

// FileRun reads one run from the metadata of an Airflow on SQLite.
func FileRun(ctx context.Context, path, dag, run, task string) (TaskRun, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return TaskRun{}, fmt.Errorf("open Airflow's metadata: %w", err)
	}
	defer db.Close()
	var r TaskRun
	var after time.Time
	var ended sql.NullTime
	err = db.QueryRowContext(ctx, `SELECT r.state, r.run_after, t.try_number, t.end_date FROM dag_run r
		JOIN task_instance t ON t.dag_id = r.dag_id AND t.run_id = r.run_id
		WHERE r.dag_id = ? AND r.run_id = ? AND t.task_id = ?`, dag, run, task).Scan(&r.State, &after, &r.Tries, &ended)
	if err != nil {
		return TaskRun{}, fmt.Errorf("read the run %s of %s: %w", run, dag, err)
	}
	r.Load, r.Ended = after.UnixMilli(), ended.Time
	return r, nil
}
