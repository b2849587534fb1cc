package anomalydetectionprocessor

import (
	"context"
	"errors"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/metadatatest"
)

var epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

type host struct {
	component.Host
	ext map[component.ID]component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component { return h.ext }

// rig is a processor that runs, and what came out of it.
type rig struct {
	processor.Metrics
	sink *consumertest.MetricsSink
	tel  *componenttest.Telemetry
}

func start(t *testing.T, cfg *Config, h component.Host, next consumer.Metrics) rig {
	t.Helper()
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	sink := &consumertest.MetricsSink{}
	if next == nil {
		next = sink
	}
	p, err := NewFactory().CreateMetrics(t.Context(), metadatatest.NewSettings(tel), cfg, next)
	require.NoError(t, err)
	if h == nil {
		h = componenttest.NewNopHost()
	}
	require.NoError(t, p.Start(t.Context(), h))
	return rig{Metrics: p, sink: sink, tel: tel}
}

func running(t *testing.T, cfg *Config) rig {
	t.Helper()
	r := start(t, cfg, nil, nil)
	t.Cleanup(func() { require.NoError(t, r.Shutdown(context.Background())) })
	return r
}

func defaults() *Config { return createDefaultConfig().(*Config) }

// gauge returns one resource with one gauge of one point.
func gauge(name string, at time.Time, v float64, attrs ...string) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "shop")
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(name)
	m.SetUnit("{row}")
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(at))
	p.SetDoubleValue(v)
	for i := 0; i < len(attrs); i += 2 {
		p.Attributes().PutStr(attrs[i], attrs[i+1])
	}
	return md
}

// verdict is one verdict as a consumer reads it.
type verdict struct {
	values map[string]float64
	attrs  map[string]any
	at     time.Time
	onset  time.Time
}

func (v *verdict) active() bool { return v.values[vocab.VerdictActive] == 1 }

// split takes the verdicts out of a batch.
func split(t *testing.T, md pmetric.Metrics) (rest pmetric.Metrics, out []verdict) {
	t.Helper()
	rest = pmetric.NewMetrics()
	md.CopyTo(rest)
	for _, rm := range rest.ResourceMetrics().All() {
		rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			if sm.Scope().Name() != metadata.ScopeName {
				return false
			}
			require.Equal(t, 6, sm.Metrics().Len())
			first := len(out)
			for i, m := range sm.Metrics().All() {
				for j, p := range m.Gauge().DataPoints().All() {
					if i == 0 {
						out = append(out, verdict{
							values: map[string]float64{}, attrs: p.Attributes().AsRaw(),
							at: p.Timestamp().AsTime(), onset: p.StartTimestamp().AsTime(),
						})
					}
					require.Equal(t, out[first+j].attrs, p.Attributes().AsRaw())
					require.Equal(t, out[first+j].at, p.Timestamp().AsTime())
					require.Equal(t, out[first+j].onset, p.StartTimestamp().AsTime())
					require.False(t, math.IsNaN(p.DoubleValue()) || math.IsInf(p.DoubleValue(), 0))
					out[first+j].values[m.Name()] = p.DoubleValue()
				}
			}
			return true
		})
	}
	return rest, out
}

// send sends one batch and returns the verdicts that came with it.
func (r rig) send(t *testing.T, md pmetric.Metrics) []verdict {
	t.Helper()
	r.sink.Reset()
	want := pmetric.NewMetrics()
	md.CopyTo(want)
	require.NoError(t, r.ConsumeMetrics(t.Context(), md))
	require.Len(t, r.sink.AllMetrics(), 1)
	rest, out := split(t, r.sink.AllMetrics()[0])
	require.NoError(t, pmetrictest.CompareMetrics(want, rest))
	return out
}

