package remediationexporter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/airflowactions/airflowfake"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/conformance"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/metadatatest"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// extension is the reliability extension with a store in memory.
type extension struct {
	component.Component
	reliability.Intake
	*conformance.Store
}

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

func failedTask() action.Plan {
	return action.Plan{
		ID: "plan-01K", Action: action.AirflowClearTask,
		Resource: entity.Ref{Kind: entity.Job, Namespace: "default", Name: "heal_flaky.load"},
		Target: observation.Target{Kind: "airflow", Instance: "default", Coordinates: map[string]string{
			observation.AirflowDAG: airflowfake.DAG, observation.AirflowRun: airflowfake.Run, observation.AirflowTask: airflowfake.Load,
		}},
		Expect: map[string]string{action.ExpectState: "failed"},
	}
}

// scene is an exporter between a fake extension and a fake Airflow.
type scene struct {
	airflow *airflowfake.Server
	store   *conformance.Store
	host    host
	cfg     *Config
	tel     *componenttest.Telemetry
}

func newScene(t *testing.T, act ...ActConfig) *scene {
	t.Helper()
	s := &scene{airflow: airflowfake.New(t), cfg: createDefaultConfig().(*Config), tel: componenttest.NewTelemetry()}
	s.store = conformance.NewStore(conformance.NewClock(), failedTask())
	s.host = host{s.cfg.Reliability: extension{Store: s.store}}
	client := AirflowConfig(airflow.DefaultConfig())
	client.ClientConfig.Endpoint = s.airflow.URL
	s.cfg.Airflow = map[string]AirflowConfig{"default": client}
	s.cfg.Act = act
	return s
}

func TestARecordWakesItAndIsDropped(t *testing.T) {
	t.Parallel()
	s := newScene(t, ActConfig{Action: "*", Scope: "*"})
	s.cfg.PollInterval = time.Hour
	leased, completed := make(chan struct{}, 10), make(chan struct{}, 10)
	s.store.Fail = func(op string, after bool) error {
		switch {
		case op == "lease" && !after:
			leased <- struct{}{}
		case op == "complete" && after:
			completed <- struct{}{}
		}
		return nil
	}
	set := exportertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = s.tel.NewTelemetrySettings()
	x, err := NewFactory().CreateLogs(t.Context(), set, s.cfg)
	require.NoError(t, err)
	assert.False(t, x.Capabilities().MutatesData)
	require.NoError(t, x.Start(t.Context(), s.host))
	<-leased
	require.NoError(t, x.ConsumeLogs(t.Context(), forged()))
	<-leased
	<-completed
	assert.NotEmpty(t, s.store.Registered(set.ID.String()))
	require.NoError(t, x.Shutdown(t.Context()))
	require.NoError(t, x.Shutdown(t.Context()), "once is enough, twice does no harm")
	r := s.store.Plan("plan-01K").Result
	require.NotNil(t, r)
	assert.Equal(t, action.Succeeded, r.Status)
	assert.Equal(t, 1, s.airflow.Tasks[airflowfake.Load].Clears)
	require.Len(t, s.airflow.Changes, 1, "the forged record did nothing")
	metadatatest.AssertEqualRemediationRecordsDropped(t, s.tel,
		[]metricdata.DataPoint[int64]{{Value: 2}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	assert.Empty(t, s.store.Registered(set.ID.String()), "it has unregistered")
	require.NoError(t, s.tel.Shutdown(t.Context()))
}

// forged are records that claim that something must be done.
func forged() plog.Logs {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, plan := range []string{"plan-01K", "plan-forged"} {
		r := records.AppendEmpty()
		r.SetEventName(vocab.EventIncident)
		r.Attributes().PutStr(vocab.PlanID, plan)
		r.Attributes().PutStr(vocab.ActionType, string(action.AirflowTriggerDAG))
		r.Attributes().PutStr(vocab.AirflowDAGID, airflowfake.DAG)
	}
	return ld
}

func TestByDefaultNothingIsSent(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*Config){
		"no act":  func(*Config) {},
		"dry run": func(c *Config) { c.Act, c.DryRun = []ActConfig{{Action: "*", Scope: "*"}}, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			edit(s.cfg)
			released := make(chan struct{}, 10)
			s.store.Fail = func(op string, after bool) error {
				if op == "release" && after {
					released <- struct{}{}
				}
				return nil
			}
			x, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), s.cfg)
			require.NoError(t, err)
			require.NoError(t, x.Start(t.Context(), s.host))
			<-released
			can := s.store.Registered(exportertest.NewNopSettings(metadata.Type).ID.String())
			require.NoError(t, x.Shutdown(t.Context()))
			assert.Zero(t, s.store.Begins())
			assert.Empty(t, s.airflow.Changes)
			for _, c := range can {
				assert.Empty(t, c.Act)
			}
		})
	}
}

func TestStartNeedsTheExtension(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	x, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), s.cfg)
	require.NoError(t, err)
	require.ErrorContains(t, x.Start(t.Context(), host{}), `extension "reliability" is not in service::extensions`)
	require.NoError(t, x.Shutdown(t.Context()), "the collector shuts down what did not start")
}

func TestStartDoesNotNeedThePlatform(t *testing.T) {
	t.Parallel()
	s := newScene(t, ActConfig{Action: "*", Scope: "*"})
	s.airflow.Down(true)
	released := make(chan struct{}, 10)
	s.store.Fail = func(op string, after bool) error {
		if op == "release" && after {
			released <- struct{}{}
		}
		return nil
	}
	x, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), s.cfg)
	require.NoError(t, err)
	require.NoError(t, x.Start(t.Context(), s.host))
	<-released
	require.NoError(t, x.Shutdown(t.Context()))
	assert.Equal(t, "platform_unreachable", s.store.Releases()[0].Why)
}

func TestABadTLSFileFailsAtStartNamingTheInstance(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	client := s.cfg.Airflow["default"]
	client.ClientConfig.TLS.CAFile = "testdata/none.pem"
	s.cfg.Airflow["default"] = client
	x, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), s.cfg)
	require.NoError(t, err)
	require.ErrorContains(t, x.Start(t.Context(), s.host), "airflow::default:")
	require.NoError(t, x.Shutdown(t.Context()))
}
