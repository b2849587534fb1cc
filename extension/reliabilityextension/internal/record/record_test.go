package record

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/plogtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/goleak"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var t0 = time.Date(2026, 3, 4, 5, 0, 0, 123456789, time.UTC)

func anIncident(state incident.State) incident.Incident {
	root := entity.Ref{Kind: entity.Job, Namespace: "default", Name: "orders.extract"}
	return incident.Incident{
		ID: "inc-01", Version: 7, State: state, Reason: incident.ReasonVerified, Detail: "orders: 1000 of 1000 rows", Class: incident.TransientFailure, Confidence: .9,
		Rule: "http.5xx", Title: "orders.extract failed: HTTPError: 503", Root: root, Owner: "data-team", Started: t0, Detected: t0.Add(time.Second), Updated: t0.Add(time.Minute),
		Evidence: []incident.Evidence{{Count: 1, LastSeen: t0, Observation: observation.Observation{ID: "o1", Kind: observation.RunState, Polarity: observation.Problem, Source: "airflow", Entity: root,
			Time: t0, Received: t0, Run: &observation.Run{ID: "orders/r1/extract", Phase: observation.PhaseFailed, Attempt: 1, Confirmed: true}}}},
		Steps: []incident.Step{{PlanID: "plan-01", Action: action.AirflowClearTask, Summary: "run it again", Outcome: "verified", At: t0}},
	}
}

func same(t *testing.T, name string, got plog.Logs) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, golden.WriteLogsToFile(path, got))
	}
	want, err := golden.ReadLogs(path)
	require.NoError(t, err)
	require.NoError(t, plogtest.CompareLogs(want, got))
}

func TestTransitionsAsRecords(t *testing.T) {
	t.Parallel()
	bare := incident.Incident{ID: "inc-02", Version: 1, State: incident.Open, Class: incident.Unknown, Root: entity.Ref{Kind: entity.Dataset, Namespace: "n", Name: "d"}}
	logs, err := Transitions([]store.Transition{
		{Sequence: 1, Incident: anIncident(incident.Resolved), From: incident.Verifying, At: t0},
		{Sequence: 2, Incident: bare, From: incident.Open, At: t0.Add(time.Second)},
	})
	require.NoError(t, err)
	same(t, "transitions.yaml", logs)
}

func TestACheckpointAsRecord(t *testing.T) {
	t.Parallel()
	same(t, "checkpoint.yaml", Checkpoint(store.Checkpoint{Size: 42, Signed: []byte("otelcol-selfheal\n42\nAAAA\n\n— name sig\n"), At: t0}, t0.Add(time.Second)))
}

func TestHowLoudAStateIs(t *testing.T) {
	t.Parallel()
	for state, want := range map[incident.State]plog.SeverityNumber{
		incident.Open: plog.SeverityNumberWarn, incident.Planned: plog.SeverityNumberWarn, incident.AwaitingApproval: plog.SeverityNumberWarn,
		incident.Acting: plog.SeverityNumberWarn, incident.Verifying: plog.SeverityNumberWarn,
		incident.Resolved: plog.SeverityNumberInfo, incident.Suppressed: plog.SeverityNumberInfo, incident.Escalated: plog.SeverityNumberError,
	} {
		logs, err := Transitions([]store.Transition{{Incident: anIncident(state), At: t0}})
		require.NoError(t, err)
		r := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
		assert.Equal(t, want, r.SeverityNumber(), state)
		id, _ := r.Attributes().Get(vocab.IncidentTransition)
		uid, _ := r.Attributes().Get("log.record.uid")
		assert.Equal(t, "inc-01/7", id.Str())
		assert.Equal(t, id.Str(), uid.Str(), "the same transition has the same ID however often it is sent")
	}
}

func TestNoNumberThatJSONCannotSay(t *testing.T) {
	t.Parallel()
	i := anIncident(incident.Open)
	i.Confidence = math.NaN()
	_, err := Transitions([]store.Transition{{Incident: i, At: t0}})
	require.Error(t, err)
}
