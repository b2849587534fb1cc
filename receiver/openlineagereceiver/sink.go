package openlineagereceiver

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/cleaning"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/delivery"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/facts"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/record"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/runs"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/schema"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/spans"
)

// sink turns events into signals and hands them to the pipelines.
type sink struct {
	logs    consumer.Logs
	traces  consumer.Traces
	metrics consumer.Metrics

	source     record.Source
	unfinished string // status message of runs that never ended
	now        func() time.Time
	cleaner    *cleaning.Cleaner
	ledger     *delivery.Ledger
	tracker    *runs.Tracker
	schemas    *schema.Memory
	facts      *facts.Maker
	report     *receiverhelper.ObsReport
	telemetry  *metadata.TelemetryBuilder
}

func newSink(set receiver.Settings, cfg *Config, now func() time.Time) (*sink, error) {
	report, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: set.ID, Transport: "http", ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &sink{
		source:     record.Source{Service: cfg.ServiceName, Instance: cfg.PlatformInstance},
		unfinished: "unfinished: no COMPLETE, FAIL or ABORT came within " + cfg.RunTimeout.String() + " of the last event",
		now:        now,
		cleaner:    cleaning.New(cleaning.Limits{TextBytes: cfg.Limits.TextBytes, ScrubBytes: cfg.Limits.ScrubBytes}),
		ledger:     delivery.NewLedger(cfg.Memory.Events, cfg.Memory.EventAge, now),
		tracker:    runs.NewTracker(runs.Limits{Runs: cfg.Memory.Runs, Datasets: cfg.Memory.RunDatasets, Timeout: cfg.RunTimeout}, now),
		schemas:    schema.NewMemory(cfg.Memory.Schemas, cfg.Memory.SchemaAge, now),
		facts:      facts.NewMaker(cfg.MetricsBuilderConfig, set, cfg.ServiceName),
		report:     report,
		telemetry:  telemetry,
	}, nil
}

// take delivers one event to every pipeline that has not taken it yet. It
// returns nil only when all of them have. An error that is permanent says that
// to send the event again is no use.
func (s *sink) take(ctx context.Context, e *event.Event) error {
	status, err := s.ledger.Begin(ctx, e.UID)
	if err != nil {
		return err
	}
	defer func() {
		if s.ledger.End(e.UID, status) {
			s.forgot(ctx, metadata.AttributeMemoryEvents, 1)
		}
	}()
	if status.Done {
		s.count(ctx, metadata.AttributeOutcomeDuplicate)
		return nil
	}
	err = s.deliver(ctx, e, &status)
	switch {
	case err == nil:
		status.Done = true
		s.count(ctx, metadata.AttributeOutcomeAccepted)
	case consumererror.IsPermanent(err):
		s.count(ctx, metadata.AttributeOutcomeRejected)
	default:
		s.count(ctx, metadata.AttributeOutcomeRetry)
	}
	return err
}

func (s *sink) deliver(ctx context.Context, e *event.Event, status *delivery.Status) error {
	var view *runs.View
	in := record.Input{Event: e, Received: s.now()}
	if e.Kind == event.OfRun {
		v, evicted := s.tracker.Observe(e)
		if evicted {
			s.forgot(ctx, metadata.AttributeMemoryRuns, 1)
		}
		view = &v
		in.View = view
		in.Trace, in.Span, _ = spans.IDs(&v.Run)
		s.telemetry.OpenlineageRunsRunning.Record(ctx, int64(s.tracker.Running()))
	}
	var errs []error
	// Metrics and traces first: the record takes the event's body with it.
	errs = append(errs, s.sendMetrics(ctx, e, view, status), s.sendTraces(ctx, view, status), s.sendLogs(ctx, in, status))
	return worst(errs)
}

// worst joins errors; when one of them may pass, the whole is not permanent.
func worst(errs []error) error {
	joined := errors.Join(errs...)
	for _, err := range errs {
		if err != nil && !consumererror.IsPermanent(err) {
			return transientError{joined}
		}
	}
	return joined
}

