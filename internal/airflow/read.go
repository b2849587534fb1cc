package airflow

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Health asks the monitor. It needs no login.
func (c *Client) Health(ctx context.Context) (Health, error) {
	type part struct {
		Status    string    `json:"status"`
		Scheduler time.Time `json:"latest_scheduler_heartbeat"`
		Triggerer time.Time `json:"latest_triggerer_heartbeat"`
		Processor time.Time `json:"latest_dag_processor_heartbeat"`
	}
	var a struct {
		Database  part `json:"metadatabase"`
		Scheduler part `json:"scheduler"`
		Triggerer part `json:"triggerer"`
		Processor part `json:"dag_processor"`
	}
	at, err := c.get(ctx, "/monitor/health", nil, &a)
	if err != nil {
		return Health{}, err
	}
	if a.Database.Status == "" {
		return Health{}, &Error{Status: http.StatusOK, Method: http.MethodGet, Path: c.api + "/monitor/health", Detail: "no metadatabase in the answer"}
	}
	return Health{
		MetadataDatabase: ComponentHealth{Status: a.Database.Status},
		Scheduler:        ComponentHealth{Status: a.Scheduler.Status, Heartbeat: a.Scheduler.Scheduler},
		Triggerer:        ComponentHealth{Status: a.Triggerer.Status, Heartbeat: a.Triggerer.Triggerer},
		DAGProcessor:     ComponentHealth{Status: a.Processor.Status, Heartbeat: a.Processor.Processor},
		ServerTime:       at,
	}, nil
}

// Version returns Airflow's version.
func (c *Client) Version(ctx context.Context) (string, error) {
	var a struct {
		Version string `json:"version"`
	}
	_, err := c.get(ctx, "/version", nil, &a)
	return a.Version, err
}

// DAG returns one DAG.
func (c *Client) DAG(ctx context.Context, dag string) (DAG, error) {
	var a DAG
	err := c.one(ctx, &a, func() bool { return a.ID == dag }, "dags", dag)
	return a, err
}

// Tasks returns the tasks of a DAG.
func (c *Client) Tasks(ctx context.Context, dag string) ([]Task, error) {
	var a struct {
		Tasks []Task `json:"tasks"`
	}
	err := c.one(ctx, &a, func() bool { return a.Tasks != nil }, "dags", dag, "tasks")
	return a.Tasks, err
}

// DAGRun returns one run.
func (c *Client) DAGRun(ctx context.Context, dag, run string) (DAGRun, error) {
	var a DAGRun
	err := c.one(ctx, &a, func() bool { return a.ID == run && a.DAGID == dag && a.State != "" }, "dags", dag, "dagRuns", run)
	return a, err
}

// TaskInstance returns one task of a run in its present try; mapIndex is
// [NotMapped] for a task that is not mapped.
func (c *Client) TaskInstance(ctx context.Context, dag, run, task string, mapIndex int) (TaskInstance, error) {
	var a TaskInstance
	path := []string{"dags", dag, "dagRuns", run, "taskInstances", task}
	if mapIndex > NotMapped {
		path = append(path, strconv.Itoa(mapIndex))
	}
	err := c.one(ctx, &a, func() bool { return a.TaskID == task && a.RunID == run && a.DAGID == dag }, path...)
	return a, err
}

// TaskInstanceTries returns the tries of a task in a run, oldest first, the
// present one included. Their ID is empty.
func (c *Client) TaskInstanceTries(ctx context.Context, dag, run, task string, mapIndex int) ([]TaskInstance, error) {
	var a struct {
		Tries []TaskInstance `json:"task_instances"`
	}
	path := []string{"dags", dag, "dagRuns", run, "taskInstances", task}
	if mapIndex > NotMapped {
		path = append(path, strconv.Itoa(mapIndex))
	}
	err := c.one(ctx, &a, func() bool { return a.Tries != nil }, append(path, "tries")...)
	return a.Tries, err
}

// verdicts are the events by which the scheduler fails a try that cannot say so
// itself: its process is gone, or was never begun.
var verdicts = []string{"heartbeat timeout", "state mismatch", "stuck in queued tries exceeded"}

