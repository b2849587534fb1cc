package airflowreceiver

import (
	"hash/fnv"
	"strconv"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/ledger"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/record"
)

// unfinishedTasks are the states that something follows.
var unfinishedTasks = []string{
	airflow.StateNone, airflow.StateScheduled, airflow.StateQueued, airflow.StateRunning, airflow.StateRestarting,
	airflow.StateDeferred, airflow.StateUpForRetry, airflow.StateUpForReschedule,
}

// tasks tells task instances.
func (r *round) tasks() error {
	return scan(r, ledger.Tasks, unfinishedTasks,
		func(f airflow.Filter) pageSeq[airflow.TaskInstance] {
			return pageSeq[airflow.TaskInstance](r.client.TaskInstances(r.read, f))
		},
		r.takeTasks,
		func(k ledger.Key) error {
			ti, err := r.client.TaskInstance(r.read, k.DAG, k.Run, k.Task, k.MapIndex)
			if err != nil {
				return err
			}
			return r.takeTasks([]airflow.TaskInstance{ti})
		})
}

// maxTry is the highest try that is believed.
const maxTry = 1_000_000

// takeTasks tells a page of task instances. Where the budget or Airflow ends it in
// the middle, what came before is delivered and the page comes again.
func (r *round) takeTasks(rows []airflow.TaskInstance) error {
	var changes []change
	var stopped error
	for _, row := range rows {
		if !r.filter.matches(row.DAGID) || r.badNames(row.DAGID, row.RunID, row.TaskID) {
			continue
		}
		if row.MapIndex < airflow.NotMapped || row.TryNumber < 0 || row.TryNumber > maxTry {
			r.count(r.ctx, r.telemetry.AirflowErrors, "kind", "malformed")
			continue
		}
		c, err := r.task(row)
		if err != nil {
			stopped = err
			break
		}
		changes = append(changes, c)
	}
	if err := r.commit(changes); err != nil {
		return err
	}
	return stopped
}

// task compares a row with what was told of it.
func (r *round) task(row airflow.TaskInstance) (change, error) {
	key := ledger.Key{DAG: row.DAGID, Run: row.RunID, Task: row.TaskID, MapIndex: row.MapIndex}
	old, known := r.ledger.Get(key)
	at := reached(row)
	ended := record.Ended(row.State)
	entry := ledger.Entry{State: row.State, Try: row.TryNumber, Stamp: stamp(at), Told: old.Told, Ended: ended, Seen: r.server.Unix()}
	if ended && !ran(row.State) {
		// Such a state keeps its dates when it is cleared and reached again; the
		// instance's ID is new each time.
		entry.Stamp = hash(row.ID)
		if known && at.Unix() <= old.Seen {
			at = r.server
		}
	}
	c := change{key: key, name: key.DAG + "\x1f" + key.Run + "\x1f" + key.Task + "\x1f" + strconv.Itoa(key.MapIndex)}

	// Tries that came and went since the last poll. While a try is under way those
	// before it have ended; of a cleared task that has not been scheduled again,
	// all have.
	over := row.TryNumber - 1
	if row.State == "" {
		over = row.TryNumber
	}
	if over > old.Told {
		missed, err := r.missed(row, old, known, over)
		if err != nil {
			return change{}, err
		}
		c.records = missed
		entry.Told = over
	}

	run := record.Run{
		DAG: row.DAGID, RunID: row.RunID, Task: row.TaskID, MapIndex: row.MapIndex,
		Phase: record.Phase(row.State), Try: row.TryNumber, Attempt: attempt(row), Start: row.StartDate, End: row.EndDate,
	}
	tryOver := ended || row.State == airflow.StateUpForRetry
	if !tryOver {
		run.End = time.Time{}
	}
	if run.Phase == observation.PhaseQueued {
		run.Start = time.Time{}
	}
	changed := !known || !old.Same(entry)
	if changed && tryOver {
		entry.Told = max(entry.Told, row.TryNumber)
		if row.State == airflow.StateFailed || row.State == airflow.StateUpForRetry {
			failure, err := r.failure(key, row.TryNumber)
			if err != nil {
				return change{}, err
			}
			run.Failure = failure
		}
	}
	c.records = append(c.records, r.state(run, at, entry.Stamp, changed, ended, c.name)...)
	c.entry = entry
	return c, nil
}

// reached is when a task instance came to its state; zero where Airflow does not tell.
func reached(row airflow.TaskInstance) time.Time {
	switch {
	case record.Ended(row.State), row.State == airflow.StateUpForRetry:
		return row.EndDate
	case row.State == airflow.StateScheduled:
		return row.ScheduledWhen
	case row.State == airflow.StateQueued:
		return row.QueuedWhen
	case row.State == "":
		return time.Time{}
	}
	return row.StartDate
}

