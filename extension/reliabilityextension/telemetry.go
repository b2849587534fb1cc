package reliabilityextension

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// observe registers the extension's own telemetry.
func (r *reliabilityExtension) observe() error {
	tel, err := metadata.NewTelemetryBuilder(r.set)
	if err != nil {
		return err
	}
	r.tel = tel
	return errors.Join(
		tel.RegisterReliabilityHeartbeatCallback(r.gauge(r.beat.Load)),
		tel.RegisterReliabilityKilledCallback(r.gauge(func() int64 { return boolean(r.engine.Status().Killed != nil) })),
		tel.RegisterReliabilityStateFailingCallback(r.gauge(func() int64 { return boolean(r.engine.Status().StoreError != nil) })),
		tel.RegisterReliabilityGraphEdgesCallback(r.gauge(func() int64 { return int64(r.engine.Status().Edges) })),
		tel.RegisterReliabilityIncidentsCallback(func(_ context.Context, o metric.Int64Observer) error {
			active := r.engine.Status().Active
			for _, s := range []incident.State{incident.Open, incident.Planned, incident.AwaitingApproval, incident.Acting, incident.Verifying, incident.Resolved, incident.Escalated, incident.Suppressed} {
				o.Observe(int64(active[s]), metric.WithAttributes(attribute.String("state", string(s))))
			}
			return nil
		}),
		tel.RegisterReliabilityObservationsCallback(r.counts("kind", func() map[string]int64 { return r.engine.Status().Counts.Observed })),
		tel.RegisterReliabilityDuplicatesCallback(r.counts("kind", func() map[string]int64 { return r.engine.Status().Counts.Duplicates })),
		tel.RegisterReliabilityRefusalsCallback(r.counts("reason", func() map[string]int64 { return r.engine.Status().Counts.Refused })),
		tel.RegisterReliabilityIntentsCallback(r.gauge(func() int64 { return sum(r.engine.Status().Counts.Intents) })),
		tel.RegisterReliabilityBoundHitsCallback(r.bounds),
		tel.RegisterReliabilityAuditRecordsCallback(r.stored(func(rd store.Reader) (int64, error) { return rd.AuditSize() })),
		tel.RegisterReliabilityOutboxCallback(r.stored(func(rd store.Reader) (int64, error) { s, err := rd.Stats(); return s.Outbox, err })),
		tel.RegisterReliabilityStateBytesCallback(r.stored(func(rd store.Reader) (int64, error) { s, err := rd.Stats(); return s.Bytes, err })),
	)
}

// bounds are what each bound has refused or removed.
func (r *reliabilityExtension) bounds(ctx context.Context, o metric.Int64Observer) error {
	s := r.engine.Status()
	hits := map[string]int64{"incidents": sum(s.Counts.Overflow), "too_old": sum(s.Counts.TooOld), "unusable": sum(s.Counts.Unusable), "graph_edges": s.EdgesDenied}
	err := r.store.View(ctx, func(rd store.Reader) error {
		stats, err := rd.Stats()
		for name, n := range stats.Dropped {
			hits["store_"+name] = n
		}
		return err
	})
	for name, n := range hits {
		o.Observe(n, metric.WithAttributes(attribute.String("bound", name)))
	}
	return err
}

func (r *reliabilityExtension) gauge(read func() int64) metric.Int64Callback {
	return func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(read())
		return nil
	}
}

func (r *reliabilityExtension) counts(name string, read func() map[string]int64) metric.Int64Callback {
	return func(_ context.Context, o metric.Int64Observer) error {
		for value, n := range read() {
			o.Observe(n, metric.WithAttributes(attribute.String(name, value)))
		}
		return nil
	}
}

func (r *reliabilityExtension) stored(read func(store.Reader) (int64, error)) metric.Int64Callback {
	return func(ctx context.Context, o metric.Int64Observer) error {
		return r.store.View(ctx, func(rd store.Reader) error {
			n, err := read(rd)
			if err == nil {
				o.Observe(n)
			}
			return err
		})
	}
}

func boolean(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func sum(m map[string]int64) int64 {
	var n int64
	for _, v := range m {
		n += v
	}
	return n
}