// TestALoadOfATenth is the story of a table whose loads arrive whole for weeks
// and one day bring a tenth of their rows; it is then run again.
func TestALoadOfATenth(t *testing.T) {
	t.Parallel()
	for name, normal := range map[string]func(i int) float64{
		"constant":     func(int) float64 { return 1000 },
		"little noise": func(i int) float64 { return 1000 + float64(i*7919%31) - 15 },
	} {
		for _, every := range []time.Duration{3 * time.Second, time.Hour, 24 * time.Hour} {
			t.Run(name+" every "+every.String(), func(t *testing.T) {
				t.Parallel()
				r := running(t, defaults())
				at, n := epoch, 0
				load := func(v float64) []verdict {
					at, n = at.Add(every), n+1
					return r.send(t, gauge("data.dataset.load.rows", at, v, "data.dataset.load.id", strconv.Itoa(n)))
				}
				for i := range 50 {
					require.Empty(t, load(normal(i)), "load %d", i)
				}
				short := load(100)
				require.Len(t, short, 1)
				require.True(t, short[0].active())
				require.Equal(t, "drop", short[0].attrs[vocab.AnomalyReason])
				require.Equal(t, "data.dataset.load.rows", short[0].attrs[vocab.AnomalyMetric])
				require.Equal(t, "{row}", short[0].attrs[vocab.AnomalyUnit])
				require.Equal(t, "51", short[0].attrs[vocab.DatasetLoadID])
				require.Equal(t, at, short[0].at)
				require.Equal(t, at, short[0].onset)
				require.InDelta(t, 1000, short[0].values[vocab.VerdictExpected], 20)
				require.InDelta(t, 100, short[0].values[vocab.VerdictValue], 0)
				require.Greater(t, short[0].values[vocab.VerdictLower], 100.)

				at = at.Add(every)
				first := load(normal(51))
				second := load(normal(51))
				require.Len(t, first, 1)
				if first[0].active() {
					require.Len(t, second, 1)
					first = second
				}
				require.False(t, first[0].active())
				require.NotContains(t, first[0].attrs, vocab.AnomalyReason)
				for i := range 10 {
					require.Empty(t, load(normal(i)), "recovered once")
				}
			})
		}
	}
}

func TestLoadsOfOneTimeAreSeveralObservations(t *testing.T) {
	t.Parallel()
	r := running(t, defaults())
	history := pmetric.NewMetrics()
	for i := range 60 {
		gauge("data.dataset.load.rows", epoch, 1000, "data.dataset.load.id", strconv.Itoa(i)).ResourceMetrics().MoveAndAppendTo(history.ResourceMetrics())
	}
	again := pmetric.NewMetrics()
	history.CopyTo(again)
	require.Empty(t, r.send(t, history))
	require.Empty(t, r.send(t, again))
	metadatatest.AssertEqualProcessorAnomalyDetectionPoints(t, r.tel, outcomesOf("learning", 30, "scored", 30, "repeated", 60), ignoreTime)
	require.Len(t, r.send(t, gauge("data.dataset.load.rows", epoch.Add(time.Second), 100, "data.dataset.load.id", "60")), 1)
}

func TestABatchThatIsSentAgainIsScoredAlikeAndLearnedOnce(t *testing.T) {
	t.Parallel()
	refuse := false
	sink := &consumertest.MetricsSink{}
	next, err := consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		_ = sink.ConsumeMetrics(ctx, md)
		if refuse {
			return errors.New("busy")
		}
		return nil
	})
	require.NoError(t, err)
	r := start(t, defaults(), nil, next)
	defer func() { require.NoError(t, r.Shutdown(context.Background())) }()
	batch := func(i int) pmetric.Metrics {
		md := pmetric.NewMetrics()
		for j := range 3 {
			v := 1000 + float64(i*31+j*17%7)
			if i == 40 {
				v = 5e6
			}
			gauge("m", epoch.Add(time.Duration(i*3+j)*time.Minute), v).ResourceMetrics().MoveAndAppendTo(md.ResourceMetrics())
		}
		return md
	}
	for i := range 40 {
		require.NoError(t, r.ConsumeMetrics(t.Context(), batch(i%3+i*0)), "only the first three are new")
	}
	for i := 3; i < 40; i++ {
		require.NoError(t, r.ConsumeMetrics(t.Context(), batch(i)))
	}
	sink.Reset()
	refuse = true
	for range 3 {
		require.Error(t, r.ConsumeMetrics(t.Context(), batch(40)))
	}
	all := sink.AllMetrics()
	require.Len(t, all, 3)
	_, first := split(t, all[0])
	require.Len(t, first, 3)
	for _, md := range all[1:] {
		_, again := split(t, md)
		require.Equal(t, first, again)
	}
	metadatatest.AssertEqualProcessorAnomalyDetectionAlarms(t, r.tel, []metricdata.DataPoint[int64]{{Value: 1, Attributes: set("reason", "spike")}}, ignoreTime)
}

