package remediationexporter

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/airflowactions"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/execution"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
)

// reportTime is how long after the end of a call its report may take when the
// collector shuts down; then the next one asks the target.
const reportTime = 5 * time.Second

type remediationExporter struct {
	cfg    *Config
	set    exporter.Settings
	scopes []execution.Scope
	tel    *metadata.TelemetryBuilder
	clock  execution.Clock
	wake   chan struct{}

	disp    reliability.Dispatcher
	clients []*airflow.Client
	stop    context.CancelFunc // nothing new is begun
	kill    context.CancelFunc // what is under way is broken off
	done    sync.WaitGroup
	ended   sync.Once
}

func newExporter(set exporter.Settings, cfg *Config) (*remediationExporter, error) {
	tel, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	scopes, err := cfg.scopes()
	if err != nil {
		return nil, err
	}
	return &remediationExporter{
		cfg: cfg, set: set, scopes: scopes, tel: tel,
		clock: execution.SystemClock{}, wake: make(chan struct{}, 1),
	}, nil
}

// start finds the extension, which has started before any exporter, and sets the
// executor going. Whether the platforms answer does not matter yet.
func (e *remediationExporter) start(ctx context.Context, host component.Host) error {
	ext, err := reliability.Find(host, e.cfg.Reliability)
	if err != nil {
		return err
	}
	var sites []execution.Site
	for _, name := range e.cfg.instances() {
		client, err := airflow.NewClient(ctx, airflow.Config(e.cfg.Airflow[name]), host.GetExtensions(), e.set.TelemetrySettings)
		if err != nil {
			e.close()
			return fmt.Errorf("airflow::%s: %w", name, err)
		}
		e.clients = append(e.clients, client)
		sites = append(sites, execution.Site{Platform: airflowactions.Platform, Instance: name, Adapter: airflowactions.New(client)})
	}
	if len(e.scopes) == 0 {
		e.set.Logger.Info("Acting is switched off everywhere; what would be done is only recorded", zap.Bool("dry_run", e.cfg.DryRun))
	}
	e.disp = ext
	x := execution.New(execution.Settings{
		Name:          e.set.ID.String(),
		Act:           e.scopes,
		PollInterval:  e.cfg.PollInterval,
		LeaseTTL:      e.cfg.LeaseTTL,
		CallTimeout:   e.cfg.CallTimeout,
		MaxConcurrent: e.cfg.MaxConcurrent,
		MaxAttempts:   e.cfg.MaxAttempts,
		RateLimit:     e.cfg.RateLimit,
		Cooldown:      e.cfg.Cooldown,
	}, ext, sites, e.clock, e.tel, e.set.Logger)
	kill, cancelKill := context.WithCancel(context.Background())
	stop, cancelStop := context.WithCancel(kill)
	e.stop, e.kill = cancelStop, cancelKill
	e.done.Go(func() { x.Run(stop, kill, e.wake) })
	return nil
}

// wakeUp counts and drops. What the records say is never looked at.
func (e *remediationExporter) wakeUp(ctx context.Context, ld plog.Logs) error {
	e.tel.RemediationRecordsDropped.Add(ctx, int64(ld.LogRecordCount()))
	select {
	case e.wake <- struct{}{}:
	default: // it is awake, or will be
	}
	return nil
}

// shutdown lets calls that have left come to their end, for as long as one may take.
func (e *remediationExporter) shutdown(ctx context.Context) error {
	e.ended.Do(func() {
		if e.stop != nil {
			e.stop()
			e.await(ctx)
			e.kill()
			e.done.Wait()
			e.disp.Unregister(e.set.ID.String())
		}
		e.close()
		e.tel.Shutdown()
	})
	return nil
}

func (e *remediationExporter) await(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.CallTimeout+reportTime)
	defer cancel()
	over := make(chan struct{})
	go func() {
		e.done.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-ctx.Done():
	}
}

func (e *remediationExporter) close() {
	for _, c := range e.clients {
		c.Close()
	}
}