// SchedulerVerdicts returns why the scheduler itself failed a try, newest first;
// the log of the try says nothing of it.
func (c *Client) SchedulerVerdicts(ctx context.Context, dag, run, task string, mapIndex, try int) ([]Event, error) {
	var a struct {
		Events []Event `json:"event_logs"`
	}
	q := url.Values{
		"dag_id": {dag}, "run_id": {run}, "task_id": {task}, "map_index": {strconv.Itoa(mapIndex)}, "try_number": {strconv.Itoa(try)},
		"included_events": verdicts, "order_by": {"-when"}, "limit": {"5"},
	}
	if _, err := c.get(ctx, "/eventLogs", q, &a); err != nil {
		return nil, err
	}
	if a.Events == nil {
		return nil, &Error{Status: http.StatusOK, Method: http.MethodGet, Path: c.api + "/eventLogs", Detail: "no list of event_logs in the answer"}
	}
	return a.Events, nil
}

// one reads one resource; ok says whether the answer is about what was asked, so
// that an empty or foreign object is an error and not a zero value.
func (c *Client) one(ctx context.Context, v any, ok func() bool, segments ...string) error {
	path, err := join(http.MethodGet, segments...)
	if err != nil {
		return err
	}
	if _, err := c.get(ctx, path, nil, v); err != nil {
		return err
	}
	if !ok() {
		return &Error{Status: http.StatusOK, Method: http.MethodGet, Path: c.api + path, Detail: "the answer is not about what was asked"}
	}
	return nil
}

// DAGs lists the DAGs that are not stale, by ID, in pages.
func (c *Client) DAGs(ctx context.Context, pageSize int) iter.Seq2[Page[DAG], error] {
	return pages[DAG](ctx, c, "/dags", "dags", url.Values{"order_by": {"dag_id"}}, pageSize)
}

// Pools lists the pools.
func (c *Client) Pools(ctx context.Context, pageSize int) iter.Seq2[Page[Pool], error] {
	return pages[Pool](ctx, c, "/pools", "pools", url.Values{"order_by": {"id"}}, pageSize)
}

// ImportErrors lists the DAG files that cannot be loaded.
func (c *Client) ImportErrors(ctx context.Context, pageSize int) iter.Seq2[Page[ImportError], error] {
	return pages[ImportError](ctx, c, "/importErrors", "import_errors", url.Values{"order_by": {"id"}}, pageSize)
}

// Assets lists the assets with the tasks that declare them.
func (c *Client) Assets(ctx context.Context, pageSize int) iter.Seq2[Page[Asset], error] {
	return pages[Asset](ctx, c, "/assets", "assets", url.Values{"order_by": {"id"}}, pageSize)
}

// Filter chooses DAG runs or task instances; what is zero does not restrict.
type Filter struct {
	// DAGID and RunID restrict to one DAG and one run of it.
	DAGID, RunID string
	// TaskID restricts to one task; it has no meaning for DAG runs.
	TaskID string
	// UpdatedSince restricts to what changed then or later, on the clock of
	// Airflow's database rows. It is the only date that every change moves.
	UpdatedSince time.Time
	StartedSince time.Time
	EndedSince   time.Time
	States       []string
	// OrderBy is id where it is empty: Airflow's own order, oldest first. A minus
	// in front of a name turns the order around. updated_at is no order that Airflow knows.
	OrderBy  string
	PageSize int
	// After continues a list where an earlier one stopped: the Next of its last page.
	// The rest of the filter must be the same.
	After string
}

