package airflow

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// TaskRef names a task to clear: all its mapped instances with [NotMapped], else one.
type TaskRef struct {
	TaskID   string
	MapIndex int
}

// ClearRequest says which tasks of one run are to run again.
type ClearRequest struct {
	// DryRun only tells what would be cleared. Airflow's own default is true; here
	// false is false.
	DryRun bool
	RunID  string
	// Tasks to clear. An empty list is refused unless AllTasks says that every
	// task is meant.
	Tasks    []TaskRef
	AllTasks bool
	// OnlyFailed leaves out what has not failed. Downstream tasks that are
	// upstream_failed count as failed.
	OnlyFailed        bool
	IncludeUpstream   bool
	IncludeDownstream bool
	// ResetDAGRun sets the run back to queued, without which nothing is scheduled.
	ResetDAGRun bool
	// RefuseRunning makes Airflow answer 409 where one of the tasks is running,
	// queued or scheduled, instead of ending it.
	RefuseRunning bool
	// Note is put on the task instances, at most 1000 characters.
	Note string
}

// ClearTaskInstances clears tasks of a run and returns those that were (or with
// DryRun, would be) cleared. An unknown task or one that OnlyFailed leaves out is
// no error: the list is then without it.
func (c *Client) ClearTaskInstances(ctx context.Context, dag string, r ClearRequest) ([]TaskInstance, error) {
	path, err := join(http.MethodPost, "dags", dag, "clearTaskInstances")
	if err != nil {
		return nil, err
	}
	if r.RunID == "" || len(r.RunID) > maxID {
		return nil, invalid(http.MethodPost, c.api+path, "a clear needs a run")
	}
	if (len(r.Tasks) == 0) != r.AllTasks {
		return nil, invalid(http.MethodPost, c.api+path, "a clear needs either tasks or AllTasks")
	}
	body := map[string]any{
		"dry_run":              r.DryRun,
		"dag_run_id":           r.RunID,
		"only_failed":          r.OnlyFailed,
		"only_running":         false,
		"include_upstream":     r.IncludeUpstream,
		"include_downstream":   r.IncludeDownstream,
		"include_future":       false,
		"include_past":         false,
		"reset_dag_runs":       r.ResetDAGRun,
		"prevent_running_task": r.RefuseRunning,
	}
	if r.Note != "" {
		body["note"] = r.Note
	}
	if len(r.Tasks) > 0 {
		ids := make([]any, len(r.Tasks))
		for i, t := range r.Tasks {
			if t.TaskID == "" || len(t.TaskID) > maxID {
				return nil, invalid(http.MethodPost, c.api+path, fmt.Sprintf("task %d has no name", i))
			}
			ids[i] = t.TaskID
			if t.MapIndex > NotMapped {
				ids[i] = []any{t.TaskID, t.MapIndex}
			}
		}
		body["task_ids"] = ids
	}
	var a struct {
		TaskInstances []TaskInstance `json:"task_instances"`
	}
	if err := c.post(ctx, path, body, &a); err != nil {
		return nil, err
	}
	if a.TaskInstances == nil {
		return nil, c.unreadable(path, "no list of task_instances in the answer")
	}
	return a.TaskInstances, nil
}

// TriggerRequest describes a run to start.
type TriggerRequest struct {
	// RunID makes the trigger idempotent: a second one with the same ID is a conflict.
	RunID string
	// LogicalDate is none where it is zero.
	LogicalDate time.Time
	Conf        map[string]any
	Note        string
}

// TriggerDAGRun starts a run. Where the run ID or logical date is taken,
// [IsConflict] is true of the error and nothing was done.
func (c *Client) TriggerDAGRun(ctx context.Context, dag string, r TriggerRequest) (DAGRun, error) {
	path, err := join(http.MethodPost, "dags", dag, "dagRuns")
	if err != nil {
		return DAGRun{}, err
	}
	if r.RunID == "" || len(r.RunID) > maxID {
		return DAGRun{}, invalid(http.MethodPost, c.api+path, "a trigger needs a run ID, without which it could not be told from another")
	}
	body := map[string]any{"dag_run_id": r.RunID, "logical_date": nil}
	if !r.LogicalDate.IsZero() {
		body["logical_date"] = r.LogicalDate.UTC().Format(time.RFC3339Nano)
	}
	if r.Conf != nil {
		body["conf"] = r.Conf
	}
	if r.Note != "" {
		body["note"] = r.Note
	}
	var run DAGRun
	if err := c.post(ctx, path, body, &run); err != nil {
		return DAGRun{}, err
	}
	if run.ID != r.RunID {
		return run, c.unreadable(path, "the answer is not about the run that was asked for")
	}
	return run, nil
}

// unreadable is a success whose answer says too little; what it did is unclear.
func (c *Client) unreadable(path, detail string) error {
	return &Error{Status: http.StatusOK, Method: http.MethodPost, Path: c.api + path, Detail: detail, Sent: true}
}
