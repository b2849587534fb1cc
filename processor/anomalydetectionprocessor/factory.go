package anomalydetectionprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/sharedinstance"
	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/metadata"
)

// detectors holds the detector of each component ID: a processor is made once
// for each pipeline, and does not know which, so all pipelines of one ID share
// one detector, one budget and one storage client.
var detectors sharedinstance.Map[*Config, *detector]

// NewFactory returns the factory of the processor.
func NewFactory() processor.Factory {
	return processor.NewFactory(metadata.Type, createDefaultConfig,
		processor.WithMetrics(createMetrics, metadata.MetricsStability))
}

func createMetrics(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
	c := cfg.(*Config)
	shared, err := detectors.Get(c, func() (*detector, error) { return newDetector(set, c) })
	if err != nil {
		return nil, err
	}
	w, err := newWatcher(set, c, shared.Value)
	if err != nil {
		return nil, err
	}
	return processorhelper.NewMetrics(ctx, set, cfg, next, w.process,
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: true}),
		processorhelper.WithStart(shared.Start),
		processorhelper.WithShutdown(func(ctx context.Context) error {
			w.tel.Shutdown()
			return shared.Shutdown(ctx)
		}))
}
