package reading

import (
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// Metrics reads declared facts and the detector's verdicts; everything else is
// left alone, so that nothing feeds back on itself.
func (r *Reader) Metrics(metrics pmetric.Metrics) ([]observation.Observation, Skip) {
	b := r.begin()
	for i := range metrics.ResourceMetrics().Len() {
		rm := metrics.ResourceMetrics().At(i)
		verdicts := verdicts{batch: b, resource: rm.Resource().Attributes(), open: map[string]*observation.Observation{}}
		for j := range rm.ScopeMetrics().Len() {
			list := rm.ScopeMetrics().At(j).Metrics()
			for k := range list.Len() {
				m := list.At(k)
				switch {
				case slices.Contains(vocab.FactMetrics[:], m.Name()):
					b.facts(rm.Resource().Attributes(), m)
				case slices.Contains(vocab.VerdictMetrics[:], m.Name()):
					verdicts.take(m)
				}
			}
		}
		verdicts.finish()
	}
	return b.out, b.skip
}

func points(m pmetric.Metric) pmetric.NumberDataPointSlice {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints()
	}
	return pmetric.NewNumberDataPointSlice()
}

func value(p pmetric.NumberDataPoint) float64 {
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		return float64(p.IntValue())
	}
	return p.DoubleValue()
}

func (b *batch) facts(resource pcommon.Map, m pmetric.Metric) {
	list := points(m)
	for n := range list.Len() {
		p := list.At(n)
		if p.Flags().NoRecordedValue() {
			continue
		}
		a := attributes{p.Attributes(), resource}
		o := observation.Observation{Kind: observation.Fact, Polarity: observation.Info, Source: a.source(), Entity: a.entity(), Time: pointTime(p, b.now)}
		if o.Entity.IsZero() {
			b.malformed("no entity")
			continue
		}
		v := value(p)
		o.ID = "fact/" + hash(append(flat(p.Attributes()), o.Entity.String(), m.Name(), p.Timestamp().String(), strconv.FormatFloat(v, 'g', -1, 64))...)
		o.Fact = &observation.FactValue{Name: m.Name(), Value: v, Unit: m.Unit(), Part: part(p.Attributes())}
		if m.Name() == vocab.FactAssertion {
			b.assertion(a, o, v)
			continue
		}
		b.add(o)
	}
}

func pointTime(p pmetric.NumberDataPoint, now time.Time) time.Time {
	if p.Timestamp() == 0 {
		return now
	}
	return p.Timestamp().AsTime()
}

// part tells apart several values of one fact of one entity: the load, or
// whatever attributes the point has.
func part(m pcommon.Map) string {
	if v, ok := m.Get(vocab.DatasetLoadID); ok {
		return v.AsString()
	}
	text := ""
	for n, one := range flat(m) {
		if n > 0 {
			text += ","
		}
		text += one
	}
	if len(text) > 256 {
		return hash(text)
	}
	return text
}

// assertion is the result of a check: a fact that is also good or bad news.
func (b *batch) assertion(a attributes, o observation.Observation, v float64) {
	o.Kind, o.Fact = observation.Assertion, nil
	o.Assertion = &observation.Check{Name: a.str(vocab.QualityAssertion), Column: a.str(vocab.QualityColumn), Success: v != 0}
	o.Polarity = observation.Recovery
	if !o.Assertion.Success {
		o.Polarity = observation.Problem
	}
	b.add(o)
}

// verdicts joins the gauges that say one thing about one point of a series.
type verdicts struct {
	*batch
	resource pcommon.Map
	open     map[string]*observation.Observation
	order    []string
}

func (v *verdicts) take(m pmetric.Metric) {
	list := points(m)
	for n := range list.Len() {
		p := list.At(n)
		o := v.get(p)
		s := o.Series
		switch m.Name() {
		case vocab.VerdictScore:
			s.Score = value(p)
		case vocab.VerdictValue:
			s.Value = value(p)
		case vocab.VerdictExpected:
			s.Expected = value(p)
		case vocab.VerdictLower:
			s.Lower = value(p)
		case vocab.VerdictUpper:
			s.Upper = value(p)
		case vocab.VerdictActive:
			s.Active = value(p) != 0
			// Without it nothing says whether the series is in trouble or out of it.
			o.Kind = observation.Anomaly
		}
	}
}

func (v *verdicts) get(p pmetric.NumberDataPoint) *observation.Observation {
	a := attributes{p.Attributes(), v.resource}
	metric := a.str(vocab.AnomalyMetric)
	series := append(flat(v.resource), metric)
	series = append(series, flat(p.Attributes(), vocab.AnomalyReason, vocab.AnomalyUnit, vocab.AnomalyMetric, vocab.DatasetLoadID)...)
	load := a.str(vocab.DatasetLoadID)
	key := hash(series...)
	at := hash(key, load, p.Timestamp().String())
	if o, ok := v.open[at]; ok {
		return o
	}
	o := &observation.Observation{ID: "verdict/" + at, Source: "anomaly_detection", Entity: a.entity(), Time: pointTime(p, v.now)}
	o.Series = &observation.Series{Metric: metric, Key: key, Reason: a.str(vocab.AnomalyReason), Attributes: map[string]string{}}
	if p.StartTimestamp() != 0 {
		o.Series.Onset = p.StartTimestamp().AsTime()
	}
	for k, val := range p.Attributes().All() {
		if len(o.Series.Attributes) < 32 && k != vocab.AnomalyMetric && k != vocab.AnomalyReason && k != vocab.AnomalyUnit {
			o.Series.Attributes[k] = val.AsString()
		}
	}
	v.open[at] = o
	v.order = append(v.order, at)
	return o
}

func (v *verdicts) finish() {
	for _, at := range v.order {
		o := v.open[at]
		switch {
		case o.Kind != observation.Anomaly:
			v.malformed("verdict without active")
			continue
		case o.Entity.IsZero():
			v.malformed("no entity")
			continue
		case o.Series.Active:
			o.Polarity = observation.Problem
		default:
			o.Polarity = observation.Recovery
		}
		o.ID = "verdict/" + hash(at, strconv.FormatBool(o.Series.Active), strconv.FormatFloat(o.Series.Value, 'g', -1, 64))
		v.add(*v.soften(o))
	}
}

// soften: a strange series of a job or a platform (how long it took, how many
// slots are taken) is worth knowing, and trouble only where a rule says so; what
// is measured of data or told by a service is.
func (v *verdicts) soften(o *observation.Observation) *observation.Observation {
	if o.Polarity != observation.Problem || o.Entity.Kind == entity.Dataset || o.Entity.Kind == entity.Service {
		return o
	}
	if h := v.Judge.Propose(o); h == nil || h.Class == "unknown" {
		o.Polarity = observation.Info
	}
	return o
}
