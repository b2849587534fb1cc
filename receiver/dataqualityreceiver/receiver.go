package dataqualityreceiver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/state"
)

// qualityReceiver polls each database in a loop of its own, for both signals.
type qualityReceiver struct {
	cfg       *Config
	set       receiver.Settings
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	obs       *receiverhelper.ObsReport
	now       func() time.Time
	databases []*database

	metrics consumer.Metrics // nil: not in a metrics pipeline
	logs    consumer.Logs    // nil: not in a logs pipeline

	host   component.Host
	store  state.Store
	cancel context.CancelFunc
	loops  sync.WaitGroup

	mu   sync.Mutex
	down map[string]struct{} // databases that cannot be measured at all
}

var _ component.Component = (*qualityReceiver)(nil)

func newReceiver(cfg *Config, set receiver.Settings, now func() time.Time) (*qualityReceiver, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	obs, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{ReceiverID: set.ID, ReceiverCreateSettings: set})
	if err != nil {
		return nil, err
	}
	r := &qualityReceiver{
		cfg: cfg, set: set, logger: set.Logger, telemetry: telemetry, obs: obs, now: now,
		down: map[string]struct{}{},
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Databases)) {
		db, err := newDatabase(name, cfg, set)
		if err != nil {
			return nil, fmt.Errorf("databases::%s: %w", name, err)
		}
		r.databases = append(r.databases, db)
	}
	return r, nil
}

// Start opens no connection: a database that is down must not keep the
// collector from starting.
func (r *qualityReceiver) Start(ctx context.Context, host component.Host) error {
	r.host = host
	if err := r.openStore(ctx); err != nil {
		return err
	}
	for _, d := range r.databases {
		if err := d.open(r.cfg); err != nil {
			return fmt.Errorf("databases::%s: %w", d.name, err)
		}
		for _, t := range d.tables {
			known, err := r.store.Load(ctx, t.key)
			if err != nil {
				r.telemetry.DataqualityStateErrors.Add(ctx, 1)
				r.logger.Warn("Cannot read what is remembered of a table; its columns and loads are learned anew", zap.Error(err))
			}
			t.known = known
		}
	}
	// Start's own context ends with Start.
	loops, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.cancel = cancel
	for _, d := range r.databases {
		r.loops.Go(func() { r.run(loops, d) })
	}
	return nil
}

func (r *qualityReceiver) openStore(ctx context.Context) error {
	if r.cfg.Storage == nil {
		return nil
	}
	found, ok := r.host.GetExtensions()[*r.cfg.Storage]
	if !ok {
		return fmt.Errorf("storage: there is no extension %s", r.cfg.Storage)
	}
	extension, ok := found.(storage.Extension)
	if !ok {
		return fmt.Errorf("storage: extension %s stores nothing", r.cfg.Storage)
	}
	client, err := extension.GetClient(ctx, component.KindReceiver, r.set.ID, "")
	if err != nil {
		return fmt.Errorf("storage: open %s: %w", r.cfg.Storage, err)
	}
	r.store = state.Store{Client: client}
	return nil
}

// run polls until ctx ends. A poll that takes longer than the interval skips
// the ticks that it missed.
func (r *qualityReceiver) run(ctx context.Context, d *database) {
	delay := time.NewTimer(max(0, r.cfg.InitialDelay))
	defer delay.Stop()
	select {
	case <-ctx.Done():
		return
	case <-delay.C:
	}
	ticker := time.NewTicker(r.cfg.CollectionInterval)
	defer ticker.Stop()
	for {
		r.poll(ctx, d)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Shutdown returns when the loops have ended, and never later than ctx. A
// driver that does not come back is left behind.
func (r *qualityReceiver) Shutdown(ctx context.Context) error {
	if r.cancel == nil {
		return nil
	}
	r.cancel()
	ended := make(chan error, 1)
	go func() {
		r.loops.Wait()
		errs := []error{r.store.Close(ctx)}
		for _, d := range r.databases {
			errs = append(errs, d.close()) // does not wait for a session in use
		}
		r.telemetry.Shutdown()
		ended <- errors.Join(errs...)
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return fmt.Errorf("a poll has not ended: %w", ctx.Err())
	}
}

// report tells the collector's health when a database goes down or comes back.
func (r *qualityReceiver) report(d *database, failure error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, was := r.down[d.name]
	switch {
	case failure != nil && !was:
		r.down[d.name] = struct{}{}
		componentstatus.ReportStatus(r.host, componentstatus.NewRecoverableErrorEvent(fmt.Errorf("database %s: %w", d.name, failure)))
	case failure == nil && was:
		delete(r.down, d.name)
		if len(r.down) == 0 {
			componentstatus.ReportStatus(r.host, componentstatus.NewEvent(componentstatus.StatusOK))
		}
	}
}
