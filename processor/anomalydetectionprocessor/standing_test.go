package anomalydetectionprocessor

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/metadata"
)

func TestTheDetectorSaysOnceAMinuteHowItStands(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	set := processortest.NewNopSettings(metadata.Type)
	d, err := newDetector(set, defaults())
	require.NoError(t, err)
	d.now = func() time.Time { return now }
	d.standing.told.Store(now.Unix())
	w, err := newWatcher(set, defaults(), d)
	require.NoError(t, err)
	t.Cleanup(func() { w.tel.Shutdown(); require.NoError(t, d.Shutdown(context.Background())); d.tel.Shutdown() })

	pass := func() pmetric.Metrics {
		md, err := w.process(t.Context(), gauge("m", epoch, 1))
		require.NoError(t, err)
		return md
	}
	assert.Equal(t, 1, pass().ResourceMetrics().Len())
	now = now.Add(time.Minute)
	md := pass()
	require.Equal(t, 2, md.ResourceMetrics().Len())
	assert.Equal(t, 1, pass().ResourceMetrics().Len(), "once for each minute")
	rm := md.ResourceMetrics().At(1)
	kind, _ := rm.Resource().Attributes().Get(vocab.PlatformKind)
	assert.Equal(t, "detector", kind.Str())
	values := map[string]int64{}
	list := rm.ScopeMetrics().At(0).Metrics()
	for n := range list.Len() {
		values[list.At(n).Name()] = list.At(n).Gauge().DataPoints().At(0).IntValue()
	}
	assert.Equal(t, map[string]int64{vocab.FactDetectorReady: 0, vocab.FactDetectorLearning: 1, vocab.FactDetectorUntil: 0}, values)
}

func BenchmarkConsumeMetrics(b *testing.B) {
	set := processortest.NewNopSettings(metadata.Type)
	d, err := newDetector(set, defaults())
	require.NoError(b, err)
	w, err := newWatcher(set, defaults(), d)
	require.NoError(b, err)
	const points = 10_000
	md := pmetric.NewMetrics()
	ps := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	ps.SetName("m")
	list := ps.SetEmptyGauge().DataPoints()
	for n := range points {
		p := list.AppendEmpty()
		p.Attributes().PutInt("series", int64(n))
		p.SetDoubleValue(1)
	}
	at := time.Unix(1_800_000_000, 0)
	step := func() {
		at = at.Add(time.Minute)
		for n := range points {
			list.At(n).SetTimestamp(pcommon.NewTimestampFromTime(at))
		}
		_, err := w.process(b.Context(), md)
		require.NoError(b, err)
	}
	for range 60 {
		step()
	}
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/points, "ns/point")
}
