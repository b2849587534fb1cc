package reliabilityextension

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/api"
	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/decision"
	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/engine"
	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/policy"
	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/verification"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/audit"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/users"
)

const (
	tick       = time.Second
	pruneEvery = time.Hour
)

type reliabilityExtension struct {
	cfg  *Config
	set  component.TelemetrySettings
	tel  *metadata.TelemetryBuilder
	now  func() time.Time
	log  *zap.Logger
	once sync.Once

	store  store.Store
	engine *engine.Engine
	server *http.Server
	cancel context.CancelFunc
	done   sync.WaitGroup
	beat   atomic.Int64 // Unix seconds of the last complete turn

	mu      sync.Mutex
	host    component.Host
	failing bool // the last turn could not write
}

var _ reliability.Extension = (*reliabilityExtension)(nil)

func newReliability(set extension.Settings, cfg *Config) (*reliabilityExtension, error) {
	return &reliabilityExtension{cfg: cfg, set: set.TelemetrySettings, now: time.Now, log: set.Logger}, nil
}

// Start opens the state and begins to turn the loop. Every failure here is a
// configuration that cannot work, so the collector does not start.
func (r *reliabilityExtension) Start(ctx context.Context, host component.Host) (err error) {
	r.host = host
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Shutdown(context.WithoutCancel(ctx)))
		}
	}()
	dir, err := filepath.Abs(r.cfg.Directory)
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	s, err := sqlite.Open(dir, sqlite.Options{Now: r.now, MaxBytes: r.cfg.Limits.StateBytes, Bounds: store.Bounds{MaxEdges: r.cfg.Limits.Edges}})
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	r.store = s
	signer, err := audit.OpenSigner(dir)
	if err != nil {
		return err
	}
	path, err := users.First(ctx, s, dir, r.now())
	if err != nil {
		return err
	}
	if path != "" {
		r.log.Info("the first user is admin; its token is in a file that only its owner can read", zap.String("file", path))
	}
	if r.engine, err = r.newEngine(ctx, dir, signer); err != nil {
		return err
	}
	if err := r.observe(); err != nil {
		return err
	}
	if err := r.serve(ctx, host, signer); err != nil {
		return err
	}
	own, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.beat.Store(r.now().Unix())
	r.done.Go(func() { r.loop(own) })
	return nil
}

func (r *reliabilityExtension) newEngine(ctx context.Context, dir string, signer *audit.Signer) (*engine.Engine, error) {
	c := r.cfg
	policies, err := policy.Compile(c.policies())
	if err != nil {
		return nil, err
	}
	edges, err := c.edges()
	if err != nil {
		return nil, err
	}
	return engine.New(ctx, engine.Options{
		Store: r.store, Signer: signer, Dir: dir, Policies: policies, MaxEdges: c.Limits.Edges, Declared: edges, Now: r.now, Logger: r.log,
		Settings: engine.Settings{
			Settle: c.Settle, JoinWindow: c.JoinWindow, Hops: c.MaxHops, ReopenWithin: c.ReopenWithin, IgnoreOlder: c.IgnoreOlderThan,
			VerifyWindow: c.Verification.Window, VerifyTimeout: c.Verification.Timeout,
			MaxActive: c.Limits.Incidents, MaxEvidence: c.Limits.Evidence, Retention: c.Limits.Retention,
			Decision: decision.Settings{
				BackoffInitial: c.Decision.Backoff.Initial, BackoffMax: c.Decision.Backoff.Max, BackoffMultiplier: c.Decision.Backoff.Multiplier,
				MaxAttempts: c.Decision.MaxAttempts, ConfirmPatience: c.Decision.ConfirmPatience, UpstreamPatience: c.Decision.UpstreamPatience,
			},
			Verification: verification.Settings{
				SignalTimeout: c.Verification.SignalTimeout, RowTolerance: c.Verification.RowTolerance, PlatformWordSuffices: c.Verification.PlatformWordSuffices,
			},
		},
	})
}

// serve starts the API.
func (r *reliabilityExtension) serve(ctx context.Context, host component.Host, signer *audit.Signer) error {
	listener, err := r.cfg.HTTP.ToListener(ctx)
	if err != nil {
		return fmt.Errorf("http: %w", err)
	}
	server, err := r.cfg.HTTP.ToServer(ctx, host.GetExtensions(), r.set, api.New(api.Options{
		Engine: r.engine, Store: r.store, PublicKey: signer.PublicKey(), Now: r.now, Logger: r.log, Heartbeat: func() time.Time { return time.Unix(r.beat.Load(), 0) },
	}))
	if err != nil {
		return errors.Join(fmt.Errorf("http: %w", err), listener.Close())
	}
	r.server = server
	r.log.Info("the API listens", zap.String("address", listener.Addr().String()))
	r.done.Go(func() { r.listen(listener) })
	return nil
}

