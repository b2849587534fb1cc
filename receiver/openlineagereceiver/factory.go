package openlineagereceiver

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/sharedinstance"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/metadata"
)

// NewFactory creates the factory of the receiver.
func NewFactory() receiver.Factory {
	f := &factory{}
	return receiver.NewFactory(metadata.Type, defaultConfig,
		receiver.WithLogs(f.logs, metadata.LogsStability),
		receiver.WithTraces(f.traces, metadata.TracesStability),
		receiver.WithMetrics(f.metrics, metadata.MetricsStability))
}

func defaultConfig() component.Config {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr = confignet.AddrConfig{Transport: confignet.TransportTypeTCP, Endpoint: "127.0.0.1:4319"}
	server.MaxRequestBodySize = 16 << 20
	return &Config{
		HTTP:                 server,
		MetricsBuilderConfig: metadata.NewDefaultMetricsBuilderConfig(),
		ServiceName:          "openlineage",
		PlatformInstance:     "default",
		RunTimeout:           24 * time.Hour,
		MaxRequestsInFlight:  64,
		Limits: Limits{
			Depth:       64,
			StringBytes: 1 << 20,
			Keys:        2000,
			Values:      200_000,
			Datasets:    1000,
			BatchEvents: 1000,
			TextBytes:   16 << 10,
			ScrubBytes:  1 << 20,
		},
		Memory: Memory{
			Events:      100_000,
			EventAge:    time.Hour,
			Runs:        20_000,
			RunDatasets: 32,
			Schemas:     10_000,
			SchemaAge:   30 * 24 * time.Hour,
		},
	}
}

// factory shares one receiver among the signals of one component ID: the
// collector passes the same config for each.
type factory struct {
	receivers sharedinstance.Map[*Config, *lineageReceiver]
}

type instance = sharedinstance.Instance[*Config, *lineageReceiver]

func (f *factory) get(set receiver.Settings, cfg component.Config) (*instance, error) {
	c := cfg.(*Config)
	return f.receivers.Get(c, func() (*lineageReceiver, error) { return newReceiver(set, c, time.Now) })
}

func (f *factory) logs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	r, err := f.get(set, cfg)
	if err != nil {
		return nil, err
	}
	r.Value.sink.logs = next
	return r, nil
}

func (f *factory) traces(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Traces) (receiver.Traces, error) {
	r, err := f.get(set, cfg)
	if err != nil {
		return nil, err
	}
	r.Value.sink.traces = next
	return r, nil
}

func (f *factory) metrics(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	r, err := f.get(set, cfg)
	if err != nil {
		return nil, err
	}
	r.Value.sink.metrics = next
	return r, nil
}
