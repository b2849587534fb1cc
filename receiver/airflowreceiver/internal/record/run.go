package record

import (
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// Run is the state of one DAG run or of one try of a task in it.
type Run struct {
	DAG, RunID string
	// Task is empty for the DAG run itself.
	Task     string
	MapIndex int
	Phase    observation.Phase
	// Try is Airflow's try_number, Attempt counts from 1; 0 is unknown.
	Try, Attempt int
	Start, End   time.Time
	// At is when it came to this state, or was confirmed in it, on Airflow's clock.
	At time.Time
	// Event tells this change from others to the same state of the same try. It
	// is the same however often the change is read.
	Event string
	// Owner is empty and Paused nil where they are not known.
	Owner  string
	Paused *bool
	// Failure says why it failed; nil where it did not or nobody knows.
	Failure *Failure
}

// ID joins what several sources say of one run.
func (r Run) ID() string {
	id := r.DAG + "/" + r.RunID
	if r.Task != "" {
		id += "/" + r.Task
		if r.MapIndex >= 0 {
			id += "/" + strconv.Itoa(r.MapIndex)
		}
	}
	return id
}

// Phase translates a state of Airflow, of a DAG run or a task instance.
func Phase(state string) observation.Phase {
	switch state {
	case "", airflow.StateNone, airflow.StateScheduled, airflow.StateQueued:
		return observation.PhaseQueued
	case airflow.StateRunning, airflow.StateRestarting, airflow.StateDeferred:
		return observation.PhaseRunning
	case airflow.StateUpForRetry, airflow.StateUpForReschedule:
		return observation.PhaseRetrying
	case airflow.StateSuccess:
		return observation.PhaseSucceeded
	case airflow.StateFailed:
		return observation.PhaseFailed
	case airflow.StateUpstreamFailed:
		return observation.PhaseUpstream
	case airflow.StateSkipped, airflow.StateRemoved:
		return observation.PhaseSkipped
	}
	return observation.PhaseOther
}

// Ended is true of states that nothing but a clear or a retry follows.
func Ended(state string) bool {
	switch Phase(state) {
	case observation.PhaseSucceeded, observation.PhaseFailed, observation.PhaseUpstream, observation.PhaseSkipped:
		return true
	}
	return false
}

func severity(r Run) plog.SeverityNumber {
	switch {
	case r.Phase == observation.PhaseFailed:
		return plog.SeverityNumberError
	case r.Phase == observation.PhaseUpstream, r.Phase == observation.PhaseRetrying && r.Failure != nil:
		return plog.SeverityNumberWarn
	}
	return plog.SeverityNumberInfo
}

// AddRun appends the record of a run.
func (b *Batch) AddRun(r Run) {
	identity := []string{r.ID(), strconv.Itoa(r.Try), strconv.Itoa(r.Attempt), string(r.Phase), r.Event}
	rec := b.add(vocab.EventPipelineRun, r.At, severity(r), identity...)
	m := rec.Attributes()
	b.putJob(m, r.DAG, r.Task)
	m.PutStr(vocab.RunID, r.ID())
	m.PutStr(vocab.RunState, string(r.Phase))
	m.PutBool(vocab.RunConfirmed, true)
	if r.Attempt > 0 {
		m.PutInt(vocab.RunAttempt, int64(r.Attempt))
	}
	putTime(m, vocab.RunStartTime, r.Start)
	putTime(m, vocab.RunEndTime, r.End)
	if link := b.source.link(r); link != "" {
		m.PutStr(vocab.RunURL, link)
	}
	m.PutStr(vocab.PlatformKind, Kind)
	m.PutStr(vocab.PlatformInstance, b.source.Instance)
	m.PutStr(vocab.AirflowDAGID, r.DAG)
	m.PutStr(vocab.AirflowDAGRunID, r.RunID)
	if r.Task != "" {
		m.PutStr(vocab.AirflowTaskID, r.Task)
		m.PutInt(vocab.AirflowMapIndex, int64(r.MapIndex))
		m.PutInt(vocab.AirflowTryNumber, int64(r.Try))
	}
	if r.Owner != "" {
		m.PutStr(vocab.PipelineOwner, r.Owner)
	}
	if r.Paused != nil {
		m.PutBool(vocab.PipelinePaused, *r.Paused)
	}
	if r.Failure != nil {
		r.Failure.put(m)
		if r.Failure.Tail != "" {
			rec.Body().SetStr(r.Failure.Tail)
		}
	}
}
