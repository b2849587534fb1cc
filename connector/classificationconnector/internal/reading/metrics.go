package reading

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/scrub"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// Metrics reads declared facts and the detector's verdicts; everything else is
// left alone, so that nothing feeds back on itself.
func (r *Reader) Metrics(metrics pmetric.Metrics) ([]observation.Observation, Skip) {
	b := r.begin()
	for i := range metrics.ResourceMetrics().Len() {
		rm := metrics.ResourceMetrics().At(i)
		verdicts := verdicts{batch: b, resource: rm.Resource().Attributes(), open: map[string]*verdict{}}
		for j := range rm.ScopeMetrics().Len() {
			list := rm.ScopeMetrics().At(j).Metrics()
			for k := range list.Len() {
				m := list.At(k)
				if facts[m.Name()] {
					b.facts(rm.Resource().Attributes(), m)
				} else if at := slices.Index(vocab.VerdictMetrics[:], m.Name()); at >= 0 {
					verdicts.take(m, 1<<at)
				}
			}
		}
		verdicts.finish()
	}
	return b.out, b.skip
}

// facts are the declared ones.
var facts = func() map[string]bool {
	set := map[string]bool{}
	for _, name := range vocab.FactMetrics {
		set[name] = true
	}
	return set
}()

func points(m pmetric.Metric) pmetric.NumberDataPointSlice {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints()
	}
	return pmetric.NewNumberDataPointSlice()
}

// value is what a point says, and whether it says anything. Infinity becomes the
// largest number, because states are kept as JSON, which has no word for it.
func value(p pmetric.NumberDataPoint) (float64, bool) {
	v := p.DoubleValue()
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		v = float64(p.IntValue())
	}
	return min(max(v, -math.MaxFloat64), math.MaxFloat64), !math.IsNaN(v) && !p.Flags().NoRecordedValue()
}

func (b *batch) facts(resource pcommon.Map, m pmetric.Metric) {
	list := points(m)
	for n := range list.Len() {
		p := list.At(n)
		v, ok := value(p)
		if !ok {
			continue
		}
		a := attributes{p.Attributes(), resource}
		o := observation.Observation{Kind: observation.Fact, Polarity: observation.Info, Source: a.source(), Entity: a.entity(), Time: pointTime(p, b.now)}
		if o.Entity.IsZero() {
			b.malformed("no entity")
			continue
		}
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
	text := strings.Join(flat(m), ",")
	if len(text) > 256 {
		return hash(text)
	}
	return text
}

// assertion is the result of a check: a fact that is also good or bad news.
func (b *batch) assertion(a attributes, o observation.Observation, v float64) {
	o.Kind, o.Fact = observation.Assertion, nil
	o.Assertion = &observation.Check{Name: a.str(vocab.QualityAssertion), Column: a.str(vocab.QualityColumn), Success: v != 0}
	switch {
	case o.Assertion.Success:
		o.Polarity = observation.Recovery
	case a.str(vocab.QualitySeverity) != "warn": // its author does not call that a failure
		o.Polarity = observation.Problem
	}
	b.add(o)
}

// verdicts joins the gauges that say one thing about one point of a series.
type verdicts struct {
	*batch
	resource pcommon.Map
	open     map[string]*verdict
	order    []string
}

type verdict struct {
	observation.Observation
	told int // one bit for each gauge
}

// complete is the told of a verdict that can be used: half a band would be read as zero.
const complete = 1<<len(vocab.VerdictMetrics) - 1

func (v *verdicts) take(m pmetric.Metric, bit int) {
	list := points(m)
	for n := range list.Len() {
		p := list.At(n)
		says, ok := value(p)
		if !ok {
			continue
		}
		o := v.get(p)
		if o == nil {
			continue
		}
		o.told |= bit
		s := o.Series
		switch m.Name() {
		case vocab.VerdictScore:
			s.Score = says
		case vocab.VerdictValue:
			s.Value = says
		case vocab.VerdictExpected:
			s.Expected = says
		case vocab.VerdictLower:
			s.Lower = says
		case vocab.VerdictUpper:
			s.Upper = says
		case vocab.VerdictActive:
			s.Active = says != 0
		}
	}
}

// get is the verdict that p is part of; nil beyond the bound of the batch.
func (v *verdicts) get(p pmetric.NumberDataPoint) *verdict {
	a := attributes{p.Attributes(), v.resource}
	metric := a.str(vocab.AnomalyMetric)
	series := append(flat(v.resource), metric)
	series = append(series, flat(p.Attributes(), vocab.AnomalyReason, vocab.AnomalyUnit, vocab.AnomalyMetric, vocab.DatasetLoadID)...)
	key := hash(series...)
	at := hash(key, a.str(vocab.DatasetLoadID), p.Timestamp().String())
	if o, ok := v.open[at]; ok {
		return o
	}
	if len(v.order) >= v.Max {
		return nil
	}
	o := &verdict{}
	o.Source, o.Entity, o.Time = "anomaly_detection", a.entity(), pointTime(p, v.now)
	o.Series = &observation.Series{Metric: metric, Key: key, Reason: a.str(vocab.AnomalyReason), Attributes: map[string]string{}}
	if p.StartTimestamp() != 0 {
		o.Series.Onset = p.StartTimestamp().AsTime()
	}
	for k, val := range p.Attributes().All() {
		switch k {
		case vocab.AnomalyMetric, vocab.AnomalyReason, vocab.AnomalyUnit:
		case vocab.DatasetLoadID: // it names a load and must stay what it is
			o.Series.Attributes[k] = a.str(k)
		default:
			if len(o.Series.Attributes) < maxAttributes {
				o.Series.Attributes[k] = scrub.Text(val.AsString(), maxAttribute)
			}
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
		case o.told != complete:
			v.malformed("incomplete verdict")
			continue
		case o.Entity.IsZero():
			v.malformed("no entity")
			continue
		}
		o.Kind, o.Polarity = observation.Anomaly, observation.Recovery
		if o.Series.Active {
			o.Polarity = observation.Problem
		}
		o.ID = "verdict/" + hash(at, strconv.FormatBool(o.Series.Active), strconv.FormatFloat(o.Series.Value, 'g', -1, 64))
		v.add(*v.soften(&o.Observation))
	}
}

// soften: a strange series (how long a job took, how many slots are taken, how
// large a table is) is worth knowing, and trouble only where a rule says so; what
// a service tells of itself is.
func (v *verdicts) soften(o *observation.Observation) *observation.Observation {
	if o.Polarity != observation.Problem || o.Entity.Kind == entity.Service {
		return o
	}
	if h := v.Judge.Propose(o); h == nil || h.Class == "unknown" {
		o.Polarity = observation.Info
	}
	return o
}
