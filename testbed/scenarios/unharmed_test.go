package scenarios

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// Every type of point passes the full pipeline and comes out equal: exemplars,
// flags, start times and all; also when the state cannot be read or written any more.
func TestTelemetryUnharmed(t *testing.T) {
	t.Parallel()
	w := shared.own(t, options{Name: "unharmed", Detect: true, DAGs: []string{"nothing"}})
	if bytes, err := w.Process().Resident(); err == nil {
		shared.figures.note(t, "idle collector resident MiB", bytes>>20)
	}
	if info, err := os.Stat(shared.binary()); err == nil {
		shared.figures.note(t, "binary MiB", info.Size()>>20)
	}
	pass := func(from, to int) {
		for n := from; n < to; n++ {
			sent := points(n)
			body, err := pmetricotlp.NewExportRequestFromMetrics(sent).MarshalProto()
			must(t, err)
			if _, err := post(t.Context(), w.otlp+"/v1/metrics", body); err != nil {
				t.Errorf("batch %d: %v", n, err)
			}
			arrives(t, w.sink, n, sent)
		}
	}
	pass(0, 30)
	ruin(t, w.State)
	pass(30, 60)
}

// ruin breaks the state as a failing disk would: every file of it reads as garbage.
func ruin(t *testing.T, dir string) {
	t.Helper()
	ruined := 0
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Size() == 0 {
			return err
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		ruined++
		_, err = f.Write(bytes.Repeat([]byte("ruined! "), int(info.Size()/8)+1))
		return err
	}))
	if ruined == 0 {
		t.Fatalf("no state in %s to ruin", dir)
	}
}

// arrives waits until the batch has come out, and compares it to the last bit.
func arrives(t *testing.T, s *sink, n int, sent pmetric.Metrics) {
	t.Helper()
	var all pmetric.ProtoMarshaler
	want, err := all.MarshalMetrics(sent)
	must(t, err)
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		for _, got := range s.takeMetrics() {
			own := pmetric.NewMetrics()
			for _, rm := range got.ResourceMetrics().All() {
				if v, ok := rm.Resource().Attributes().Get("batch"); ok && v.Int() == int64(n) {
					rm.CopyTo(own.ResourceMetrics().AppendEmpty())
				}
			}
			if own.ResourceMetrics().Len() == 0 {
				continue
			}
			// Verdicts are added in a scope of their own; nothing else may differ.
			own.ResourceMetrics().At(0).ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
				return sm.Metrics().Len() > 0 && strings.HasPrefix(sm.Metrics().At(0).Name(), "selfheal.anomaly.")
			})
			have, err := all.MarshalMetrics(own)
			must(t, err)
			if !bytes.Equal(want, have) {
				var j pmetric.JSONMarshaler
				a, _ := j.MarshalMetrics(sent)
				b, _ := j.MarshalMetrics(own)
				t.Fatalf("batch %d comes out changed:\nsent %s\ncame %s", n, a, b)
			}
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("batch %d does not come out", n)
}

// points makes a batch with all types of points and all of their fields.
func points(n int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.SetSchemaUrl("https://opentelemetry.io/schemas/1.40.0")
	rm.Resource().Attributes().PutInt("batch", int64(n))
	rm.Resource().Attributes().PutStr("service.name", "telemetry")
	rm.Resource().SetDroppedAttributesCount(1)
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName("scope")
	sm.Scope().SetVersion("1")
	sm.SetSchemaUrl("https://opentelemetry.io/schemas/1.39.0")
	at := time.Date(2026, 11, 24, 0, n, 0, 7, time.UTC)
	metric := func(kind string) pmetric.Metric {
		m := sm.Metrics().AppendEmpty()
		m.SetName(kind)
		m.SetUnit("1")
		m.SetDescription("of type " + kind)
		m.Metadata().PutStr("kind", kind)
		return m
	}
	number := func(p pmetric.NumberDataPoint, whole bool) {
		p.SetStartTimestamp(pcommon.NewTimestampFromTime(at.Add(-time.Hour)))
		p.SetTimestamp(pcommon.NewTimestampFromTime(at))
		p.Attributes().PutStr("key", "value")
		if whole {
			p.SetIntValue(int64(n))
		} else {
			p.SetDoubleValue(float64(n) + 0.5)
		}
		exemplar(p.Exemplars().AppendEmpty(), at)
	}
	gauge := metric("gauge").SetEmptyGauge().DataPoints()
	number(gauge.AppendEmpty(), true)
	number(gauge.AppendEmpty(), false)
	missing := gauge.AppendEmpty()
	missing.SetTimestamp(pcommon.NewTimestampFromTime(at))
	missing.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	for _, temporality := range []pmetric.AggregationTemporality{pmetric.AggregationTemporalityDelta, pmetric.AggregationTemporalityCumulative} {
		for _, monotonic := range []bool{true, false} {
			sum := metric(fmt.Sprintf("sum %s %t", temporality, monotonic)).SetEmptySum()
			sum.SetAggregationTemporality(temporality)
			sum.SetIsMonotonic(monotonic)
			number(sum.DataPoints().AppendEmpty(), monotonic)
		}
		h := metric("histogram " + temporality.String()).SetEmptyHistogram()
		h.SetAggregationTemporality(temporality)
		hp := h.DataPoints().AppendEmpty()
		hp.SetStartTimestamp(pcommon.NewTimestampFromTime(at.Add(-time.Hour)))
		hp.SetTimestamp(pcommon.NewTimestampFromTime(at))
		hp.ExplicitBounds().FromRaw([]float64{1, 10})
		hp.BucketCounts().FromRaw([]uint64{1, 2, 3})
		hp.SetCount(6)
		hp.SetSum(60)
		hp.SetMin(0.5)
		hp.SetMax(30)
		exemplar(hp.Exemplars().AppendEmpty(), at)
		e := metric("exponential " + temporality.String()).SetEmptyExponentialHistogram()
		e.SetAggregationTemporality(temporality)
		ep := e.DataPoints().AppendEmpty()
		ep.SetStartTimestamp(pcommon.NewTimestampFromTime(at.Add(-time.Hour)))
		ep.SetTimestamp(pcommon.NewTimestampFromTime(at))
		ep.SetScale(3)
		ep.SetZeroCount(1)
		ep.SetZeroThreshold(0.001)
		ep.Positive().SetOffset(-2)
		ep.Positive().BucketCounts().FromRaw([]uint64{1, 0, 2})
		ep.Negative().SetOffset(4)
		ep.Negative().BucketCounts().FromRaw([]uint64{1})
		ep.SetCount(5)
		ep.SetSum(4)
		ep.SetMin(-1)
		ep.SetMax(2)
		exemplar(ep.Exemplars().AppendEmpty(), at)
	}
	s := metric("summary").SetEmptySummary().DataPoints().AppendEmpty()
	s.SetStartTimestamp(pcommon.NewTimestampFromTime(at.Add(-time.Hour)))
	s.SetTimestamp(pcommon.NewTimestampFromTime(at))
	s.SetCount(4)
	s.SetSum(40)
	q := s.QuantileValues().AppendEmpty()
	q.SetQuantile(0.99)
	q.SetValue(12)
	return md
}

func exemplar(e pmetric.Exemplar, at time.Time) {
	e.SetTimestamp(pcommon.NewTimestampFromTime(at.Add(-time.Second)))
	e.SetDoubleValue(1.5)
	e.SetTraceID([16]byte{1, 2, 3})
	e.SetSpanID([8]byte{4, 5})
	e.FilteredAttributes().PutStr("user", "1")
}
