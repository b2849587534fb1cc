package anomalydetectionprocessor

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/filter"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/fleet"
	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/identity"
	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/series"
)

// own is how the names of the metrics begin that this product adds; they are never scored.
const own = "selfheal."

// Names of the parts of a histogram or summary that are series of their own.
const (
	partCount = ".count"
	partMean  = ".mean"
)

const outcomes = int(series.Primed) + 2

// rejected is the outcome of a point whose series found no room.
const rejected = outcomes - 1

// watcher is the processor of one pipeline.
type watcher struct {
	fleet   *fleet.Fleet
	shared  *detector
	cfg     *Config
	include filter.Filter
	exclude filter.Filter
	now     func() time.Time
	tel     *metadata.TelemetryBuilder

	skip     func(string) bool
	outcome  [outcomes]metric.AddOption
	reasonOf map[series.Reason]metric.AddOption
}

func newWatcher(set processor.Settings, cfg *Config, d *detector) (*watcher, error) {
	tel, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	w := &watcher{fleet: d.fleet, shared: d, cfg: cfg, now: d.now, tel: tel, reasonOf: map[series.Reason]metric.AddOption{}}
	if len(cfg.Metrics.Include) > 0 {
		w.include = filter.CreateFilter(cfg.Metrics.Include)
	}
	if len(cfg.Metrics.Exclude) > 0 {
		w.exclude = filter.CreateFilter(cfg.Metrics.Exclude)
	}
	if names := cfg.Identity.ExcludeAttributes; len(names) > 0 {
		w.skip = func(k string) bool {
			return slices.Contains(names, k)
		}
	}
	for i, name := range [outcomes]string{"learning", "scored", "repeated", "late", "invalid", "primed", "rejected"} {
		w.outcome[i] = metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", name)))
	}
	for r := series.Spike; r <= series.Flatline; r++ {
		w.reasonOf[r] = metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", r.String())))
	}
	return w, nil
}

// tally counts what happened in one batch, so that each metric is touched once.
type tally struct {
	outcome            [outcomes]int64
	resets, newNormals int64
	raised             [series.Flatline + 1]int64
}

// batch is one walk through the metrics of one request.
type batch struct {
	w        *watcher
	now      int64
	tally    tally
	verdicts *verdicts
	resource identity.Hash
	resTag   uint32
}

// process scores each point and appends the verdicts to the resources they belong to.
func (w *watcher) process(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	b := batch{w: w, now: w.now().Unix(), verdicts: &verdicts{limit: w.cfg.MaxVerdictsPerBatch}}
	rms := md.ResourceMetrics()
	for i := range rms.Len() {
		rm := rms.At(i)
		b.resource, b.resTag = identity.Hash{}.Attributes(rm.Resource().Attributes(), w.skip)
		b.verdicts.into(rm)
		scopes := rm.ScopeMetrics()
		// The scope of the verdicts is appended while this runs and is not walked.
		for j := range scopes.Len() {
			b.scope(scopes.At(j))
		}
	}
	w.report(ctx, &b)
	if w.shared.standing.due(b.now) {
		w.shared.append(md, w.now())
	}
	return md, nil
}

func (b *batch) scope(sm pmetric.ScopeMetrics) {
	h, tag := b.resource.Text(sm.Scope().Name()).Attributes(sm.Scope().Attributes(), b.w.skip)
	metrics := sm.Metrics()
	for i := range metrics.Len() {
		m := metrics.At(i)
		if b.w.watches(m.Name()) {
			b.metric(h.Text(m.Name()), b.resTag+tag, m)
		}
	}
}

func (w *watcher) watches(name string) bool {
	return !strings.HasPrefix(name, own) &&
		(w.include == nil || w.include.Matches(name)) &&
		(w.exclude == nil || !w.exclude.Matches(name))
}

// point is what all kinds of points have.
type point interface {
	Attributes() pcommon.Map
	Timestamp() pcommon.Timestamp
	StartTimestamp() pcommon.Timestamp
	Flags() pmetric.DataPointFlags
}

