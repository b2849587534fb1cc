package anomalydetectionprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/series"
)

const gauges = 6

var (
	gaugeNames = [gauges]string{
		vocab.VerdictScore, vocab.VerdictValue, vocab.VerdictExpected,
		vocab.VerdictLower, vocab.VerdictUpper, vocab.VerdictActive,
	}
	gaugeTexts = [gauges]string{
		"Surprise: −log10 of the tail probability",
		"Value that was scored",
		"Value that was expected",
		"Lower end of the band",
		"Upper end of the band",
		"1 while the series is anomalous, 0 once when it recovers",
	}
)

// verdicts appends the verdicts of one batch to the resources of their series,
// in a scope of their own that is made with the first.
type verdicts struct {
	limit, told, dropped int

	rm     pmetric.ResourceMetrics
	made   bool
	gauges [gauges]pmetric.NumberDataPointSlice
}

// into says which resource the next verdicts are of.
func (v *verdicts) into(rm pmetric.ResourceMetrics) { v.rm, v.made = rm, false }

// room reports whether one more verdict may be added. A fifth of the limit is
// kept for beginnings and ends, which are told once; an episode that goes on is told again.
func (v *verdicts) room(r *series.Result) bool {
	if r.Raised || r.Recovered {
		return v.told < v.limit
	}
	return v.told < v.limit-v.limit/5
}

func (v *verdicts) add(r *series.Result, m pmetric.Metric, part, unit string, attrs pcommon.Map) {
	if !v.room(r) {
		v.dropped++
		return
	}
	v.told++
	v.make()
	values := [gauges]float64{r.Score, r.Value, r.Expected, r.Lower, r.Upper, 0}
	if r.Active {
		values[gauges-1] = 1
	}
	var first pcommon.Map
	for i, ps := range v.gauges {
		p := ps.AppendEmpty()
		p.SetTimestamp(pcommon.Timestamp(r.Time))
		p.SetStartTimestamp(pcommon.Timestamp(r.Onset))
		p.SetDoubleValue(values[i])
		if i > 0 {
			first.CopyTo(p.Attributes())
			continue
		}
		first = p.Attributes()
		attrs.CopyTo(first)
		first.PutStr(vocab.AnomalyMetric, m.Name()+part)
		first.PutStr(vocab.AnomalyUnit, unitOf(m.Unit(), unit))
		if r.Active {
			first.PutStr(vocab.AnomalyReason, r.Reason.String())
		}
	}
}

// unitOf returns the unit of what was scored: suffixes such as /s follow the
// metric's own unit, others replace it.
func unitOf(own, unit string) string {
	if unit == "" || unit[0] == '/' {
		return own + unit
	}
	return unit
}

func (v *verdicts) make() {
	if v.made {
		return
	}
	v.made = true
	sm := v.rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(metadata.ScopeName)
	sm.Metrics().EnsureCapacity(gauges)
	for i := range gauges {
		m := sm.Metrics().AppendEmpty()
		m.SetName(gaugeNames[i])
		m.SetDescription(gaugeTexts[i])
		m.SetUnit("1")
		v.gauges[i] = m.SetEmptyGauge().DataPoints()
	}
}
