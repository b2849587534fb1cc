package airflowreceiver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/ledger"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/record"
)

// poller observes one installation for both signals of one component ID.
type poller struct {
	cfg     *Config
	set     receiver.Settings
	logs    consumer.Logs
	metrics consumer.Metrics

	filter    filter
	source    record.Source
	telemetry *metadata.TelemetryBuilder
	builder   *metadata.MetricsBuilder
	now       func() time.Time

	host   component.Host
	client *airflow.Client
	store  storage.Client
	cancel context.CancelFunc
	done   sync.WaitGroup
	stop   sync.Once

	// What follows is used by the polling goroutine alone.

	ledger    *ledger.Ledger
	lists     map[string]*list
	known     catalog
	durations []duration
	// unread counts how often a log or a history could not be read.
	unread map[string]int
	// notBefore is when Airflow wants to be asked again.
	notBefore time.Time
	failing   bool
	reported  bool
}

func newPoller(set receiver.Settings, cfg *Config) (*poller, error) {
	tb, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	f, err := newFilter(cfg.DAGs)
	if err != nil {
		return nil, err
	}
	web := cfg.WebURL
	if web == "" {
		web = cfg.Airflow.ClientConfig.Endpoint
	}
	return &poller{
		cfg: cfg,
		set: set,
		source: record.Source{
			Instance: cfg.Instance, Namespace: cfg.Namespace, WebURL: web,
			Scope: metadata.ScopeName, Version: set.BuildInfo.Version,
		},
		filter:    f,
		telemetry: tb,
		builder:   metadata.NewMetricsBuilder(cfg.MetricsBuilderConfig, set),
		now:       time.Now,
		ledger:    ledger.New(cfg.MaxTracked),
		lists:     map[string]*list{},
		known:     newCatalog(),
		unread:    map[string]int{},
	}, nil
}

// Start restores what is remembered and begins to poll. That Airflow cannot be
// reached is no error of the start.
func (p *poller) Start(ctx context.Context, host component.Host) error {
	if err := p.open(ctx, host); err != nil {
		return err
	}
	polling, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.done.Go(func() {
		ticker := time.NewTicker(p.cfg.CollectionInterval)
		defer ticker.Stop()
		for {
			_ = p.poll(polling) // it has reported its trouble
			select {
			case <-polling.Done():
				return
			case <-ticker.C:
			}
		}
	})
	return nil
}

// open makes the client and reads what is remembered.
func (p *poller) open(ctx context.Context, host component.Host) error {
	p.host = host
	client, err := airflow.NewClient(ctx, p.cfg.Airflow, host.GetExtensions(), p.set.TelemetrySettings)
	if err != nil {
		return err
	}
	p.client = client
	if p.cfg.Storage != nil {
		ext, ok := host.GetExtensions()[*p.cfg.Storage]
		if !ok {
			return fmt.Errorf("storage: there is no extension %q; add it to service::extensions", *p.cfg.Storage)
		}
		se, ok := ext.(storage.Extension)
		if !ok {
			return fmt.Errorf("storage: extension %q is no storage extension", *p.cfg.Storage)
		}
		if p.store, err = se.GetClient(ctx, component.KindReceiver, p.set.ID, ""); err != nil {
			return fmt.Errorf("storage: open %q: %w", *p.cfg.Storage, err)
		}
		if err := p.restore(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Keys in the storage.
const (
	cursorsKey = "cursors"
	entriesKey = "entries"
)

func (p *poller) restore(ctx context.Context) error {
	cursors, rest := storage.GetOperation(cursorsKey), storage.GetOperation(entriesKey)
	if err := p.store.Batch(ctx, cursors, rest); err != nil {
		return fmt.Errorf("storage: read %q: %w", *p.cfg.Storage, err)
	}
	if cursors.Value == nil || rest.Value == nil {
		return nil
	}
	if err := p.ledger.Restore(cursors.Value, rest.Value); err != nil {
		p.set.Logger.Warn("What was remembered of Airflow's runs cannot be read; starting anew with lookback", zap.Error(err))
	}
	return nil
}

// saveTime is how long remembering may take at the end of a poll, also during shutdown.
const saveTime = 5 * time.Second

// save remembers what was delivered. What is not saved is told again after a restart.
func (p *poller) save(ctx context.Context) error {
	if p.store == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	cursors, rest, err := p.ledger.Save()
	if err != nil {
		return err
	}
	ops := []*storage.Operation{storage.SetOperation(cursorsKey, cursors)}
	if rest != nil {
		ops = append(ops, storage.SetOperation(entriesKey, rest))
	}
	if err := p.store.Batch(ctx, ops...); err != nil {
		return fmt.Errorf("storage: write %q: %w", *p.cfg.Storage, err)
	}
	p.ledger.Saved()
	return nil
}

// Shutdown ends the poll that is under way and waits for it.
func (p *poller) Shutdown(ctx context.Context) error {
	var err error
	p.stop.Do(func() {
		if p.cancel != nil {
			p.cancel()
		}
		p.done.Wait()
		if p.client != nil {
			p.client.Close()
		}
		if p.store != nil {
			err = p.store.Close(ctx)
		}
		p.telemetry.Shutdown()
	})
	return err
}

// report tells the collector, and people once, how Airflow is.
func (p *poller) report(ctx context.Context, err error) {
	up := int64(1)
	if err != nil {
		up = 0
	}
	p.telemetry.AirflowUp.Record(ctx, up)
	failing := err != nil
	if failing == p.failing && p.reported {
		return
	}
	p.failing, p.reported = failing, true
	if failing {
		p.set.Logger.Warn("Airflow cannot be observed in full", zap.String("instance", p.cfg.Instance), zap.Error(err))
		componentstatus.ReportStatus(p.host, componentstatus.NewRecoverableErrorEvent(err))
		return
	}
	p.set.Logger.Info("Airflow is observed", zap.String("instance", p.cfg.Instance))
	componentstatus.ReportStatus(p.host, componentstatus.NewEvent(componentstatus.StatusOK))
}

// refused is a delivery that the pipeline did not take.
type refused struct{ err error }

func (r refused) Error() string { return "the pipeline did not take the records: " + r.err.Error() }
func (r refused) Unwrap() error { return r.err }

// errBudget ends a list for this poll; the next poll goes on there.
var errBudget = errors.New("max_details reached")