func TestOwnAndFilteredMetricsAreNotScored(t *testing.T) {
	t.Parallel()
	cfg := load(t, "anomaly_detection/all")
	cfg.Storage = nil
	r := running(t, cfg)
	for _, name := range []string{"selfheal.anomaly.score", "data.dataset.columns", "http.requests"} {
		require.Empty(t, r.send(t, gauge(name, epoch, 1)))
	}
	_, err := r.tel.GetMetric("otelcol_processor_anomaly_detection_points")
	require.Error(t, err, "nothing was counted")
	require.Empty(t, r.send(t, gauge("data.dataset.rows", epoch, 1)))
	metadatatest.AssertEqualProcessorAnomalyDetectionPoints(t, r.tel, outcomesOf("learning", 1), ignoreTime)
}

func TestBadValuesAreCounted(t *testing.T) {
	t.Parallel()
	r := running(t, defaults())
	empty := gauge("m", epoch, 0)
	pmetric.NewNumberDataPoint().CopyTo(empty.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().At(0))
	stale := gauge("m", epoch, 0)
	stale.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().At(0).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	for _, md := range []pmetric.Metrics{
		gauge("m", epoch.Add(time.Minute), 1), gauge("m", epoch.Add(2*time.Minute), 2),
		gauge("m", epoch.Add(2*time.Minute), 2), gauge("m", epoch, 3),
		gauge("m", epoch.Add(3*time.Minute), math.NaN()), gauge("m", epoch.Add(3*time.Minute), math.Inf(1)), gauge("m", epoch.Add(3*time.Minute), math.Inf(-1)),
		empty, stale,
	} {
		r.sink.Reset()
		require.NoError(t, r.ConsumeMetrics(t.Context(), md))
	}
	metadatatest.AssertEqualProcessorAnomalyDetectionPoints(t, r.tel, outcomesOf("learning", 2, "repeated", 1, "late", 1, "invalid", 5), ignoreTime)
}

func TestABatchHoldsNoMoreVerdictsThanItsLimit(t *testing.T) {
	t.Parallel()
	cfg := defaults()
	cfg.MaxVerdictsPerBatch = 10
	r := running(t, cfg)
	at := epoch
	batch := func(v float64) pmetric.Metrics {
		at = at.Add(time.Minute)
		md := pmetric.NewMetrics()
		for i := range 40 {
			gauge("m", at, v, "i", strconv.Itoa(i)).ResourceMetrics().MoveAndAppendTo(md.ResourceMetrics())
		}
		return md
	}
	for range 40 {
		require.Empty(t, r.send(t, batch(7)))
	}
	require.Len(t, r.send(t, batch(9000)), 10)
	require.Len(t, r.send(t, batch(9000)), 8, "room is kept for what begins or ends")
	metadatatest.AssertEqualProcessorAnomalyDetectionVerdictsDropped(t, r.tel, []metricdata.DataPoint[int64]{{Value: 62}}, ignoreTime)
	metadatatest.AssertEqualProcessorAnomalyDetectionSeries(t, r.tel, []metricdata.DataPoint[int64]{
		{Value: 0, Attributes: set("state", "learning")}, {Value: 40, Attributes: set("state", "ready")}, {Value: 40, Attributes: set("state", "anomalous")},
	}, ignoreTime)
}

func TestPipelinesOfOneIDShareTheDetector(t *testing.T) {
	t.Parallel()
	cfg := defaults()
	sinks := [2]consumertest.MetricsSink{}
	var ps [2]processor.Metrics
	for i := range ps {
		p, err := NewFactory().CreateMetrics(t.Context(), processortest.NewNopSettings(metadata.Type), cfg, &sinks[i])
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
		ps[i] = p
	}
	for i := range 50 {
		v := 5.
		if i == 49 {
			v = 5000
		}
		for _, p := range ps {
			require.NoError(t, p.ConsumeMetrics(t.Context(), gauge("m", epoch.Add(time.Duration(i)*time.Minute), v)))
		}
	}
	for i := range sinks {
		all := sinks[i].AllMetrics()
		_, out := split(t, all[len(all)-1])
		require.Len(t, out, 1, "the same verdict in both")
	}
	for _, p := range ps {
		require.NoError(t, p.Shutdown(t.Context()))
	}
}
