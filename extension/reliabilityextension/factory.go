package reliabilityextension

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/metadata"
)

// NewFactory returns the factory of the reliability extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, create, metadata.ExtensionStability)
}

func create(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
	return newReliability(set, cfg.(*Config))
}
