package classificationconnector

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-selfheal/otelcol-selfheal/connector/classificationconnector/internal/metadatatest"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/classify"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

func record(event string, attrs map[string]any) plog.Logs {
	l := plog.NewLogs()
	r := l.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	r.SetEventName(event)
	r.SetTimestamp(pcommon.NewTimestampFromTime(noon))
	if err := r.Attributes().FromRaw(attrs); err != nil {
		panic(err)
	}
	return l
}

func failedRun(uid string) plog.Logs {
	return record(vocab.EventPipelineRun, map[string]any{
		"log.record.uid": uid, vocab.PipelineNamespace: "default", vocab.PipelineName: "a.b", vocab.RunID: "a/r/b", vocab.RunState: "failed",
		vocab.ExceptionType: "RuntimeError", vocab.ExceptionMessage: "the source answered 503",
	})
}

func TestAllPairsAreOneInstanceAndEachPipelineGetsARecordOnce(t *testing.T) {
	t.Parallel()
	f, h := newFake()
	factory, cfg := NewFactory(), createDefaultConfig()
	first, second := new(consumertest.LogsSink), new(consumertest.LogsSink)
	both := func() consumer.Logs {
		return connector.NewLogsRouter(map[pipeline.ID]consumer.Logs{
			pipeline.NewIDWithName(pipeline.SignalLogs, "incidents"): first, pipeline.NewIDWithName(pipeline.SignalLogs, "archive"): second,
		})
	}
	metrics, err := factory.CreateMetricsToLogs(t.Context(), settings(nil), cfg, both())
	require.NoError(t, err)
	logs, err := factory.CreateLogsToLogs(t.Context(), settings(nil), cfg, both())
	require.NoError(t, err)
	traces, err := factory.CreateTracesToLogs(t.Context(), settings(nil), cfg, both())
	require.NoError(t, err)
	pairs := []component.Component{metrics, logs, traces}
	for _, p := range pairs {
		require.NoError(t, p.Start(t.Context(), h))
	}
	assert.Equal(t, 1, f.subscribed)
	assert.False(t, logs.Capabilities().MutatesData)

	require.NoError(t, f.sink()(t.Context(), record(vocab.EventIncident, map[string]any{vocab.IncidentID: "inc-1"})))
	assert.Equal(t, 1, first.LogRecordCount())
	assert.Equal(t, 1, second.LogRecordCount())

	for _, p := range pairs[:2] {
		require.NoError(t, p.Shutdown(t.Context()))
	}
	require.NoError(t, traces.ConsumeTraces(t.Context(), ptrace.NewTraces()), "the last pair still works")
	assert.NotNil(t, f.sink())
	require.NoError(t, traces.Shutdown(t.Context()))
	assert.Nil(t, f.sink(), "nothing is subscribed after the last")
}

func TestARecordThatAPipelineRefusesComesAgain(t *testing.T) {
	t.Parallel()
	c, f := start(t, nil, nil)
	c.leadsTo(consumertest.NewErr(errDisk))
	require.ErrorIs(t, f.sink()(t.Context(), record(vocab.EventIncident, nil)), errDisk)
}

func TestAWrongExtensionIsNamed(t *testing.T) {
	t.Parallel()
	cfg := createDefaultConfig().(*Config)
	cfg.Reliability = component.MustNewIDWithName("reliability", "other")
	c, err := newClassification(settings(nil), cfg)
	require.NoError(t, err)
	_, h := newFake()
	require.ErrorContains(t, c.Start(t.Context(), h), `"reliability/other"`)
	require.NoError(t, c.Shutdown(t.Context()))
}

func TestWhileTheStateCannotBeWritten(t *testing.T) {
	t.Parallel()
	c, f := start(t, nil, func(cfg *Config) { cfg.MaxBacklog = 2 })
	f.fail(true)
	require.NoError(t, c.ConsumeLogs(t.Context(), failedRun("1")), "the users' telemetry flows on")
	require.NoError(t, c.ConsumeLogs(t.Context(), failedRun("2")))
	err := c.ConsumeLogs(t.Context(), failedRun("3"))
	require.ErrorIs(t, err, errFull)
	assert.False(t, consumererror.IsPermanent(err), "the sender sends it again")
	assert.Equal(t, 2, c.waiting())

	f.fail(false)
	require.NoError(t, c.drain(t.Context()))
	assert.Zero(t, c.waiting())
	require.NoError(t, c.ConsumeLogs(t.Context(), failedRun("3")))
	assert.Len(t, f.taken(), 3)
}

func TestWithoutABacklogErrorsGoToTheSender(t *testing.T) {
	t.Parallel()
	c, f := start(t, nil, func(cfg *Config) { cfg.MaxBacklog = 0 })
	f.fail(true)
	err := c.ConsumeLogs(t.Context(), failedRun("1"))
	require.Error(t, err)
	assert.False(t, consumererror.IsPermanent(err))
	assert.Zero(t, c.waiting())
}

func TestASenderThatGaveUpIsTold(t *testing.T) {
	t.Parallel()
	c, f := start(t, nil, nil)
	f.fail(true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, c.ConsumeLogs(ctx, failedRun("1")))
	assert.Zero(t, c.waiting(), "nobody keeps what is sent again")
}

func TestWhatIsNeitherVerdictNorFactIsLeftAlone(t *testing.T) {
	t.Parallel()
	c, f := start(t, nil, nil)
	m := pmetric.NewMetrics()
	rm := m.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr(vocab.ServiceName, "x")
	for _, name := range []string{"http.server.duration", "selfheal.anomaly.other", "data.dataset.rows.total", "reliability_incidents"} {
		one := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		one.SetName(name)
		one.SetEmptyGauge().DataPoints().AppendEmpty().SetDoubleValue(1)
	}
	require.NoError(t, c.ConsumeMetrics(t.Context(), m))
	assert.Zero(t, f.calls)
}

