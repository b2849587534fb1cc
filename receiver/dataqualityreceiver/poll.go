package dataqualityreceiver

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/load"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/metadata"
)

// poll measures the tables of one database one after another and sends what it
// found in one batch for each signal.
//
// What it learned of loads counts only once the metrics were accepted; a change
// of columns is remembered before it is sent and forgotten once it was accepted.
// So both are told again rather than lost.
func (r *qualityReceiver) poll(ctx context.Context, d *database) {
	limited := ctx // what was measured is still sent when the time is over
	if r.cfg.Timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, r.cfg.Timeout)
		defer cancel()
	}
	ledgers := make([]load.Ledger, len(d.tables))
	dirty := make([]bool, len(d.tables))
	for i, t := range d.tables {
		ledgers[i] = t.known.Loads
		begin := time.Now() // a duration, which needs the monotonic clock
		got := d.measure(limited, t, r.now)
		if ctx.Err() != nil {
			return // shut down: what failed now says nothing of the database
		}
		r.telemetry.DataqualityProbeDuration.Record(ctx, time.Since(begin).Seconds(), d.label)
		if whole := r.note(ctx, d, t, got.failures, len(d.tables)-i); whole {
			break
		}
		if got.shape != nil {
			dirty[i] = r.compare(ctx, d, t, got)
		}
		ledgers[i] = r.record(ctx, d, t, got)
	}
	if accepted := r.sendMetrics(ctx, d.builder.Emit()); accepted {
		for i, t := range d.tables {
			if !t.known.Loads.Equal(ledgers[i]) {
				t.known.Loads, dirty[i] = ledgers[i], true
			}
		}
	}
	for i, t := range d.tables {
		if dirty[i] {
			r.save(ctx, t)
		}
	}
	r.sendChanges(ctx, d)
}

// note counts and logs failures. It reports whether the whole database fails,
// with so many of its tables left; they are counted with this one.
func (r *qualityReceiver) note(ctx context.Context, d *database, t *table, failures []dialect.Failure, left int) (whole bool) {
	kinds := make([]string, 0, len(failures))
	for _, f := range failures {
		count := int64(1)
		if f.Kind.WholeDatabase() {
			whole, count = true, int64(left)
		}
		kinds = append(kinds, string(f.Kind))
		r.telemetry.DataqualityProbeErrors.Add(ctx, count, metric.WithAttributes(
			attribute.String("database", d.name), attribute.String("error.type", string(f.Kind))))
	}
	if whole {
		r.noteDown(d, failures[0])
		return true
	}
	r.noteUp(d)
	// A table that fails at each poll is logged when it begins, not each time.
	if last := strings.Join(kinds, " "); last != t.failed {
		t.failed = last
		for _, f := range failures {
			r.logger.Warn("Cannot measure all of a table; the rest goes on", zap.String("database", d.name),
				zap.Stringer("dataset", t.ref), zap.String("error.type", string(f.Kind)), zap.Error(f))
		}
		if last == "" {
			r.logger.Info("The table is measured whole again", zap.String("database", d.name), zap.Stringer("dataset", t.ref))
		}
	}
	return false
}

func (r *qualityReceiver) noteDown(d *database, f dialect.Failure) {
	if d.down != f.Kind {
		d.down = f.Kind
		r.logger.Warn("Cannot measure a database; its tables have no values until it answers", zap.String("database", d.name),
			zap.String("error.type", string(f.Kind)), zap.Error(f))
	}
	r.report(d, f)
}

func (r *qualityReceiver) noteUp(d *database) {
	if d.down != "" {
		d.down = ""
		r.logger.Info("The database is measured again", zap.String("database", d.name))
	}
	r.report(d, nil)
}

// sendMetrics reports whether the batch was accepted, or none was needed.
func (r *qualityReceiver) sendMetrics(ctx context.Context, md pmetric.Metrics) bool {
	points := md.DataPointCount()
	if r.metrics == nil || points == 0 {
		return true
	}
	op := r.obs.StartMetricsOp(ctx)
	err := r.metrics.ConsumeMetrics(op, md)
	r.obs.EndMetricsOp(op, metadata.Type.String(), points, err)
	return err == nil
}

// sendChanges sends the changes of columns that wait, those that an earlier
// poll could not send too.
func (r *qualityReceiver) sendChanges(ctx context.Context, d *database) {
	if r.logs == nil {
		return
	}
	ld := d.changes(r.now())
	records := ld.LogRecordCount()
	if records == 0 {
		return
	}
	op := r.obs.StartLogsOp(ctx)
	err := r.logs.ConsumeLogs(op, ld)
	r.obs.EndLogsOp(op, metadata.Type.String(), records, err)
	switch {
	case err == nil:
	case consumererror.IsPermanent(err):
		r.telemetry.DataqualitySchemaDroppedEvents.Add(ctx, int64(records), d.label)
	default:
		return
	}
	for _, t := range d.tables {
		if len(t.known.Pending) > 0 {
			t.known.Pending = nil
			r.save(ctx, t)
		}
	}
}

// save is told of, not failed on: state that is not written costs a repetition.
func (r *qualityReceiver) save(ctx context.Context, t *table) {
	if err := r.store.Save(ctx, t.key, t.known); err != nil {
		r.telemetry.DataqualityStateErrors.Add(ctx, 1)
		r.logger.Warn("Cannot remember a table; after a restart its columns and loads are learned anew", zap.Error(err))
	}
}
