package dataqualityreceiver

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/sharedinstance"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/metadata"
)

// NewFactory makes the factory of the receiver. Its metrics and its logs come
// from the same polls.
func NewFactory() receiver.Factory {
	f := &factory{}
	return receiver.NewFactory(metadata.Type, createDefaultConfig,
		receiver.WithMetrics(f.metrics, metadata.MetricsStability),
		receiver.WithLogs(f.logs, metadata.LogsStability))
}

type factory struct {
	live sharedinstance.Map[*Config, *qualityReceiver]
}

func (f *factory) get(set receiver.Settings, cfg component.Config) (*sharedinstance.Instance[*Config, *qualityReceiver], error) {
	c := cfg.(*Config)
	return f.live.Get(c, func() (*qualityReceiver, error) { return newReceiver(c, set, time.Now) })
}

func (f *factory) metrics(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	shared, err := f.get(set, cfg)
	if err != nil {
		return nil, err
	}
	shared.Value.metrics = next
	return shared, nil
}

func (f *factory) logs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	shared, err := f.get(set, cfg)
	if err != nil {
		return nil, err
	}
	shared.Value.logs = next
	return shared, nil
}
