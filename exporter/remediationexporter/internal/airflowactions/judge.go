package airflowactions

import (
	"fmt"
	"maps"
	"slices"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/platform"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
)

// Words of action.Result that Judge uses.
const (
	whyPaused       = "paused"
	whyRetryPending = "retry_pending"
	whyRunning      = "running"
	whySucceeded    = "already_succeeded"
	whyChanged      = "changed"
)

// Judge implements platform.Adapter.
func (a *Adapter) Judge(p action.Plan, now platform.State) (why, detail string) {
	if now[keyPaused] == "true" {
		return whyPaused, "a person has paused the DAG"
	}
	if p.Action == action.AirflowTriggerDAG {
		if now[keyExists] == "true" {
			return whyChanged, "the run exists already"
		}
	} else if why, detail = judgeTask(p, now[action.ExpectState]); why != "" {
		return why, detail
	}
	for _, key := range slices.Sorted(maps.Keys(p.Expect)) {
		is, known := now[key]
		if !known {
			return whyChanged, fmt.Sprintf("the plan expects something of %q, which Airflow does not tell", key)
		}
		if !same(p.Expect[key], is) {
			return whyChanged, fmt.Sprintf("%s is %q and not %q", key, is, p.Expect[key])
		}
	}
	return "", ""
}

// judgeTask: a task is cleared when its try has ended for good. One that
// succeeded is run again only where the plan was made for a success.
func judgeTask(p action.Plan, state string) (why, detail string) {
	switch state {
	case airflow.StateFailed:
		return "", ""
	case airflow.StateSuccess:
		if p.Action == action.AirflowClearDownstream && p.Expect[action.ExpectState] == airflow.StateSuccess {
			return "", ""
		}
		return whySucceeded, "the task has succeeded"
	case airflow.StateUpForRetry, airflow.StateUpForReschedule:
		return whyRetryPending, "Airflow itself will run the task again"
	case "", airflow.StateNone, airflow.StateScheduled, airflow.StateQueued, airflow.StateRunning, airflow.StateRestarting, airflow.StateDeferred:
		return whyRunning, fmt.Sprintf("the task is on its way (%s)", orNone(state))
	default:
		return whyChanged, fmt.Sprintf("the task is %s, which no run of its own made", state)
	}
}

func orNone(state string) string {
	if state == "" {
		return airflow.StateNone
	}
	return state
}

// Compare implements platform.Adapter.
func (a *Adapter) Compare(p action.Plan, before, now platform.State) platform.Effect {
	key, absent := keyID, before[keyID]
	if p.Action == action.AirflowTriggerDAG {
		key, absent = keyExists, "false"
	}
	switch {
	case before[key] == "" || now[key] == "":
		return platform.Unknown
	case now[key] == absent:
		return platform.Absent
	default:
		return platform.Present
	}
}