// transientError hides permanent errors among those that may pass.
type transientError struct{ err error }

func (e transientError) Error() string { return e.err.Error() }

func (s *sink) sendMetrics(ctx context.Context, e *event.Event, view *runs.View, status *delivery.Status) error {
	if s.metrics == nil || status.Taken&delivery.Metrics != 0 {
		return nil
	}
	md := s.facts.Metrics(e, view)
	if points := md.DataPointCount(); points > 0 {
		opCtx := s.report.StartMetricsOp(ctx)
		err := s.metrics.ConsumeMetrics(opCtx, md)
		s.report.EndMetricsOp(opCtx, metadata.Type.String(), points, err)
		if err != nil {
			return err
		}
	}
	status.Taken |= delivery.Metrics
	return nil
}

func (s *sink) sendTraces(ctx context.Context, view *runs.View, status *delivery.Status) error {
	if s.traces == nil || status.Taken&delivery.Traces != 0 {
		return nil
	}
	if view != nil && view.Ends {
		td := ptrace.NewTraces()
		spans.Append(td, &s.source, &view.Run, metadata.ScopeName, s.unfinished)
		if err := s.consumeTraces(ctx, td); err != nil {
			return err
		}
	}
	status.Taken |= delivery.Traces
	return nil
}

func (s *sink) consumeTraces(ctx context.Context, td ptrace.Traces) error {
	opCtx := s.report.StartTracesOp(ctx)
	n := td.SpanCount()
	err := s.traces.ConsumeTraces(opCtx, td)
	s.report.EndTracesOp(opCtx, metadata.Type.String(), n, err)
	return err
}

func (s *sink) sendLogs(ctx context.Context, in record.Input, status *delivery.Status) error {
	if s.logs == nil || status.Taken&delivery.Logs != 0 {
		return nil
	}
	if n := s.cleaner.Event(in.Event); n > 0 {
		s.telemetry.OpenlineageTextsRemoved.Add(ctx, int64(n))
	}
	var evicted int
	if in.Changes, evicted = s.schemas.Observe(in.Event); evicted > 0 {
		s.forgot(ctx, metadata.AttributeMemorySchemas, evicted)
	}
	ld := record.Logs(&s.source, in, metadata.ScopeName)
	opCtx := s.report.StartLogsOp(ctx)
	n := ld.LogRecordCount()
	err := s.logs.ConsumeLogs(opCtx, ld)
	s.report.EndLogsOp(opCtx, metadata.Type.String(), n, err)
	if err != nil {
		return err
	}
	status.Taken |= delivery.Logs
	return nil
}

// overdueBatch is how many spans of unfinished runs go out at once.
const overdueBatch = 500

// sweep sends the spans of runs whose end never came. What is refused stays for
// the next sweep.
func (s *sink) sweep(ctx context.Context) error {
	for {
		overdue := s.tracker.Overdue(overdueBatch)
		if len(overdue) == 0 {
			return nil
		}
		if s.traces != nil {
			td := ptrace.NewTraces()
			for i := range overdue {
				spans.Append(td, &s.source, &overdue[i], metadata.ScopeName, s.unfinished)
			}
			if err := s.consumeTraces(ctx, td); err != nil {
				return err
			}
		}
		s.tracker.GiveUp(overdue)
		s.telemetry.OpenlineageRunsUnfinished.Add(ctx, int64(len(overdue)))
		s.telemetry.OpenlineageRunsRunning.Record(ctx, int64(s.tracker.Running()))
	}
}

func (s *sink) count(ctx context.Context, outcome metadata.AttributeOutcome) {
	s.telemetry.OpenlineageEvents.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome.String())))
}

func (s *sink) forgot(ctx context.Context, memory metadata.AttributeMemory, n int) {
	s.telemetry.OpenlineageForgotten.Add(ctx, int64(n), metric.WithAttributes(attribute.String("memory", memory.String())))
}