func (b *batch) metric(h identity.Hash, tag uint32, m pmetric.Metric) {
	h = h.Number(uint64(m.Type()))
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		b.numbers(h, tag, m, m.Gauge().DataPoints(), series.Plain, false)
	case pmetric.MetricTypeSum:
		s := m.Sum()
		kind, delta := series.Plain, s.AggregationTemporality() == pmetric.AggregationTemporalityDelta
		if s.IsMonotonic() {
			kind = series.Rate
		}
		b.numbers(h, tag, m, s.DataPoints(), kind, delta)
	case pmetric.MetricTypeHistogram:
		ps := m.Histogram().DataPoints()
		delta := m.Histogram().AggregationTemporality() == pmetric.AggregationTemporalityDelta
		for i := range ps.Len() {
			p := ps.At(i)
			distribution(b, h, tag, m, p, float64(p.Count()), p.Sum(), p.HasSum(), delta)
		}
	case pmetric.MetricTypeExponentialHistogram:
		ps := m.ExponentialHistogram().DataPoints()
		delta := m.ExponentialHistogram().AggregationTemporality() == pmetric.AggregationTemporalityDelta
		for i := range ps.Len() {
			p := ps.At(i)
			distribution(b, h, tag, m, p, float64(p.Count()), p.Sum(), p.HasSum(), delta)
		}
	case pmetric.MetricTypeSummary:
		ps := m.Summary().DataPoints()
		for i := range ps.Len() {
			p := ps.At(i)
			distribution(b, h, tag, m, p, float64(p.Count()), p.Sum(), true, false)
		}
	case pmetric.MetricTypeEmpty:
	}
}

func (b *batch) numbers(h identity.Hash, tag uint32, m pmetric.Metric, ps pmetric.NumberDataPointSlice, kind series.Kind, delta bool) {
	for i := range ps.Len() {
		p := ps.At(i)
		var v float64
		switch p.ValueType() {
		case pmetric.NumberDataPointValueTypeInt:
			v = float64(p.IntValue())
		case pmetric.NumberDataPointValueTypeDouble:
			v = p.DoubleValue()
		case pmetric.NumberDataPointValueTypeEmpty:
			b.tally.outcome[series.Invalid]++
			continue
		}
		o := series.Observation{Kind: kind, Delta: delta, Value: v}
		at(p, &o)
		unit := ""
		if kind == series.Rate {
			unit = "/s"
		}
		if p.Flags().NoRecordedValue() {
			b.tally.outcome[series.Invalid]++
			continue
		}
		ph, ptag := h.Attributes(p.Attributes(), b.w.skip)
		o.Tag = sum(tag, ptag)
		b.observe(ph.ID(), o, m, "", unit, p.Attributes())
	}
}

// distribution watches how often something happened, and the mean of what happened.
func distribution[P point](b *batch, h identity.Hash, tag uint32, m pmetric.Metric, p P, count, total float64, hasSum, delta bool) {
	if p.Flags().NoRecordedValue() {
		b.tally.outcome[series.Invalid]++
		return
	}
	ph, ptag := h.Attributes(p.Attributes(), b.w.skip)
	o := series.Observation{Kind: series.Rate, Delta: delta, Value: count, Tag: sum(tag, ptag)}
	at(p, &o)
	b.observe(ph.Number(1).ID(), o, m, partCount, "{observation}/s", p.Attributes())
	if hasSum {
		o.Kind, o.Value, o.Count = series.Mean, total, count
		b.observe(ph.Number(2).ID(), o, m, partMean, "", p.Attributes())
	}
}

func at[P point](p P, o *series.Observation) {
	o.Start, o.Time = int64(p.StartTimestamp()), int64(p.Timestamp())
}

// sum joins two tags; 0 stays the tag of series that have none.
func sum(a, b uint32) uint32 {
	if a+b == 0 && a != 0 {
		return a
	}
	return a + b
}

func (b *batch) observe(id identity.ID, o series.Observation, m pmetric.Metric, part, unit string, attrs pcommon.Map) {
	r, ok := b.w.fleet.Observe(id, b.now, o)
	if !ok {
		b.tally.outcome[rejected]++
		return
	}
	b.tally.outcome[r.Status]++
	if r.Reset {
		b.tally.resets++
	}
	if r.Raised {
		b.tally.raised[r.Reason]++
	}
	if r.Adopted && r.Status == series.Scored {
		b.tally.newNormals++
	}
	if r.Verdict() {
		b.verdicts.add(&r, m, part, unit, attrs)
	}
}

func (w *watcher) report(ctx context.Context, b *batch) {
	for i, n := range b.tally.outcome {
		if n > 0 {
			w.tel.ProcessorAnomalyDetectionPoints.Add(ctx, n, w.outcome[i])
		}
	}
	for i, n := range b.tally.raised {
		if n > 0 {
			w.tel.ProcessorAnomalyDetectionAlarms.Add(ctx, n, w.reasonOf[series.Reason(i)])
		}
	}
	if n := b.tally.resets; n > 0 {
		w.tel.ProcessorAnomalyDetectionCounterResets.Add(ctx, n)
	}
	if n := b.tally.newNormals; n > 0 {
		w.tel.ProcessorAnomalyDetectionNewNormals.Add(ctx, n)
	}
	if n := b.verdicts.dropped; n > 0 {
		w.tel.ProcessorAnomalyDetectionVerdictsDropped.Add(ctx, int64(n))
	}
}
