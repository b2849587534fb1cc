package airflowactions_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.uber.org/goleak"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/airflowactions"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/airflowactions/airflowfake"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/conformance"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/platform"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a fake Airflow for the suite.
type world struct {
	*airflowfake.Server
	t *testing.T
}

func (w world) Adapter() platform.Adapter { return newAdapter(w.t, w.URL, nil) }

func newAdapter(t *testing.T, url string, edit func(*airflow.Config)) *airflowactions.Adapter {
	t.Helper()
	cfg := airflow.DefaultConfig()
	cfg.ClientConfig.Endpoint = url
	cfg.RateLimit, cfg.RateBurst = 10_000, 10_000
	cfg.ClientConfig.Timeout = 10 * time.Second
	if edit != nil {
		edit(&cfg)
	}
	require.NoError(t, cfg.Validate())
	client, err := airflow.NewClient(t.Context(), cfg, nil, componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return airflowactions.New(client)
}

func (w world) Plan(t action.Type) action.Plan { return plan(t) }

// plan is for the failed task of the fake at its start.
func plan(t action.Type) action.Plan {
	p := action.Plan{
		ID: "plan-01KTEST", Action: t,
		Resource: entity.Ref{Kind: entity.Job, Namespace: "default", Name: airflowfake.DAG + "." + airflowfake.Load},
		Target: observation.Target{Kind: airflowactions.Platform, Instance: "default", Coordinates: map[string]string{
			observation.AirflowDAG: airflowfake.DAG, observation.AirflowRun: airflowfake.Run, observation.AirflowTask: airflowfake.Load,
		}},
		Expect: map[string]string{action.ExpectState: "failed", action.ExpectTry: "1"},
	}
	if t == action.AirflowTriggerDAG {
		p.Expect = map[string]string{"exists": "false"}
	}
	return p
}

func (w world) Effects(p action.Plan) int {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	if p.Action == action.AirflowTriggerDAG {
		return w.Runs[airflowactions.RunID(p)]
	}
	return w.Tasks[airflowfake.Load].Clears
}

func (w world) Drift(p action.Plan, n int) string {
	w.Mu.Lock()
	defer w.Mu.Unlock()
	if n == 0 {
		w.Paused = true
		return "paused"
	}
	if n == 1 {
		w.Stale = true
		return "gone"
	}
	if p.Action == action.AirflowTriggerDAG || n-2 >= len(drifts) {
		return ""
	}
	d := drifts[n-2]
	task := w.Tasks[airflowfake.Load]
	task.State, task.Try = d.state, d.try
	return d.why
}

var drifts = []struct {
	state string
	try   int
	why   string
}{
	{"up_for_retry", 1, "retry_pending"},
	{"up_for_reschedule", 1, "retry_pending"},
	{"", 1, "running"},
	{"scheduled", 2, "running"},
	{"queued", 2, "running"},
	{"running", 2, "running"},
	{"restarting", 2, "running"},
	{"deferred", 2, "running"},
	{"success", 1, "already_succeeded"},
	{"success", 2, "already_succeeded"},
	{"skipped", 1, "changed"},
	{"upstream_failed", 1, "changed"},
	{"removed", 1, "changed"},
	{"failed", 2, "changed"},
}

func TestConformance(t *testing.T) {
	t.Parallel()
	conformance.Run(t, func(t *testing.T) conformance.World {
		return world{Server: airflowfake.New(t), t: t}
	})
}
