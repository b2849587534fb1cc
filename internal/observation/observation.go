// Package observation is what the connector makes of telemetry and hands to the
// incident engine: one thing seen about one entity at one time.
package observation

import (
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// Kind says what was seen. The list is closed.
type Kind string

const (
	// RunState: a run of a job changed or confirmed its state (Run is set).
	RunState Kind = "run_state"
	// Anomaly: the detector's verdict on one series (Series is set).
	Anomaly Kind = "anomaly"
	// Fact: a declared metric of an entity, such as a row count (Fact is set).
	Fact Kind = "fact"
	// Assertion: a data-quality check passed or failed (Assertion is set).
	Assertion Kind = "assertion"
	// SchemaChange: columns of a dataset changed.
	SchemaChange Kind = "schema_change"
	// Lineage: nothing but edges.
	Lineage Kind = "lineage"
	// PlatformState: a platform's own trouble or health: import errors, heartbeats, pools.
	PlatformState Kind = "platform_state"
	// Failure: an error log or span of a service that is not a run.
	Failure Kind = "failure"
)

// Polarity says what the observation means for an incident about its entity.
type Polarity string

const (
	// Info opens and closes nothing; facts and lineage are Info.
	Info Polarity = "info"
	// Problem can open an incident or add evidence to one.
	Problem Polarity = "problem"
	// Recovery says that what was a Problem has passed.
	Recovery Polarity = "recovery"
)

// Observation is one thing seen. Strings in it have been scrubbed and bounded
// by whoever made it.
type Observation struct {
	// ID is the same for the same event however often it is sent, so that a
	// batch that comes twice is taken once.
	ID       string     `json:"id"`
	Kind     Kind       `json:"kind"`
	Polarity Polarity   `json:"polarity"`
	Source   string     `json:"source"` // openlineage, airflow, dataquality, anomaly_detection, otlp
	Entity   entity.Ref `json:"entity"`
	// Time is when it happened on the source's clock; Received when we heard, on ours.
	Time     time.Time `json:"time"`
	Received time.Time `json:"received"`

	Run       *Run        `json:"run,omitempty"`
	Error     *Error      `json:"error,omitempty"`
	Series    *Series     `json:"series,omitempty"`
	Fact      *FactValue  `json:"fact,omitempty"`
	Assertion *Check      `json:"assertion,omitempty"`
	Schema    *SchemaDiff `json:"schema,omitempty"`

	Edges []entity.Edge `json:"edges,omitempty"`

	// Hypothesis is what the connector's rules made of it; nil where no rule applies.
	Hypothesis *Hypothesis `json:"hypothesis,omitempty"`
	// Attributes are further facts that rules and people may want. At most 32.
	Attributes map[string]string `json:"attributes,omitempty"`
}

// Load is the load that an anomaly is about, empty where it is about none: one
// bad load stays bad when the next one is normal.
func (o *Observation) Load() string {
	if o.Series == nil {
		return ""
	}
	return o.Series.Attributes[vocab.DatasetLoadID]
}

// Phase is the state of a run, the same for every platform. The list is closed.
type Phase string

const (
	PhaseQueued    Phase = "queued"
	PhaseRunning   Phase = "running"
	PhaseRetrying  Phase = "retrying" // failed, and the platform will try again by itself
	PhaseSucceeded Phase = "succeeded"
	PhaseFailed    Phase = "failed" // by this source's word; RetryPending says whether it is final
	PhaseAborted   Phase = "aborted"
	PhaseSkipped   Phase = "skipped"
	PhaseUpstream  Phase = "upstream_failed"
	PhaseOther     Phase = "other"
)

// Run is one run of a job.
type Run struct {
	// ID joins what several sources say about one run: for Airflow
	// "dag_id/dag_run_id[/task_id[/map_index]]", elsewhere OpenLineage's runId.
	ID      string `json:"id"`
	Phase   Phase  `json:"phase"`
	Attempt int    `json:"attempt,omitempty"` // from 1; 0 is unknown
	// Confirmed: the platform itself was asked (its API or database), not only an
	// event that a try emitted on its way out. OpenLineage's FAIL is not confirmed:
	// it is sent for every failed try, also when Airflow will still retry.
	Confirmed bool      `json:"confirmed,omitempty"`
	Started   time.Time `json:"started,omitzero"`
	Ended     time.Time `json:"ended,omitzero"`
	// Paused: a person has paused the job.
	Paused bool   `json:"paused,omitempty"`
	URL    string `json:"url,omitempty"`
	Owner  string `json:"owner,omitempty"`
	// Target says how the platform that runs it can be told to act; nil where no
	// platform of ours is known.
	Target *Target `json:"target,omitempty"`
	// Inputs and Outputs are the datasets that this run read and wrote, where the source says.
	Inputs  []entity.Ref `json:"inputs,omitempty"`
	Outputs []entity.Ref `json:"outputs,omitempty"`
}

// Target is an address on a platform. Kind picks the platform, Instance the
// installation (the receiver's and exporter's shared name for it), Coordinates the thing.
type Target struct {
	Kind        string            `json:"kind"`     // airflow
	Instance    string            `json:"instance"` // "default" unless several are configured
	Coordinates map[string]string `json:"coordinates"`
}

// Coordinates of an Airflow target.
const (
	AirflowDAG      = "dag_id"
	AirflowRun      = "dag_run_id"
	AirflowTask     = "task_id"
	AirflowMapIndex = "map_index" // "-1" or absent: not mapped
	AirflowTry      = "try_number"
)

// Error is why something failed, scrubbed.
type Error struct {
	Type       string   `json:"type,omitempty"`    // exception class or error code
	Message    string   `json:"message,omitempty"` // first line or so; at most 2 KiB
	Stacktrace string   `json:"stacktrace,omitempty"`
	Location   string   `json:"location,omitempty"` // file:line in function, of the user's own code where it can be told
	Causes     []string `json:"causes,omitempty"`   // types of chained causes, outermost first
}

// Series is the detector's verdict on one series.
type Series struct {
	Metric     string            `json:"metric"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Key        string            `json:"key"` // hash that identifies the series
	Active     bool              `json:"active"`
	Reason     string            `json:"reason"` // spike, drop, level_shift, …
	Score      float64           `json:"score"`
	Value      float64           `json:"value"`
	Expected   float64           `json:"expected"`
	Lower      float64           `json:"lower"`
	Upper      float64           `json:"upper"`
	Onset      time.Time         `json:"onset,omitzero"`
}

// FactValue is one declared metric of an entity.
type FactValue struct {
	Name  string  `json:"name"` // data.dataset.rows, data.staleness.age, …
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
	// Part tells apart several values of one name, such as the load that a per-load row count is of.
	Part string `json:"part,omitempty"`
}

// Check is the result of one data-quality assertion.
type Check struct {
	Name    string `json:"name"`
	Column  string `json:"column,omitempty"`
	Success bool   `json:"success"`
}

// SchemaDiff lists what changed in a dataset's columns. Names only, never values.
type SchemaDiff struct {
	Added   []string `json:"added,omitempty"`
	Dropped []string `json:"dropped,omitempty"`
	Retyped []string `json:"retyped,omitempty"`
}

// Hypothesis is a class that a rule proposes, with how sure it is.
type Hypothesis struct {
	Class      string  `json:"class"`      // see package incident
	Confidence float64 `json:"confidence"` // 0 to 1
	Rule       string  `json:"rule"`       // name of the rule that decided
	Why        string  `json:"why,omitempty"`
}
