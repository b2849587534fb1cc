package anomalydetectionprocessor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/filter"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// Config of the processor.
type Config struct {
	// AlarmBudget is the number of false alarms that all series together may raise when nothing is wrong.
	AlarmBudget Budget `mapstructure:"alarm_budget"`
	// MinPoints is the number of points that a series learns from before it is scored.
	MinPoints int `mapstructure:"min_points"`
	// RecoverAfter is the number of normal points in a row that end an episode.
	RecoverAfter int `mapstructure:"recover_after"`
	// NewNormalAfter is the number of points after which an episode that does not end becomes the new normal.
	NewNormalAfter int `mapstructure:"new_normal_after"`
	// Identity says what makes a series.
	Identity IdentityConfig `mapstructure:"identity"`
	// Metrics says which metrics are watched.
	Metrics MetricsConfig `mapstructure:"metrics"`
	// MaxSeries bounds the series that are held.
	MaxSeries int `mapstructure:"max_series"`
	// StaleAfter is the time after which a series without points may make room for another, once MaxSeries is reached.
	StaleAfter time.Duration `mapstructure:"stale_after"`
	// MaxVerdictsPerBatch bounds what is added to one batch.
	MaxVerdictsPerBatch int `mapstructure:"max_verdicts_per_batch"`
	// Storage is the storage extension that the state is kept in; without one a restart forgets everything.
	Storage *component.ID `mapstructure:"storage"`
	// SnapshotInterval is the time between two snapshots of the state.
	SnapshotInterval time.Duration `mapstructure:"snapshot_interval"`

	_ struct{}
}

// IdentityConfig says what makes a series.
type IdentityConfig struct {
	// ExcludeAttributes are names of attributes of resources, scopes and points that do not tell series apart.
	ExcludeAttributes []string `mapstructure:"exclude_attributes"`
}

// MetricsConfig says which metrics are watched, by name. Without Include all are; Exclude wins.
type MetricsConfig struct {
	Include []filter.Config `mapstructure:"include"`
	Exclude []filter.Config `mapstructure:"exclude"`
}

// Budget is a number of alarms in a time, such as 10/day.
type Budget struct {
	// perDay is the number of alarms a day.
	perDay float64
}

var budgetUnits = map[string]float64{"hour": 24, "day": 1, "week": 1. / 7}

// UnmarshalText reads <number>/hour, <number>/day or <number>/week.
func (b *Budget) UnmarshalText(text []byte) error {
	number, unit, found := strings.Cut(string(text), "/")
	per, known := budgetUnits[unit]
	n, err := strconv.ParseFloat(number, 64)
	if !found || !known || err != nil || !(n > 0 && n <= 1e9) {
		return fmt.Errorf("alarm_budget: %q is no number of alarms in a time: want for example 10/day (also /hour and /week, and more than 0)", text)
	}
	b.perDay = n * per
	return nil
}

// MarshalText writes the budget for a day.
func (b Budget) MarshalText() ([]byte, error) {
	return []byte(strconv.FormatFloat(b.perDay, 'g', -1, 64) + "/day"), nil
}

// Validate checks the configuration; errors name the key.
func (c *Config) Validate() error {
	var errs []error
	atLeast := func(key string, got, low int) {
		if got < low {
			errs = append(errs, fmt.Errorf("%s: is %d, must be at least %d", key, got, low))
		}
	}
	if c.AlarmBudget.perDay <= 0 {
		errs = append(errs, errors.New("alarm_budget: must be more than 0, for example 10/day"))
	}
	atLeast("min_points", c.MinPoints, 10)
	atLeast("recover_after", c.RecoverAfter, 1)
	atLeast("new_normal_after", c.NewNormalAfter, 10)
	atLeast("max_series", c.MaxSeries, 1)
	atLeast("max_verdicts_per_batch", c.MaxVerdictsPerBatch, 1)
	if c.StaleAfter < time.Second {
		errs = append(errs, fmt.Errorf("stale_after: is %s, must be at least 1s", c.StaleAfter))
	}
	if c.SnapshotInterval < time.Second {
		errs = append(errs, fmt.Errorf("snapshot_interval: is %s, must be at least 1s", c.SnapshotInterval))
	}
	for i, a := range c.Identity.ExcludeAttributes {
		if a == "" {
			errs = append(errs, fmt.Errorf("identity::exclude_attributes::%d: must not be empty", i))
		}
	}
	return errors.Join(errs...)
}

func createDefaultConfig() component.Config {
	return &Config{
		AlarmBudget:         Budget{perDay: 10},
		MinPoints:           30,
		RecoverAfter:        2,
		NewNormalAfter:      288,
		Identity:            IdentityConfig{ExcludeAttributes: []string{vocab.DatasetLoadID}},
		MaxSeries:           1_000_000,
		StaleAfter:          24 * time.Hour,
		MaxVerdictsPerBatch: 1000,
		SnapshotInterval:    time.Minute,
	}
}
