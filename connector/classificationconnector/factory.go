package classificationconnector

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"

	"github.com/otelcol-selfheal/otelcol-selfheal/connector/classificationconnector/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/sharedinstance"
)

// NewFactory returns the factory of the classification connector.
func NewFactory() connector.Factory {
	f := &factory{}
	return connector.NewFactory(metadata.Type, createDefaultConfig,
		connector.WithMetricsToLogs(f.metrics, metadata.MetricsToLogsStability),
		connector.WithLogsToLogs(f.logs, metadata.LogsToLogsStability),
		connector.WithTracesToLogs(f.traces, metadata.TracesToLogsStability),
	)
}

// factory makes one connection to the extension for all pairs of signals that one
// component ID connects.
type factory struct {
	live sharedinstance.Map[*Config, *classification]
}

type pair struct {
	*sharedinstance.Instance[*Config, *classification]
	*classification
}

// Start, Shutdown: the instance counts its users.
func (p pair) Start(ctx context.Context, host component.Host) error {
	return p.Instance.Start(ctx, host)
}
func (p pair) Shutdown(ctx context.Context) error { return p.Instance.Shutdown(ctx) }

func (f *factory) pair(set connector.Settings, cfg component.Config, next consumer.Logs) (pair, error) {
	c := cfg.(*Config)
	inst, err := f.live.Get(c, func() (*classification, error) { return newClassification(set, c) })
	if err != nil {
		return pair{}, err
	}
	inst.Value.leadsTo(next)
	return pair{inst, inst.Value}, nil
}

func (f *factory) metrics(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Logs) (connector.Metrics, error) {
	return f.pair(set, cfg, next)
}

func (f *factory) logs(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Logs) (connector.Logs, error) {
	return f.pair(set, cfg, next)
}

func (f *factory) traces(_ context.Context, set connector.Settings, cfg component.Config, next consumer.Logs) (connector.Traces, error) {
	return f.pair(set, cfg, next)
}
