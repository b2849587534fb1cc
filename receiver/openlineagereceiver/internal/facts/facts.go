// Package facts makes metrics of what events count and check: one resource for
// each dataset and job.
package facts

import (
	"maps"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/naming"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/record"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/runs"
)

// Maker makes the metrics of an event. It is safe for concurrent use.
type Maker struct {
	service string

	mu sync.Mutex
	mb *metadata.MetricsBuilder
}

// NewMaker makes metrics as the config has them.
func NewMaker(config metadata.MetricsBuilderConfig, set receiver.Settings, service string) *Maker {
	return &Maker{service: service, mb: metadata.NewMetricsBuilder(config, set)}
}

// Metrics may be empty. View is nil for events that are not of runs.
//
// What a run read and wrote is stated when it has succeeded, with what earlier
// events of the run said; what is said after that, at once. Of runs that failed
// it is not stated: half a load would look like a small one.
func (m *Maker) Metrics(e *event.Event, view *runs.View) pmetric.Metrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := batch{Maker: m, at: pcommon.NewTimestampFromTime(e.Time), event: e}
	b.datasets(view)
	if view != nil {
		b.run(view)
	}
	return m.mb.Emit()
}

type batch struct {
	*Maker
	at    pcommon.Timestamp
	event *event.Event
}

func (b *batch) emitDataset(id event.Identifier) {
	rb := b.mb.NewResourceBuilder()
	rb.SetServiceName(b.service)
	rb.SetDataSourceName(record.SourceName)
	rb.SetDataDatasetNamespace(id.Namespace)
	rb.SetDataDatasetName(id.Name)
	b.mb.EmitForResource(metadata.WithResource(rb.Emit()))
}

func (b *batch) emitJob(id event.Identifier) {
	rb := b.mb.NewResourceBuilder()
	rb.SetServiceName(b.service)
	rb.SetDataSourceName(record.SourceName)
	rb.SetDataPipelineNamespace(id.Namespace)
	rb.SetDataPipelineName(id.Name)
	b.mb.EmitForResource(metadata.WithResource(rb.Emit()))
}

// sides of one dataset in one event: it may be read and written.
type sides struct {
	facets       []*event.Dataset
	input        *event.Dataset
	read, writes *event.Statistics
}

func (b *batch) datasets(view *runs.View) {
	var order []event.Identifier
	byName := map[event.Identifier]*sides{}
	side := func(id event.Identifier) *sides {
		s, ok := byName[id]
		if !ok {
			s = &sides{}
			byName[id] = s
			order = append(order, id)
		}
		return s
	}
	e := b.event
	for i := range e.Inputs {
		s := side(naming.Dataset(&e.Inputs[i]))
		s.facets, s.input = append(s.facets, &e.Inputs[i]), &e.Inputs[i]
		s.read = e.Inputs[i].Input.Statistics
	}
	for i := range e.Outputs {
		s := side(naming.Dataset(&e.Outputs[i]))
		s.facets = append(s.facets, &e.Outputs[i])
		s.writes = e.Outputs[i].Output.Statistics
	}
	if e.Dataset != nil {
		s := side(naming.Dataset(e.Dataset))
		s.facets = append(s.facets, e.Dataset)
	}
	if view != nil && view.Ends {
		for _, d := range view.Run.Inputs {
			if s := side(d.Identifier); s.read == nil {
				s.read = d.Statistics
			}
		}
		for _, d := range view.Run.Outputs {
			if s := side(d.Identifier); s.writes == nil {
				s.writes = d.Statistics
			}
		}
	}
	stated := view != nil && (view.Ends || view.Late) && view.Run.Phase == observation.PhaseSucceeded
	for _, id := range order {
		s := byName[id]
		b.dataset(s)
		if stated {
			b.statistics(s, view.Run.Job)
		}
		b.emitDataset(id)
	}
}

