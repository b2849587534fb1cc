package airflowactions

import (
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/platform"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
)

// Keys of the state of a target beside those of package action. Tasks carry
// action.ExpectState, ExpectTry, ExpectStart and ExpectEnd in Airflow's own words,
// with times in RFC 3339 and "" where there is none.
const (
	keyPaused = "is_paused" // true, false: of the DAG
	keyID     = "id"        // of the task instance; a new one with each clear and each try
	keyExists = "exists"    // true, false: whether the run that a trigger would make is there
)

func taskState(d airflow.DAG, ti airflow.TaskInstance) platform.State {
	return platform.State{
		keyPaused:          strconv.FormatBool(d.Paused),
		keyID:              ti.ID,
		action.ExpectState: ti.State,
		action.ExpectTry:   strconv.Itoa(ti.TryNumber),
		action.ExpectStart: timeText(ti.StartDate),
		action.ExpectEnd:   timeText(ti.EndDate),
	}
}

func runState(d airflow.DAG, exists bool, state string) platform.State {
	return platform.State{
		keyPaused:          strconv.FormatBool(d.Paused),
		keyExists:          strconv.FormatBool(exists),
		action.ExpectState: state,
	}
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// same compares two values of a state; times are equal when they are the same
// moment, however they are written.
func same(a, b string) bool {
	if a == b {
		return true
	}
	if !strings.Contains(a, "T") || !strings.Contains(b, "T") {
		return false
	}
	x, errX := time.Parse(time.RFC3339Nano, a)
	y, errY := time.Parse(time.RFC3339Nano, b)
	return errX == nil && errY == nil && x.Equal(y)
}
