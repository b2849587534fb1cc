package anomalydetectionprocessor

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/metadata"
)

// kinds writes one minute of every kind of point, with everything that a point can carry.
type kinds struct {
	pmetric.MetricSlice
	at, start pcommon.Timestamp
}

func everything(minute int, value float64) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.SetSchemaUrl("https://a")
	rm.Resource().Attributes().PutStr("service.name", "s")
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName("lib")
	sm.Scope().SetVersion("1")
	sm.SetSchemaUrl("https://b")
	k := kinds{sm.Metrics(), pcommon.NewTimestampFromTime(epoch.Add(time.Duration(minute) * time.Minute)), pcommon.NewTimestampFromTime(epoch.Add(-time.Hour))}
	k.number(k.metric("gauge").SetEmptyGauge().DataPoints().AppendEmpty(), value)
	k.number(k.metric("int").SetEmptyGauge().DataPoints().AppendEmpty(), 0).SetIntValue(int64(value))
	for _, temporality := range []pmetric.AggregationTemporality{pmetric.AggregationTemporalityDelta, pmetric.AggregationTemporalityCumulative} {
		v := value
		if temporality == pmetric.AggregationTemporalityCumulative {
			v += 10 * float64(minute)
		}
		for _, monotonic := range []bool{true, false} {
			s := k.metric(fmt.Sprintf("sum %s %t", temporality, monotonic)).SetEmptySum()
			s.SetAggregationTemporality(temporality)
			s.SetIsMonotonic(monotonic)
			k.number(s.DataPoints().AppendEmpty(), v)
		}
		k.distributions(temporality, uint64(v))
	}
	p := k.metric("summary").SetEmptySummary().DataPoints().AppendEmpty()
	p.SetTimestamp(k.at)
	p.SetStartTimestamp(k.start)
	p.SetCount(uint64(10*minute) + uint64(value))
	p.SetSum(10*float64(minute) + value)
	q := p.QuantileValues().AppendEmpty()
	q.SetQuantile(.5)
	q.SetValue(1)
	none := k.metric("no recorded value").SetEmptyGauge().DataPoints().AppendEmpty()
	none.SetTimestamp(k.at)
	none.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	k.metric("empty")
	return md
}

func (k kinds) metric(name string) pmetric.Metric {
	m := k.AppendEmpty()
	m.SetName(name)
	m.SetUnit("By")
	m.SetDescription("d")
	m.Metadata().PutStr("a", "b")
	return m
}

func (k kinds) number(p pmetric.NumberDataPoint, v float64) pmetric.NumberDataPoint {
	p.SetTimestamp(k.at)
	p.SetStartTimestamp(k.start)
	p.SetDoubleValue(v)
	p.Attributes().PutStr("x", "y")
	k.exemplar(p.Exemplars())
	return p
}

func (k kinds) distributions(temporality pmetric.AggregationTemporality, count uint64) {
	h := k.metric("histogram " + temporality.String()).SetEmptyHistogram()
	h.SetAggregationTemporality(temporality)
	p := h.DataPoints().AppendEmpty()
	p.SetTimestamp(k.at)
	p.SetStartTimestamp(k.start)
	p.SetCount(count)
	p.SetSum(float64(count))
	p.SetMin(0)
	p.SetMax(2)
	p.BucketCounts().FromRaw([]uint64{count, 0})
	p.ExplicitBounds().FromRaw([]float64{1})
	k.exemplar(p.Exemplars())
	e := k.metric("exponential " + temporality.String()).SetEmptyExponentialHistogram()
	e.SetAggregationTemporality(temporality)
	x := e.DataPoints().AppendEmpty()
	x.SetTimestamp(k.at)
	x.SetStartTimestamp(k.start)
	x.SetCount(count)
	x.SetSum(float64(count))
	x.SetScale(2)
	x.SetZeroCount(1)
	x.SetZeroThreshold(.1)
	x.Positive().SetOffset(1)
	x.Positive().BucketCounts().FromRaw([]uint64{count})
	x.Negative().BucketCounts().FromRaw([]uint64{1})
	k.exemplar(x.Exemplars())
}

func (k kinds) exemplar(list pmetric.ExemplarSlice) {
	e := list.AppendEmpty()
	e.SetTimestamp(k.at)
	e.SetDoubleValue(3)
	e.SetTraceID([16]byte{1})
	e.SetSpanID([8]byte{2})
	e.FilteredAttributes().PutStr("k", "v")
}

func marshal(t *testing.T, md pmetric.Metrics) []byte {
	t.Helper()
	raw, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	require.NoError(t, err)
	return raw
}

func TestEveryKindOfPointComesOutEqual(t *testing.T) {
	t.Parallel()
	r := running(t, defaults())
	for minute := range 60 {
		value := 5.
		if minute == 55 {
			value = 90_000
		}
		md := everything(minute, value)
		want := marshal(t, md)
		r.sink.Reset()
		require.NoError(t, r.ConsumeMetrics(t.Context(), md))
		points, verdicts := split(t, r.sink.AllMetrics()[0])
		require.Equal(t, want, marshal(t, points))
		if minute == 55 {
			// Two numbers, four sums, two parts of each of four histograms and of the summary.
			assert.GreaterOrEqual(t, len(verdicts), 10, "every kind is judged")
		}
	}
}

func FuzzPoints(f *testing.F) {
	set := processortest.NewNopSettings(metadata.Type)
	d, err := newDetector(set, defaults())
	require.NoError(f, err)
	w, err := newWatcher(set, defaults(), d)
	require.NoError(f, err)
	w.now = func() time.Time { return epoch }
	d.standing.told.Store(epoch.Unix())
	for minute := range 3 {
		raw, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(everything(minute, 5))
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		md, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(raw)
		if err != nil {
			return
		}
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				if sm.Scope().Name() == metadata.ScopeName {
					return // it would be taken for ours
				}
			}
		}
		want := marshal(t, md)
		out, err := w.process(t.Context(), md)
		require.NoError(t, err)
		points, _ := split(t, out)
		require.Equal(t, want, marshal(t, points))
	})
}