func TestWhatIsNotTakenIsCounted(t *testing.T) {
	t.Parallel()
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) }) //nolint:usetesting // t.Context is over in a cleanup
	c, f := start(t, tel, func(cfg *Config) { cfg.MaxObservationsPerBatch, cfg.MaxFailuresPerBatch = 3, 1 })
	consume(t, c, "testdata/mapping/forged/logs.yaml")
	assert.Empty(t, f.taken(), "a forged incident causes nothing")
	require.NoError(t, c.ConsumeLogs(t.Context(), record(vocab.EventPipelineRun, map[string]any{vocab.RunState: "failed"})))
	many := failedRun("0")
	for n := range 4 {
		failedRun(strconv.Itoa(n)).ResourceLogs().MoveAndAppendTo(many.ResourceLogs())
	}
	require.NoError(t, c.ConsumeLogs(t.Context(), many))
	consume(t, c, "testdata/mapping/service_errors/logs.yaml")

	reason := func(r string, n int64) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Attributes: attribute.NewSet(attribute.String("reason", r)), Value: n}
	}
	metadatatest.AssertEqualClassificationSkipped(t, tel, []metricdata.DataPoint[int64]{
		reason("forged", 2), reason("no job", 1), reason("batch_bound", 2), reason("repeated_failure", 2),
	}, metricdatatest.IgnoreTimestamp())
}

func TestABrokenRuleIsCountedAndOthersDecide(t *testing.T) {
	t.Parallel()
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) }) //nolint:usetesting // t.Context is over in a cleanup
	c, f := start(t, tel, func(cfg *Config) {
		cfg.Rules = []classify.Rule{{Name: "mine", Class: "unknown", Confidence: 1, Priority: 900, When: `error.causes[9] == "x"`}}
	})
	require.NoError(t, c.ConsumeLogs(t.Context(), failedRun("1")))
	assert.Equal(t, "transient_failure", f.taken()[0].Hypothesis.Class)
	metadatatest.AssertEqualClassificationRuleErrors(t, tel, []metricdata.DataPoint[int64]{
		{Attributes: attribute.NewSet(attribute.String("rule", "mine")), Value: 1},
	}, metricdatatest.IgnoreTimestamp())
}

func TestOwnErrorsAreNoFailures(t *testing.T) {
	t.Parallel()
	c, f := start(t, nil, nil)
	c.reader.Own = "otelcol-selfheal"
	l := record("", map[string]any{})
	l.ResourceLogs().At(0).Resource().Attributes().PutStr(vocab.ServiceName, "otelcol-selfheal")
	l.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).SetSeverityNumber(plog.SeverityNumberError)
	require.NoError(t, c.ConsumeLogs(t.Context(), l))
	assert.Empty(t, f.taken())
}

func TestANameTooLongIsRefused(t *testing.T) {
	t.Parallel()
	c, f := start(t, nil, nil)
	l := failedRun("1")
	l.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().PutStr(vocab.PipelineName, string(make([]byte, 5000)))
	require.NoError(t, c.ConsumeLogs(t.Context(), l))
	assert.Empty(t, f.taken())
}

func TestTheIDOfAnEventIsItsOwn(t *testing.T) {
	t.Parallel()
	c, f := start(t, nil, nil)
	without := func(state string) plog.Logs {
		l := failedRun("")
		a := l.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes()
		a.Remove("log.record.uid")
		a.PutStr(vocab.RunState, state)
		return l
	}
	for range 3 {
		c.reader.Now = time.Now
		require.NoError(t, c.ConsumeLogs(t.Context(), without("failed")))
		require.NoError(t, c.ConsumeLogs(t.Context(), without("succeeded")))
	}
	assert.Len(t, f.taken(), 2)
}

func TestErrorsOfTheConfigNameTheKey(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Config){
		"reliability:":                func(c *Config) { c.Reliability = component.ID{} },
		"max_observations_per_batch:": func(c *Config) { c.MaxObservationsPerBatch = 0 },
		"max_failures_per_batch:":     func(c *Config) { c.MaxFailuresPerBatch = -1 },
		"max_backlog:":                func(c *Config) { c.MaxBacklog = -1 },
		"rules_file:":                 func(c *Config) { c.RulesFile = "testdata/none.yaml" },
		`rules: rule 1 ("x"): class:`: func(c *Config) { c.Rules = []classify.Rule{{Name: "x"}} },
		`("nobody"): disabled:`:       func(c *Config) { c.Rules = []classify.Rule{{Name: "nobody", Disabled: true}} },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			cfg := createDefaultConfig().(*Config)
			change(cfg)
			require.ErrorContains(t, cfg.Validate(), want)
		})
	}
}

func BenchmarkConsumeMetrics(b *testing.B) {
	c, _ := start(b, nil, nil)
	m := pmetric.NewMetrics()
	for n := range 100 {
		rm := m.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr(vocab.ServiceName, "svc"+strconv.Itoa(n))
		for range 100 {
			one := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
			one.SetName("http.server.request.duration")
			one.SetEmptyGauge().DataPoints().AppendEmpty().SetDoubleValue(1)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.ConsumeMetrics(context.Background(), m); err != nil { //nolint:usetesting // a benchmark
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/point")
}

func BenchmarkConsumeFailedRun(b *testing.B) {
	c, _ := start(b, nil, nil)
	l := failedRun("1")
	b.ReportAllocs()
	for b.Loop() {
		if err := c.ConsumeLogs(context.Background(), l); err != nil { //nolint:usetesting // a benchmark
			b.Fatal(err)
		}
	}
}
