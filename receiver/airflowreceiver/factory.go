package airflowreceiver

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/sharedinstance"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/metadata"
)

// NewFactory makes the factory of the receiver. Logs and metrics of one component
// ID come from one poll.
func NewFactory() receiver.Factory {
	f := &factory{}
	return receiver.NewFactory(metadata.Type, createDefaultConfig,
		receiver.WithLogs(f.logs, metadata.LogsStability),
		receiver.WithMetrics(f.metrics, metadata.MetricsStability))
}

type factory struct {
	live sharedinstance.Map[*Config, *poller]
}

func (f *factory) get(set receiver.Settings, cfg component.Config) (*sharedinstance.Instance[*Config, *poller], error) {
	c := cfg.(*Config)
	return f.live.Get(c, func() (*poller, error) { return newPoller(set, c) })
}

func (f *factory) logs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	inst, err := f.get(set, cfg)
	if err != nil {
		return nil, err
	}
	inst.Value.logs = next
	return inst, nil
}

func (f *factory) metrics(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	inst, err := f.get(set, cfg)
	if err != nil {
		return nil, err
	}
	inst.Value.metrics = next
	return inst, nil
}