func (r *reliabilityExtension) listen(l net.Listener) {
	if err := r.server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		componentstatus.ReportStatus(r.host, componentstatus.NewFatalErrorEvent(fmt.Errorf("http: %w", err)))
	}
}

// loop turns until ctx ends.
func (r *reliabilityExtension) loop(ctx context.Context) {
	turns := time.NewTicker(tick)
	defer turns.Stop()
	signed, pruned := r.now(), r.now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-turns.C:
		}
		err := r.engine.Tick(ctx)
		if now := r.now(); now.Sub(signed) >= r.cfg.CheckpointInterval {
			signed = now
			err = errors.Join(err, r.engine.Checkpoint(ctx))
		}
		if now := r.now(); now.Sub(pruned) >= pruneEvery {
			pruned = now
			err = errors.Join(err, r.engine.Prune(ctx))
		}
		if ctx.Err() == nil {
			r.report(err)
		}
	}
}

// report tells once when the state fails and once when it works again.
func (r *reliabilityExtension) report(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil && !r.failing:
		r.log.Error("the state cannot be written; nothing is done until it can", zap.Error(err))
		componentstatus.ReportStatus(r.host, componentstatus.NewRecoverableErrorEvent(err))
	case err == nil && r.failing:
		r.log.Info("the state can be written again")
		componentstatus.ReportStatus(r.host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
	r.failing = err != nil
	if err == nil {
		r.beat.Store(r.now().Unix())
	}
}

// Shutdown may be called more than once, and after a Start that failed.
func (r *reliabilityExtension) Shutdown(ctx context.Context) error {
	var err error
	r.once.Do(func() {
		if r.cancel != nil {
			r.cancel()
		}
		if r.server != nil {
			err = errors.Join(err, r.server.Shutdown(ctx))
		}
		r.done.Wait()
		if r.tel != nil {
			r.tel.Shutdown()
		}
		if r.engine != nil {
			if stop := r.engine.Stop(ctx); stop != nil {
				r.log.Warn("the end could not be recorded", zap.Error(stop))
			} else if sign := r.engine.Checkpoint(ctx); sign != nil {
				r.log.Warn("the audit log's head could not be signed", zap.Error(sign))
			}
		}
		if r.store != nil {
			err = errors.Join(err, r.store.Close())
		}
	})
	return err
}

// Observe implements reliability.Intake.
func (r *reliabilityExtension) Observe(ctx context.Context, seen []observation.Observation) error {
	return r.engine.Observe(ctx, seen)
}

// Subscribe implements reliability.Intake.
func (r *reliabilityExtension) Subscribe(subscriber component.ID, sink func(context.Context, plog.Logs) error) (stop func()) {
	return r.engine.Subscribe(subscriber.String(), sink)
}

// Register implements reliability.Dispatcher.
func (r *reliabilityExtension) Register(executor string, can []action.Capability) {
	r.engine.Register(executor, can)
}

// Unregister implements reliability.Dispatcher.
func (r *reliabilityExtension) Unregister(executor string) { r.engine.Unregister(executor) }

// Ready implements reliability.Dispatcher.
func (r *reliabilityExtension) Ready() <-chan struct{} { return r.engine.Ready() }

// Lease implements reliability.Dispatcher.
func (r *reliabilityExtension) Lease(ctx context.Context, executor string, most int, ttl time.Duration) ([]action.Lease, error) {
	return r.engine.Lease(ctx, executor, most, ttl)
}

// Renew implements reliability.Dispatcher.
func (r *reliabilityExtension) Renew(ctx context.Context, l action.Lease, ttl time.Duration) (action.Lease, error) {
	return r.engine.Renew(ctx, l, ttl)
}

// Begin implements reliability.Dispatcher.
func (r *reliabilityExtension) Begin(ctx context.Context, l action.Lease, in action.Intent) error {
	return r.engine.Begin(ctx, l, in)
}

// Complete implements reliability.Dispatcher.
func (r *reliabilityExtension) Complete(ctx context.Context, l action.Lease, res action.Result) error {
	return r.engine.Complete(ctx, l, res)
}

// Release implements reliability.Dispatcher.
func (r *reliabilityExtension) Release(ctx context.Context, l action.Lease, why string, wait time.Duration) error {
	return r.engine.Release(ctx, l, why, wait)
}