func (f Filter) query() url.Values {
	q := url.Values{"order_by": {"id"}, "cursor": {""}}
	if f.OrderBy != "" {
		q.Set("order_by", f.OrderBy)
	}
	for name, t := range map[string]time.Time{"updated_at_gte": f.UpdatedSince, "start_date_gte": f.StartedSince, "end_date_gte": f.EndedSince} {
		if !t.IsZero() {
			q.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	if len(f.States) > 0 {
		q["state"] = f.States
	}
	if offset, ok := strings.CutPrefix(f.After, byOffset); ok {
		q.Del("cursor")
		q.Set("offset", offset)
	} else {
		q.Set("cursor", f.After)
	}
	return q
}

// DAGRuns lists runs in pages. A filter's RunID is not used: ask [Client.DAGRun].
func (c *Client) DAGRuns(ctx context.Context, f Filter) iter.Seq2[Page[DAGRun], error] {
	path, err := scope("dagRuns", named{"dags", f.DAGID})
	if err != nil {
		return failed[DAGRun](err)
	}
	return pages[DAGRun](ctx, c, path, "dag_runs", f.query(), f.PageSize)
}

// TaskInstances lists tasks of runs in pages, mapped ones each by itself.
func (c *Client) TaskInstances(ctx context.Context, f Filter) iter.Seq2[Page[TaskInstance], error] {
	path, err := scope("taskInstances", named{"dags", f.DAGID}, named{"dagRuns", f.RunID})
	if err != nil {
		return failed[TaskInstance](err)
	}
	q := f.query()
	if f.TaskID != "" {
		q.Set("task_id", f.TaskID)
	}
	return pages[TaskInstance](ctx, c, path, "task_instances", q, f.PageSize)
}

// named is one thing of a collection.
type named struct{ collection, name string }

// scope is the path of a collection below things of which an empty name means all.
func scope(collection string, parents ...named) (string, error) {
	var path strings.Builder
	for _, p := range parents {
		part := "/" + p.collection + "/~"
		if p.name != "" {
			var err error
			if part, err = join(http.MethodGet, p.collection, p.name); err != nil {
				return "", err
			}
		}
		path.WriteString(part)
	}
	return path.String() + "/" + collection, nil
}

func failed[T any](err error) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) { yield(Page[T]{}, err) }
}

// byOffset marks a Next that counts. Airflow's own cursors are base64url and have no colon.
const byOffset = "offset:"

// DefaultPageSize is Airflow's highest unless an administrator raised it.
const DefaultPageSize = 100

// pages walks a list until it ends, fails or the caller stops. Where the server
// offers cursors (3.2.2 and later) it follows them, so rows that come or go
// between two pages make it neither skip nor repeat others; elsewhere it counts.
func pages[T any](ctx context.Context, c *Client, path, field string, q url.Values, size int) iter.Seq2[Page[T], error] {
	if size <= 0 {
		size = DefaultPageSize
	}
	q.Set("limit", strconv.Itoa(size))
	return func(yield func(Page[T], error) bool) {
		read, _ := strconv.Atoi(q.Get("offset"))
		for {
			var raw map[string]json.RawMessage
			at, err := c.get(ctx, path, q, &raw)
			if err != nil {
				yield(Page[T]{}, err)
				return
			}
			var items []T
			var next *string
			total := -1
			broken := func(detail string, err error) {
				yield(Page[T]{}, &Error{Status: http.StatusOK, Method: http.MethodGet, Path: c.api + path, Detail: detail, Err: err})
			}
			if err := json.Unmarshal(raw[field], &items); err != nil || items == nil {
				broken("no list of "+field+" in the answer", nil)
				return
			}
			if t, ok := raw["total_entries"]; ok {
				if err := json.Unmarshal(t, &total); err != nil {
					broken("total_entries is no number", nil)
					return
				}
			}
			if n, ok := raw["next_cursor"]; ok {
				if err := json.Unmarshal(n, &next); err != nil {
					broken("next_cursor is no text", nil)
					return
				}
			}
			page := Page[T]{Items: items, ServerTime: at}
			read += len(items)
			_, offered := raw["next_cursor"]
			switch {
			case q.Has("cursor") && offered:
				if next == nil || *next == "" {
					break
				}
				if *next == q.Get("cursor") || len(*next) > 4096 {
					broken("next_cursor does not move on", nil)
					return
				}
				page.Next = *next
				q.Set("cursor", *next)
			case len(items) > 0 && read < total:
				page.Next = byOffset + strconv.Itoa(read)
				q.Del("cursor")
				q.Set("offset", strconv.Itoa(read))
			}
			if !yield(page, nil) || page.Next == "" {
				return
			}
		}
	}
}
