package openlineagereceiver

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"
)

// lineageReceiver is the server and the sweep of runs that never end, one for
// all signals of a component ID.
type lineageReceiver struct {
	cfg  *Config
	set  receiver.Settings
	sink *sink

	server *http.Server
	cancel context.CancelFunc
	done   sync.WaitGroup
}

var _ component.Component = (*lineageReceiver)(nil)

func newReceiver(set receiver.Settings, cfg *Config, now func() time.Time) (*lineageReceiver, error) {
	s, err := newSink(set, cfg, now)
	if err != nil {
		return nil, err
	}
	return &lineageReceiver{cfg: cfg, set: set, sink: s}, nil
}

// Start listens and returns.
func (r *lineageReceiver) Start(ctx context.Context, host component.Host) error {
	handler := newHandler(r.sink, r.cfg)
	server, err := r.cfg.HTTP.ToServer(ctx, host.GetExtensions(), r.set.TelemetrySettings, handler)
	if err != nil {
		return err
	}
	listener, err := r.cfg.HTTP.ToListener(ctx)
	if err != nil {
		return err
	}
	r.server = server
	sweepCtx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.done.Go(func() {
		if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(err))
		}
	})
	ticker := time.NewTicker(sweepInterval(r.cfg.RunTimeout))
	r.done.Go(func() {
		defer ticker.Stop()
		r.sweep(sweepCtx, ticker.C)
	})
	r.set.Logger.Info("listening for OpenLineage events", zap.String("endpoint", listener.Addr().String()))
	return nil
}

func sweepInterval(timeout time.Duration) time.Duration {
	return min(max(timeout/10, time.Second), time.Minute)
}

// sweep runs until ctx is done.
func (r *lineageReceiver) sweep(ctx context.Context, ticks <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
			if err := r.sink.sweep(ctx); err != nil && ctx.Err() == nil {
				r.set.Logger.Warn("cannot send spans of unfinished runs, will try again", zap.Error(err))
			}
		}
	}
}

// Shutdown finishes the requests that are being handled, until ctx is done. It
// may be called again, or without Start.
func (r *lineageReceiver) Shutdown(ctx context.Context) error {
	var err error
	if r.cancel != nil {
		r.cancel()
	}
	if r.server != nil {
		if err = r.server.Shutdown(ctx); err != nil {
			err = errors.Join(err, r.server.Close())
		}
	}
	r.done.Wait()
	r.sink.telemetry.Shutdown()
	return err
}
