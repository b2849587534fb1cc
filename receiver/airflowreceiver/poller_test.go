package airflowreceiver

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/metadata"
)

// bench is a receiver in front of a fake Airflow. Polls are run by hand.
type bench struct {
	t       *testing.T
	airflow *fakeAirflow
	poller  *poller
	cfg     *Config
	host    component.Host
	tel     *componenttest.Telemetry
	// clock is the receiver's.
	clock   time.Time
	logs    []plog.Logs
	metrics []pmetric.Metrics
	// err is what was wrong with the last poll.
	err error
	// refuse is what the pipelines answer, refuseMetrics what the one of metrics does.
	refuse, refuseMetrics error
}

func newBench(t *testing.T, edit func(*Config)) *bench {
	t.Helper()
	b := &bench{t: t, airflow: newFakeAirflow(t), tel: componenttest.NewTelemetry(), clock: time.Date(2026, 11, 24, 8, 27, 0, 5e8, time.UTC)}
	t.Cleanup(func() { assert.NoError(t, b.tel.Shutdown(context.Background())) })
	b.cfg = createDefaultConfig().(*Config)
	b.cfg.Airflow.ClientConfig.Endpoint = b.airflow.url
	b.cfg.Airflow.RateLimit, b.cfg.Airflow.RateBurst = 10_000, 10_000
	b.cfg.Airflow.Username, b.cfg.Airflow.Password = "user", "secret"
	b.cfg.WebURL = "https://airflow.example"
	if edit != nil {
		edit(b.cfg)
	}
	require.NoError(t, b.cfg.Validate())
	require.NoError(t, b.cfg.Airflow.Validate())
	b.host = componenttest.NewNopHost()
	b.open()
	return b
}

// open makes a new receiver, as after a restart.
func (b *bench) open() {
	b.t.Helper()
	set := receivertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = b.tel.NewTelemetrySettings()
	p, err := newPoller(set, b.cfg)
	require.NoError(b.t, err)
	p.now = func() time.Time { return b.clock }
	p.logs, err = consumer.NewLogs(func(_ context.Context, l plog.Logs) error {
		if b.refuse == nil {
			b.logs = append(b.logs, l)
		}
		return b.refuse
	})
	require.NoError(b.t, err)
	p.metrics, err = consumer.NewMetrics(func(_ context.Context, m pmetric.Metrics) error {
		err := errors.Join(b.refuse, b.refuseMetrics)
		if err == nil {
			b.metrics = append(b.metrics, m)
		}
		return err
	})
	require.NoError(b.t, err)
	require.NoError(b.t, p.open(b.t.Context(), b.host))
	b.poller = p
	b.t.Cleanup(func() { assert.NoError(b.t, p.Shutdown(context.Background())) })
}

// poll moves both clocks by the interval and runs one poll.
func (b *bench) poll() []state {
	b.t.Helper()
	b.logs, b.metrics = nil, nil
	b.err = b.poller.poll(b.t.Context())
	b.airflow.wait(b.cfg.CollectionInterval)
	b.clock = b.clock.Add(b.cfg.CollectionInterval)
	return b.states()
}

// state is what a run record says in short.
type state struct {
	id, state string
	attempt   int64
	severity  plog.SeverityNumber
	exception string
}

// states are the run records of the last poll.
func (b *bench) states() []state {
	var list []state
	for _, r := range b.records(vocab.EventPipelineRun) {
		text := func(key string) string {
			v, ok := r.Attributes().Get(key)
			if !ok {
				return ""
			}
			return v.AsString()
		}
		s := state{id: text(vocab.RunID), state: text(vocab.RunState), severity: r.SeverityNumber(), exception: text(vocab.ExceptionType)}
		if v, ok := r.Attributes().Get(vocab.RunAttempt); ok {
			s.attempt = v.Int()
		}
		list = append(list, s)
	}
	return list
}

// records are those of one event that the last poll delivered.
func (b *bench) records(event string) []plog.LogRecord {
	var list []plog.LogRecord
	for _, l := range b.logs {
		records := l.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
		for i := range records.Len() {
			if records.At(i).EventName() == event {
				list = append(list, records.At(i))
			}
		}
	}
	return list
}

func (b *bench) uids() []string {
	var list []string
	for _, r := range b.records(vocab.EventPipelineRun) {
		v, _ := r.Attributes().Get("log.record.uid")
		list = append(list, v.Str())
	}
	return list
}

// total is the sum of a counter of the receiver's own telemetry for one value of an attribute.
func (b *bench) total(name, value string) int64 {
	b.t.Helper()
	m, err := b.tel.GetMetric("otelcol_" + name)
	if err != nil {
		return 0
	}
	return sumOf(m, value)
}

func sumOf(m metricdata.Metrics, value string) int64 {
	data, ok := m.Data.(metricdata.Sum[int64])
	if !ok {
		return 0
	}
	var total int64
	for _, p := range data.DataPoints {
		for _, kv := range p.Attributes.ToSlice() {
			if kv.Value.AsString() == value {
				total += p.Value
			}
		}
	}
	return total
}

// plain is the sum of a counter over all attributes.
func plain(m metricdata.Metrics) (total int64) {
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		total += p.Value
	}
	return total
}

// value is the first point of a metric that the last poll delivered, -1 where there is none.
func (b *bench) value(name string) float64 {
	for _, data := range b.metrics {
		for i := range data.ResourceMetrics().Len() {
			metrics := data.ResourceMetrics().At(i).ScopeMetrics().At(0).Metrics()
			for j := range metrics.Len() {
				if metrics.At(j).Name() != name {
					continue
				}
				p := metrics.At(j).Gauge().DataPoints().At(0)
				if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
					return float64(p.IntValue())
				}
				return p.DoubleValue()
			}
		}
	}
	return -1
}

// freshClient is a client that has forgotten its login.
func (b *bench) freshClient() *airflow.Client {
	b.t.Helper()
	c, err := airflow.NewClient(b.t.Context(), b.cfg.Airflow, nil, b.tel.NewTelemetrySettings())
	require.NoError(b.t, err)
	return c
}
