package airflowreceiver

import (
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/record"
)

// duration is how long a run took that has ended.
type duration struct {
	job, state string
	end        time.Time
	took       time.Duration
}

// deliverMetrics sends what the round found: one resource for the platform, one
// for each job. Durations that are refused are sent again.
func (r *round) deliverMetrics() error {
	if r.metrics == nil {
		return nil
	}
	r.recordPlatform()
	r.recordJobs()
	data := r.builder.Emit()
	if data.DataPointCount() == 0 {
		return nil
	}
	err := r.metrics.ConsumeMetrics(r.ctx, data)
	if err != nil && !consumererror.IsPermanent(err) {
		return refused{err}
	}
	if err != nil {
		r.set.Logger.Error("The pipeline refused metrics for good", zap.Error(err))
	}
	r.durations = nil
	return nil
}

func (r *round) recordPlatform() {
	now := pcommon.NewTimestampFromTime(r.server)
	for part, age := range r.gauges.heartbeats {
		r.builder.RecordDataPlatformHeartbeatAgeDataPoint(now, age.Seconds(), part)
	}
	if n := r.gauges.importErrors; n != nil {
		r.builder.RecordDataPlatformImportErrorsDataPoint(now, int64(*n))
	}
	for _, p := range r.gauges.pools {
		if p.Slots >= 0 { // -1 is a pool without limit
			r.builder.RecordDataPlatformPoolSlotsDataPoint(now, int64(p.Slots), p.Name)
			r.builder.RecordDataPlatformPoolOpenSlotsDataPoint(now, int64(p.OpenSlots), p.Name)
		}
		r.builder.RecordDataPlatformPoolQueuedSlotsDataPoint(now, int64(p.QueuedSlots+p.ScheduledSlots), p.Name)
		r.builder.RecordDataPlatformPoolRunningSlotsDataPoint(now, int64(p.RunningSlots), p.Name)
	}
	res := r.builder.NewResourceBuilder()
	res.SetServiceName(record.ServiceName(r.cfg.Instance))
	res.SetDataSourceName(record.Kind)
	res.SetDataPlatformKind(record.Kind)
	res.SetDataPlatformInstance(r.cfg.Instance)
	r.builder.EmitForResource(metadata.WithResource(res.Emit()))
}

func (r *round) recordJobs() {
	jobs := map[string][]duration{}
	for _, d := range r.durations {
		jobs[d.job] = append(jobs[d.job], d)
	}
	for dag := range r.gauges.lateness {
		jobs[dag] = append(jobs[dag], []duration{}...)
	}
	now := pcommon.NewTimestampFromTime(r.server)
	for _, job := range slices.Sorted(maps.Keys(jobs)) {
		if late, ok := r.gauges.lateness[job]; ok {
			r.builder.RecordDataPipelineLatenessDataPoint(now, late.Seconds())
		}
		slices.SortStableFunc(jobs[job], func(a, b duration) int { return a.end.Compare(b.end) })
		for _, d := range jobs[job] {
			r.builder.RecordDataPipelineRunDurationDataPoint(pcommon.NewTimestampFromTime(d.end), d.took.Seconds(), d.state)
		}
		res := r.builder.NewResourceBuilder()
		res.SetServiceName(record.ServiceName(r.cfg.Instance))
		res.SetDataSourceName(record.Kind)
		res.SetDataPipelineNamespace(r.cfg.Namespace)
		res.SetDataPipelineName(job)
		r.builder.EmitForResource(metadata.WithResource(res.Emit()))
	}
}