// ran is true of ends that a try came to by running.
func ran(state string) bool {
	return state == airflow.StateSuccess || state == airflow.StateFailed
}

func hash(s string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return int64(h.Sum64())
}

// attempt counts tries from 1. A task that waits to be scheduled waits for its next.
func attempt(row airflow.TaskInstance) int {
	if row.State == "" {
		return row.TryNumber + 1
	}
	return max(row.TryNumber, 1)
}

// missed tells the ends of tries up to a number that were not told. Of a task that
// was not known, only those that ended since changes are followed.
func (r *round) missed(row airflow.TaskInstance, old ledger.Entry, known bool, upTo int) ([]record.Run, error) {
	if err := r.detail(); err != nil {
		return nil, err
	}
	tries, err := r.client.TaskInstanceTries(r.read, row.DAGID, row.RunID, row.TaskID, row.MapIndex)
	name := row.DAGID + "/" + row.RunID + "/" + row.TaskID + "/" + strconv.Itoa(row.MapIndex)
	if err != nil {
		// Where they cannot be read, the present try is told without them.
		return nil, r.again("tries", name, err)
	}
	r.got()
	delete(r.unread, "tries "+name)
	horizon := r.since(ledger.Tasks)
	var runs []record.Run
	for _, t := range tries {
		if t.TryNumber <= old.Told || t.TryNumber > upTo || !record.Ended(t.State) {
			continue
		}
		if !known && t.EndDate.Before(horizon) {
			continue
		}
		key := ledger.Key{DAG: row.DAGID, Run: row.RunID, Task: row.TaskID, MapIndex: row.MapIndex}
		run := record.Run{
			DAG: key.DAG, RunID: key.Run, Task: key.Task, MapIndex: key.MapIndex, Phase: record.Phase(t.State),
			Try: t.TryNumber, Attempt: t.TryNumber, Start: t.StartDate, End: t.EndDate, At: t.EndDate,
			Event: strconv.FormatInt(stamp(t.EndDate), 10),
		}
		if t.State == airflow.StateFailed {
			if t.TryNumber <= t.MaxTries {
				run.Phase = observation.PhaseRetrying
			}
			if run.Failure, err = r.failure(key, t.TryNumber); err != nil {
				return nil, err
			}
		}
		r.known.of(&run, r.server)
		runs = append(runs, run)
	}
	return runs, nil
}

// maxReads is how often a log or a history that cannot be read is tried, once a
// poll, before the record is delivered without it.
const maxReads = 3

// again decides about something that could not be read: an error asks for it to be
// tried at the next poll, nil means to go on without.
func (r *round) again(what, name string, err error) error {
	name = what + " " + name
	if r.outOfTime(err) {
		return err
	}
	r.unread[name]++
	temporary := airflow.IsRetryable(err) || airflow.IsUnauthorized(err)
	if temporary && r.unread[name] < maxReads && len(r.unread) < r.cfg.MaxTracked {
		return err
	}
	r.count(r.ctx, r.telemetry.AirflowErrors, "kind", what+"_"+airflow.Kind(err))
	delete(r.unread, name)
	return nil
}

// failure reads why a try failed; nil where its log does not tell.
func (r *round) failure(k ledger.Key, try int) (*record.Failure, error) {
	if try == 0 {
		return nil, nil // it never ran
	}
	if err := r.detail(); err != nil {
		return nil, err
	}
	log, err := r.client.TaskLog(r.read, k.DAG, k.Run, k.Task, k.MapIndex, try,
		airflow.LogLimits{MaxBytes: r.cfg.LogTail.MaxBytes, MaxLines: r.cfg.LogTail.MaxLines, MaxLine: 2 << 10})
	name := k.DAG + "/" + k.Run + "/" + k.Task + "/" + strconv.Itoa(k.MapIndex) + "/" + strconv.Itoa(try)
	var failure *record.Failure
	if err == nil {
		r.got()
		delete(r.unread, "log "+name)
		if log.Truncated {
			r.bound("log_bytes")
		}
		failure = record.NewFailure(log)
	} else if err := r.again("log", name, err); err != nil {
		return nil, err
	}
	if failure.Tells() {
		return failure, nil
	}
	if err := r.detail(); err != nil {
		return nil, err
	}
	events, err := r.client.SchedulerVerdicts(r.read, k.DAG, k.Run, k.Task, k.MapIndex, try)
	if airflow.IsForbidden(err) || airflow.IsNotFound(err) {
		return failure, nil // the login may not see them
	}
	if err != nil {
		return failure, r.again("events", name, err)
	}
	r.got()
	delete(r.unread, "events "+name)
	return failure.Verdict(events), nil
}
