package airflow

import "time"

// NotMapped is the map index of a task that is not mapped.
const NotMapped = -1

// States of DAG runs and task instances. A task instance that nothing has
// happened to yet has no state: the empty string, which filters call [StateNone].
const (
	StateNone            = "none"
	StateScheduled       = "scheduled"
	StateQueued          = "queued"
	StateRunning         = "running"
	StateRestarting      = "restarting"
	StateDeferred        = "deferred"
	StateUpForRetry      = "up_for_retry"
	StateUpForReschedule = "up_for_reschedule"
	StateSuccess         = "success"
	StateFailed          = "failed"
	StateUpstreamFailed  = "upstream_failed"
	StateSkipped         = "skipped"
	StateRemoved         = "removed"
)

// Health is what the monitor says of Airflow's parts.
type Health struct {
	MetadataDatabase ComponentHealth
	Scheduler        ComponentHealth
	Triggerer        ComponentHealth
	DAGProcessor     ComponentHealth
	// ServerTime is the API server's clock, zero where it did not tell.
	ServerTime time.Time
}

// ComponentHealth is one part's. Status is healthy, unhealthy, or empty where the
// part is not installed; Heartbeat is zero where none is known.
type ComponentHealth struct {
	Status    string
	Heartbeat time.Time
}

// DAG is a pipeline.
type DAG struct {
	ID              string    `json:"dag_id"`
	Paused          bool      `json:"is_paused"`
	Stale           bool      `json:"is_stale"`
	Owners          []string  `json:"owners"`
	Tags            []Tag     `json:"tags"`
	BundleName      string    `json:"bundle_name"`
	FileLocation    string    `json:"relative_fileloc"`
	Timetable       string    `json:"timetable_summary"`
	HasImportErrors bool      `json:"has_import_errors"`
	NextRunAfter    time.Time `json:"next_dagrun_run_after"`
	NextLogicalDate time.Time `json:"next_dagrun_logical_date"`
	MaxActiveRuns   int       `json:"max_active_runs"`
	LastParsed      time.Time `json:"last_parsed_time"`
}

// Tag is a label of a DAG.
type Tag struct {
	Name string `json:"name"`
}

// Task is a node of a DAG.
type Task struct {
	ID                string   `json:"task_id"`
	Owner             string   `json:"owner"`
	DownstreamTaskIDs []string `json:"downstream_task_ids"`
	Mapped            bool     `json:"is_mapped"`
	Operator          string   `json:"operator_name"`
	Pool              string   `json:"pool"`
	Retries           float64  `json:"retries"`
	TriggerRule       string   `json:"trigger_rule"`
}

// DAGRun is one run of a DAG. Its dates are zero where Airflow has none.
type DAGRun struct {
	ID             string         `json:"dag_run_id"`
	DAGID          string         `json:"dag_id"`
	State          string         `json:"state"`
	RunType        string         `json:"run_type"`
	TriggeredBy    string         `json:"triggered_by"`
	LogicalDate    time.Time      `json:"logical_date"`
	RunAfter       time.Time      `json:"run_after"`
	QueuedAt       time.Time      `json:"queued_at"`
	StartDate      time.Time      `json:"start_date"`
	EndDate        time.Time      `json:"end_date"`
	LastScheduling time.Time      `json:"last_scheduling_decision"`
	Conf           map[string]any `json:"conf"`
	Note           string         `json:"note"`
}

// TaskInstance is one task in one run, in its present try. Airflow gives it a new
// ID for each try.
type TaskInstance struct {
	ID            string    `json:"id"`
	TaskID        string    `json:"task_id"`
	DAGID         string    `json:"dag_id"`
	RunID         string    `json:"dag_run_id"`
	MapIndex      int       `json:"map_index"`
	State         string    `json:"state"`
	TryNumber     int       `json:"try_number"`
	MaxTries      int       `json:"max_tries"`
	RunAfter      time.Time `json:"run_after"`
	LogicalDate   time.Time `json:"logical_date"`
	StartDate     time.Time `json:"start_date"`
	EndDate       time.Time `json:"end_date"`
	ScheduledWhen time.Time `json:"scheduled_when"`
	QueuedWhen    time.Time `json:"queued_when"`
	Operator      string    `json:"operator_name"`
	Pool          string    `json:"pool"`
	Note          string    `json:"note"`
}

// Pool limits how many tasks run at once.
type Pool struct {
	Name           string `json:"name"`
	Slots          int    `json:"slots"`
	OpenSlots      int    `json:"open_slots"`
	OccupiedSlots  int    `json:"occupied_slots"`
	RunningSlots   int    `json:"running_slots"`
	QueuedSlots    int    `json:"queued_slots"`
	ScheduledSlots int    `json:"scheduled_slots"`
	DeferredSlots  int    `json:"deferred_slots"`
}

// ImportError is a DAG file that cannot be loaded.
type ImportError struct {
	ID         int       `json:"import_error_id"`
	Timestamp  time.Time `json:"timestamp"`
	Filename   string    `json:"filename"`
	BundleName string    `json:"bundle_name"`
	StackTrace string    `json:"stack_trace"`
}

// Event is an entry of Airflow's event log.
type Event struct {
	When  time.Time `json:"when"`
	Event string    `json:"event"`
	Extra string    `json:"extra"`
}

// Asset is a dataset that tasks declare.
type Asset struct {
	ID             int             `json:"id"`
	Name           string          `json:"name"`
	URI            string          `json:"uri"`
	ProducingTasks []TaskReference `json:"producing_tasks"`
	ConsumingTasks []TaskReference `json:"consuming_tasks"`
	// ScheduledDAGs run when the asset was updated; their TaskID is empty.
	ScheduledDAGs []TaskReference `json:"scheduled_dags"`
}

// TaskReference is a task that declares an asset.
type TaskReference struct {
	DAGID  string `json:"dag_id"`
	TaskID string `json:"task_id"`
}

// Page is one page of a list, with the server's clock when it answered (zero
// where it did not tell).
type Page[T any] struct {
	Items      []T
	ServerTime time.Time
	// Next continues the list after this page ([Filter.After]); empty on the last.
	Next string
}

// Upstream turns the tasks' downstream lists around: for each task ID the IDs of
// the tasks directly before it, in the order of tasks.
func Upstream(tasks []Task) map[string][]string {
	up := make(map[string][]string, len(tasks))
	for _, t := range tasks {
		for _, d := range t.DownstreamTaskIDs {
			up[d] = append(up[d], t.ID)
		}
	}
	return up
}

// Downstream returns the IDs of all tasks that run after the given one, directly
// or not, each once, nearest first.
func Downstream(tasks []Task, id string) []string {
	next := make(map[string][]string, len(tasks))
	for _, t := range tasks {
		next[t.ID] = t.DownstreamTaskIDs
	}
	seen := map[string]bool{id: true}
	var found []string
	for queue := []string{id}; len(queue) > 0; queue = queue[1:] {
		for _, d := range next[queue[0]] {
			if !seen[d] {
				seen[d] = true
				found = append(found, d)
				queue = append(queue, d)
			}
		}
	}
	return found
}