func (b *batch) statistics(s *sides, job event.Identifier) {
	if st := s.read; st != nil {
		each(st.RowCount, func(n int64) { b.mb.RecordDataDatasetInputRowsDataPoint(b.at, n, job.Namespace, job.Name) })
		each(st.Size, func(n int64) { b.mb.RecordDataDatasetInputSizeDataPoint(b.at, n, job.Namespace, job.Name) })
		each(st.FileCount, func(n int64) { b.mb.RecordDataDatasetInputFilesDataPoint(b.at, n, job.Namespace, job.Name) })
	}
	if st := s.writes; st != nil {
		each(st.RowCount, func(n int64) { b.mb.RecordDataDatasetOutputRowsDataPoint(b.at, n, job.Namespace, job.Name) })
		each(st.Size, func(n int64) { b.mb.RecordDataDatasetOutputSizeDataPoint(b.at, n, job.Namespace, job.Name) })
		each(st.FileCount, func(n int64) { b.mb.RecordDataDatasetOutputFilesDataPoint(b.at, n, job.Namespace, job.Name) })
	}
}

func each[T any](v *T, record func(T)) {
	if v != nil {
		record(*v)
	}
}

func (b *batch) dataset(s *sides) {
	var checks checks
	for i, d := range s.facets {
		if f := d.Facets.Schema; f != nil && !f.Deleted && len(f.Fields) > 0 && i == 0 {
			b.mb.RecordDataDatasetColumnsDataPoint(b.at, int64(len(f.Fields)))
		}
		checks.add(d.Facets.Assertions)
	}
	if s.input != nil {
		checks.add(s.input.Input.Assertions)
	}
	b.quality(s)
	b.checks(&checks)
}

// quality states one facet: that of the dataset itself before that of a reading.
// The counts of a reading of a part are not those of the dataset.
func (b *batch) quality(s *sides) {
	var f *event.DataQualityMetrics
	var owner *event.Dataset
	whole := true
	for _, d := range s.facets {
		if m := d.Facets.DataQualityMetrics; m != nil && !m.Deleted {
			f, owner = m, d
		}
	}
	if f == nil && s.input != nil && s.input.Input.DataQualityMetrics != nil {
		f, owner = s.input.Input.DataQualityMetrics, s.input
		whole = s.input.Input.Subset == nil
	}
	if f == nil {
		return
	}
	if whole {
		each(f.RowCount, func(n int64) { b.mb.RecordDataDatasetRowsDataPoint(b.at, n) })
		each(f.Bytes, func(n int64) { b.mb.RecordDataDatasetSizeDataPoint(b.at, n) })
		each(f.FileCount, func(n int64) { b.mb.RecordDataDatasetFilesDataPoint(b.at, n) })
	}
	if t, err := event.ParseTime(f.LastUpdated); err == nil {
		b.mb.RecordDataDatasetUpdatedDataPoint(b.at, float64(t.UnixNano())/float64(time.Second))
	}
	personal := owner.Personal()
	for _, name := range slices.Sorted(maps.Keys(f.Columns)) {
		b.column(clip(name), f.Columns[name], personal.Has(name))
	}
}

func (b *batch) column(name string, c event.ColumnMetric, personal bool) {
	each(c.NullCount, func(n int64) { b.mb.RecordDataQualityColumnNullsDataPoint(b.at, n, name) })
	each(c.DistinctCount, func(n int64) { b.mb.RecordDataQualityColumnDistinctDataPoint(b.at, n, name) })
	each(c.Count, func(n float64) { b.mb.RecordDataQualityColumnCountDataPoint(b.at, n, name) })
	if personal {
		return
	}
	each(c.Sum, func(n float64) { b.mb.RecordDataQualityColumnSumDataPoint(b.at, n, name) })
	each(c.Min, func(n float64) { b.mb.RecordDataQualityColumnMinDataPoint(b.at, n, name) })
	each(c.Max, func(n float64) { b.mb.RecordDataQualityColumnMaxDataPoint(b.at, n, name) })
	for _, q := range slices.Sorted(maps.Keys(c.Quantiles)) {
		b.mb.RecordDataQualityColumnQuantileDataPoint(b.at, c.Quantiles[q], name, q)
	}
}

func (b *batch) run(view *runs.View) {
	r := &view.Run
	var checks checks
	checks.addTests(b.event.Run.Facets.Test)
	b.checks(&checks)
	if view.Ends && r.Timing == runs.Exact {
		if state, ok := metadata.MapAttributeState[string(r.Phase)]; ok {
			b.mb.RecordDataPipelineRunDurationDataPoint(b.at, r.Duration().Seconds(), state)
		}
	}
	b.emitJob(r.Job)
}
