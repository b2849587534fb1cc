// Package oracle finds out what really happened: it reads Airflow's own
// database and the target tables, and shares no code with what it judges.
package oracle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Airflow reads Airflow's metadata in PostgreSQL.
type Airflow struct{ db *pgxpool.Pool }

// Open connects to a database.
func Open(ctx context.Context, url string) (*pgxpool.Pool, error) {
	db, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect the oracle: %w", err)
	}
	return db, nil
}

// NewAirflow reads from the metadata database.
func NewAirflow(db *pgxpool.Pool) *Airflow { return &Airflow{db: db} }

// Try is one try of a task.
type Try struct {
	Number         int
	State          string
	Started, Ended *time.Time
}

// Tries lists what a task instance has tried so far, the first try first. A
// task that was cleared or that Airflow retries has its earlier tries in the history.
func (a *Airflow) Tries(ctx context.Context, dag, run, task string) ([]Try, error) {
	rows, err := a.db.Query(ctx, `
		SELECT try_number, coalesce(state, 'none'), start_date, end_date FROM (
			SELECT dag_id, run_id, task_id, try_number, state, start_date, end_date FROM task_instance
			UNION ALL
			SELECT dag_id, run_id, task_id, try_number, state, start_date, end_date FROM task_instance_history
		) tries
		WHERE dag_id = $1 AND run_id = $2 AND task_id = $3 AND start_date IS NOT NULL AND try_number > 0
		ORDER BY try_number, end_date NULLS LAST`, dag, run, task)
	if err != nil {
		return nil, fmt.Errorf("read the tries of %s/%s/%s: %w", dag, run, task, err)
	}
	tries, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Try])
	if err != nil {
		return nil, fmt.Errorf("read the tries of %s/%s/%s: %w", dag, run, task, err)
	}
	return tries, nil
}

// Run is one DAG run.
type Run struct {
	ID, State string
	Cleared   int   // how often Airflow counted a clear of the run
	Load      int64 // the load that the run owes, as its tasks name it
	Created   time.Time
}

// Runs lists all runs of a DAG, the oldest first.
func (a *Airflow) Runs(ctx context.Context, dag string) ([]Run, error) {
	rows, err := a.db.Query(ctx, `
		SELECT run_id, state, clear_number, floor(extract(epoch FROM run_after) * 1000)::bigint, queued_at
		FROM dag_run WHERE dag_id = $1 ORDER BY id`, dag)
	if err != nil {
		return nil, fmt.Errorf("read the runs of %s: %w", dag, err)
	}
	runs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Run])
	if err != nil {
		return nil, fmt.Errorf("read the runs of %s: %w", dag, err)
	}
	return runs, nil
}

// Run finds one run of a DAG.
func (a *Airflow) Run(ctx context.Context, dag, run string) (Run, error) {
	runs, err := a.Runs(ctx, dag)
	if err != nil {
		return Run{}, err
	}
	for _, r := range runs {
		if r.ID == run {
			return r, nil
		}
	}
	return Run{}, fmt.Errorf("Airflow has no run %s of %s", run, dag) //nolint:staticcheck // a proper noun
}

// Log counts in Airflow's audit table how often its API was asked for an event
// about a DAG, such as "clear_dag_run" or "post_clear_task_instances".
func (a *Airflow) Log(ctx context.Context, dag string) (map[string]int, error) {
	rows, err := a.db.Query(ctx, `SELECT event, count(*) FROM log WHERE dag_id = $1 GROUP BY event`, dag)
	if err != nil {
		return nil, fmt.Errorf("read Airflow's log of %s: %w", dag, err)
	}
	counts := map[string]int{}
	var event string
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&event, &n}, func() error { counts[event] = n; return nil }); err != nil {
		return nil, fmt.Errorf("read Airflow's log of %s: %w", dag, err)
	}
	return counts, nil
}

// ErrHeldNot is what Hold returns when a condition fails before its time is over.
var ErrHeldNot = errors.New("the condition did not hold")

// Hold checks the condition again and again for as long as d.
func Hold(ctx context.Context, d time.Duration, check func(context.Context) error) error {
	began := time.Now()
	for {
		if err := check(ctx); err != nil {
			return fmt.Errorf("%w for %s, only for %s: %w", ErrHeldNot, d, time.Since(began).Round(time.Second), err)
		}
		if time.Since(began) >= d {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrHeldNot, ctx.Err())
		case <-time.After(2 * time.Second):
		}
	}
}
