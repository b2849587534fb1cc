package classificationconnector

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/component"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/classify"
)

// Config of the connector.
type Config struct {
	// Reliability is the ID of the reliability extension.
	Reliability component.ID `mapstructure:"reliability"`
	// Rules are added to those that ship with the product; one of the same name
	// replaces it, or takes it out where it is disabled.
	Rules []classify.Rule `mapstructure:"rules"`
	// RulesFile is a YAML file with further rules under the key "rules".
	RulesFile string `mapstructure:"rules_file"`
	// MaxObservationsPerBatch bounds what is read from one batch of telemetry.
	MaxObservationsPerBatch int `mapstructure:"max_observations_per_batch"`
	// MaxFailuresPerBatch bounds those of them that are errors of services in logs and spans.
	MaxFailuresPerBatch int `mapstructure:"max_failures_per_batch"`
	// MaxBacklog bounds the observations that wait in memory while the state cannot
	// be written; beyond it batches are refused and their senders send them again.
	MaxBacklog int `mapstructure:"max_backlog"`
}

func createDefaultConfig() component.Config {
	return &Config{Reliability: component.MustNewID("reliability"), MaxObservationsPerBatch: 20_000, MaxFailuresPerBatch: 100, MaxBacklog: 50_000}
}

// Validate implements xconfmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	if c.Reliability == (component.ID{}) {
		errs = append(errs, errors.New("reliability: must name the reliability extension"))
	}
	if c.MaxObservationsPerBatch < 1 {
		errs = append(errs, fmt.Errorf("max_observations_per_batch: must be at least 1, is %d", c.MaxObservationsPerBatch))
	}
	if c.MaxFailuresPerBatch < 0 {
		errs = append(errs, fmt.Errorf("max_failures_per_batch: must not be negative, is %d", c.MaxFailuresPerBatch))
	}
	if c.MaxBacklog < 0 {
		errs = append(errs, fmt.Errorf("max_backlog: must not be negative, is %d", c.MaxBacklog))
	}
	if _, err := newJudge(c, nil); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
