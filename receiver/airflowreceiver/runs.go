package airflowreceiver

import (
	"strconv"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/ledger"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/record"
)

// since is from when on changes of a list are asked for.
func (r *round) since(c ledger.Cursor) time.Time {
	return r.ledger.Cursor(c).Add(-r.cfg.Overlap)
}

// scan reads what has not ended and then what changed, and at last asks for what
// should be there and was in neither.
func scan[T any](r *round, c ledger.Cursor, open []string, pages func(airflow.Filter) pageSeq[T], take func([]T) error, ask func(ledger.Key) error) error {
	since := r.since(c)
	unfinished := r.list("open " + string(c))
	read := func(f airflow.Filter) func(string) pageSeq[T] {
		return func(after string) pageSeq[T] {
			f.After, f.PageSize = after, r.cfg.PageSize
			return pages(f)
		}
	}
	openDone, err := walk(r, unfinished, read(airflow.Filter{States: open}), take)
	if err != nil {
		return err
	}
	changes := r.list("changed " + string(c))
	changesDone, err := walk(r, changes, read(airflow.Filter{UpdatedSince: since}), take)
	if err != nil {
		return err
	}
	if changesDone {
		r.ledger.Advance(c, changes.began)
		*changes = list{}
	}
	if !openDone {
		return nil
	}
	began := unfinished.began
	*unfinished = list{}
	if !changesDone {
		return nil
	}
	for _, k := range r.ledger.Unseen(began, c == ledger.Tasks, r.cfg.MaxDetails) {
		if err := r.detail(); err != nil {
			return err
		}
		err := ask(k)
		if airflow.IsNotFound(err) {
			err = r.gone(k)
		}
		if err != nil {
			return err
		}
		r.got()
	}
	return nil
}

// gone tells the end of what Airflow no longer has: what a person deleted, and the
// task that stands for mapped ones until they are made. It is no failure.
func (r *round) gone(k ledger.Key) error {
	run := record.Run{DAG: k.DAG, RunID: k.Run, Task: k.Task, MapIndex: k.MapIndex, Phase: observation.PhaseSkipped, At: r.server, Event: "gone"}
	r.known.of(&run, r.server)
	batch := r.source.NewBatch(r.now())
	batch.AddRun(run)
	if err := r.deliver(batch); err != nil {
		return err
	}
	r.ledger.Forget(k)
	return nil
}

// runs tells DAG runs.
func (r *round) runs() error {
	return scan(r, ledger.Runs, []string{airflow.StateQueued, airflow.StateRunning},
		func(f airflow.Filter) pageSeq[airflow.DAGRun] {
			return pageSeq[airflow.DAGRun](r.client.DAGRuns(r.read, f))
		},
		r.takeRuns,
		func(k ledger.Key) error {
			run, err := r.client.DAGRun(r.read, k.DAG, k.Run)
			if err != nil {
				return err
			}
			return r.takeRuns([]airflow.DAGRun{run})
		})
}

// change is what one row adds to a batch and, once that is delivered, to what is remembered.
type change struct {
	key     ledger.Key
	entry   ledger.Entry
	records []record.Run
	name    string
}

func (r *round) takeRuns(rows []airflow.DAGRun) error {
	var changes []change
	for _, row := range rows {
		if !r.filter.matches(row.DAGID) || r.badNames(row.DAGID, row.ID) {
			continue
		}
		key := ledger.Key{DAG: row.DAGID, Run: row.ID}
		at := row.QueuedAt
		switch {
		case record.Ended(row.State):
			at = row.EndDate
		case row.State == airflow.StateRunning:
			at = row.StartDate
		}
		entry := ledger.Entry{State: row.State, Stamp: stamp(at), Ended: record.Ended(row.State), Seen: r.server.Unix()}
		c := change{key: key, entry: entry, name: key.DAG + "\x1f" + key.Run}
		run := record.Run{DAG: row.DAGID, RunID: row.ID, Phase: record.Phase(row.State), Start: row.StartDate, End: row.EndDate}
		if !entry.Ended {
			run.End = time.Time{}
		}
		old, known := r.ledger.Get(key)
		if c.records = r.state(run, at, entry.Stamp, !known || !old.Same(entry), entry.Ended, c.name); len(c.records) > 0 || known {
			changes = append(changes, c)
		}
	}
	return r.commit(changes)
}

// state is the record of a run's present state: of a change, or once a round that
// it still is so. None where there is nothing to say.
func (r *round) state(run record.Run, at time.Time, event int64, changed, ended bool, name string) []record.Run {
	switch {
	case changed:
		run.At, run.Event = at, strconv.FormatInt(event, 10)
		if !record.Plausible(at) {
			run.At = r.server
		}
	case ended || r.stated[name]:
		return nil
	default:
		run.At = r.server
		run.Event = "still " + r.server.UTC().Format(time.RFC3339)
	}
	r.known.of(&run, r.server)
	return []record.Run{run}
}

func stamp(t time.Time) int64 {
	if !record.Plausible(t) {
		return 0
	}
	return t.UnixMicro()
}

// commit delivers changes and then remembers them.
func (r *round) commit(changes []change) error {
	batch := r.source.NewBatch(r.now())
	for _, c := range changes {
		for _, run := range c.records {
			batch.AddRun(run)
		}
	}
	if err := r.deliver(batch); err != nil {
		return err
	}
	for _, c := range changes {
		r.ledger.Put(c.key, c.entry)
		if len(c.records) > 0 {
			r.stated[c.name] = true
		}
		for _, run := range c.records {
			r.duration(run)
		}
	}
	return nil
}

// duration keeps how long a run took until the metrics are delivered.
func (r *round) duration(run record.Run) {
	state := run.Phase
	if state == observation.PhaseRetrying && run.Failure != nil {
		state = observation.PhaseFailed
	}
	if (state != observation.PhaseSucceeded && state != observation.PhaseFailed) || r.metrics == nil {
		return
	}
	if !record.Plausible(run.Start) || !record.Plausible(run.End) || run.End.Before(run.Start) {
		return
	}
	r.durations = append(r.durations, duration{
		job: record.JobName(run.DAG, run.Task), state: string(state), end: run.End, took: run.End.Sub(run.Start),
	})
	if len(r.durations) > maxDurations {
		r.bound("durations")
		r.durations = r.durations[1:]
	}
}

// maxDurations bounds the durations that wait for a metrics pipeline that refuses them.
const maxDurations = 50_000
