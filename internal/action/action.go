// Package action describes what can be done on a platform and the paper work
// around doing it once: plans, leases, results. It carries no platform code.
package action

import (
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

// Type names an action as "<platform>.<verb>".
type Type string

const (
	// AirflowClearTask clears one failed task instance so that its scheduler runs it again.
	AirflowClearTask Type = "airflow.clear_task"
	// AirflowClearDownstream clears a task instance and everything downstream of it in its run.
	AirflowClearDownstream Type = "airflow.clear_task_downstream"
	// AirflowTriggerDAG starts a new run of a DAG.
	AirflowTriggerDAG Type = "airflow.trigger_dag"
)

// Keys of Plan.Expect and Intent.Before for actions on Airflow tasks, with the
// values as its API gives them.
const (
	ExpectState = "state"
	ExpectTry   = "try_number"
	ExpectStart = "start_date"
	ExpectEnd   = "end_date"
)

// Plan is one action for one incident: at most one call on one target.
type Plan struct {
	ID         string             `json:"id"` // plan-<ULID>; also the idempotency key
	IncidentID string             `json:"incident_id"`
	Action     Type               `json:"action"`
	Target     observation.Target `json:"target"`
	// Resource is what no two plans may touch at a time.
	Resource entity.Ref        `json:"resource"`
	Params   map[string]string `json:"params,omitempty"`
	// Expect is the world that the plan was made for, such as the task's state and
	// try. The executor compares before it calls; a difference makes the plan void.
	Expect     map[string]string `json:"expect,omitempty"`
	NotBefore  time.Time         `json:"not_before,omitzero"`
	Created    time.Time         `json:"created"`
	Status     Status            `json:"status"`
	Attempt    int               `json:"attempt"` // how many times an executor has begun
	Fence      int64             `json:"fence"`   // grows with every lease
	LeasedBy   string            `json:"leased_by,omitempty"`
	LeaseUntil time.Time         `json:"lease_until,omitzero"`
	Intent     *Intent           `json:"intent,omitempty"`
	Result     *Result           `json:"result,omitempty"`
	Summary    string            `json:"summary"`
}

// Status of a plan.
type Status string

const (
	Pending  Status = "pending"  // may be leased when NotBefore has passed
	Leased   Status = "leased"   // an executor holds it
	Begun    Status = "begun"    // intent is durable; the call may have left
	Done     Status = "done"     // a result is known
	Void     Status = "void"     // the world changed before the call; nothing was sent
	Observed Status = "observed" // would have been done; acting is off
)

// Lease is the right to carry out one plan until Until. Fence makes an older
// holder's reports fail.
type Lease struct {
	Plan  Plan      `json:"plan"`
	Fence int64     `json:"fence"`
	Until time.Time `json:"until"`
	// Prior is set when an earlier holder began and never reported: the target
	// must be asked what happened before anything is sent.
	Prior *Intent `json:"prior,omitempty"`
}

// Intent is written and synced before a call leaves.
type Intent struct {
	At       time.Time `json:"at"`
	Executor string    `json:"executor"`
	// Before is the state of the target as read just before the call, so that
	// after a crash one can tell whether the call took effect.
	Before map[string]string `json:"before"`
}

// ResultStatus is what came of a call.
type ResultStatus string

const (
	// Succeeded: the target confirmed the effect, or was found to have it.
	Succeeded ResultStatus = "succeeded"
	// Failed: the target refused; nothing changed, and asking again will not help.
	Failed ResultStatus = "failed"
	// VoidWorld: the target no longer is what the plan expects; nothing was sent.
	VoidWorld ResultStatus = "void"
	// Unclear: it cannot be told whether the call took effect. A person looks.
	Unclear ResultStatus = "unclear"
)

// Result is reported by the executor.
type Result struct {
	Status ResultStatus `json:"status"`
	At     time.Time    `json:"at"`
	// Why is a closed word for void and failed results: retry_pending, running,
	// already_succeeded, paused, gone, changed, forbidden, refused.
	Why    string            `json:"why,omitempty"`
	Detail string            `json:"detail,omitempty"` // for a person, scrubbed
	After  map[string]string `json:"after,omitempty"`
	// Found: the effect was there already, from an earlier begun call.
	Found bool `json:"found,omitempty"`
}

// Capability is one action that an executor offers on one platform instance.
type Capability struct {
	Action   Type   `json:"action"`
	Platform string `json:"platform"` // airflow
	Instance string `json:"instance"`
	// Act lists the scopes ("namespace/name" globs on the resource) where acting is
	// switched on; elsewhere the plan is only recorded. Empty: observes everywhere.
	Act []string `json:"act,omitempty"`
	// Reachable is false while the platform does not answer.
	Reachable bool   `json:"reachable"`
	Detail    string `json:"detail,omitempty"`
}
