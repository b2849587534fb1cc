package remediationexporter

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/execution"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
)

// Config of the exporter.
type Config struct {
	// Reliability is the ID of the reliability extension whose plans are carried out.
	Reliability component.ID `mapstructure:"reliability"`
	// Airflow lists the Airflow installations by the name that their receivers use as instance.
	Airflow map[string]AirflowConfig `mapstructure:"airflow"`
	// Act switches acting on. Empty: everything is only observed.
	Act []ActConfig `mapstructure:"act"`
	// DryRun keeps acting switched off whatever Act says.
	DryRun bool `mapstructure:"dry_run"`
	// PollInterval is how long to wait for a wake-up before looking for plans.
	PollInterval time.Duration `mapstructure:"poll_interval"`
	// LeaseTTL is how long a plan stays with an executor that says nothing more.
	LeaseTTL time.Duration `mapstructure:"lease_ttl"`
	// CallTimeout is how long a call of which nothing is known is taken to be under
	// way. It bounds each request too, which the timeout of its client may do earlier.
	CallTimeout time.Duration `mapstructure:"call_timeout"`
	// MaxConcurrent bounds the plans under way at one instance.
	MaxConcurrent int `mapstructure:"max_concurrent"`
	// MaxAttempts bounds the calls for one plan; all but the last had no effect.
	MaxAttempts int `mapstructure:"max_attempts"`
	// RateLimit bounds the calls in an hour at one instance.
	RateLimit int `mapstructure:"rate_limit"`
	// Cooldown is the time between calls of two plans on one resource.
	Cooldown time.Duration `mapstructure:"cooldown"`
}

// AirflowConfig is one Airflow installation: the connection and its login.
type AirflowConfig airflow.Config

// Unmarshal fills in the client's defaults, which a map of instances cannot have otherwise.
func (c *AirflowConfig) Unmarshal(conf *confmap.Conf) error {
	*c = AirflowConfig(airflow.DefaultConfig())
	return conf.Unmarshal((*airflow.Config)(c))
}

// Validate is the client's.
func (c *AirflowConfig) Validate() error { return (*airflow.Config)(c).Validate() }

// ActConfig switches acting on for the actions and resources that match both patterns.
type ActConfig struct {
	// Action is a pattern for the action's type, such as airflow.clear_task or airflow.*.
	Action string `mapstructure:"action"`
	// Scope is a pattern for the "namespace/name" of the resource.
	Scope string `mapstructure:"scope"`
}

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Unmarshaler = (*AirflowConfig)(nil)
)

func createDefaultConfig() component.Config {
	return &Config{
		Reliability:   component.MustNewID("reliability"),
		PollInterval:  5 * time.Second,
		LeaseTTL:      time.Minute,
		CallTimeout:   30 * time.Second,
		MaxConcurrent: 2,
		MaxAttempts:   3,
		RateLimit:     60,
		Cooldown:      30 * time.Second,
	}
}

// Validate names the keys that are wrong. What is under airflow is validated by
// its own type.
func (c *Config) Validate() error {
	var errs []error
	if c.Reliability == (component.ID{}) {
		errs = append(errs, errors.New("reliability: must be the ID of a reliability extension, such as reliability"))
	}
	if len(c.Airflow) == 0 {
		errs = append(errs, errors.New("airflow: must name at least one installation to act on"))
	}
	if _, ok := c.Airflow[""]; ok {
		errs = append(errs, errors.New("airflow: an installation has an empty name"))
	}
	for i, a := range c.Act {
		if a.Action == "" || a.Scope == "" {
			errs = append(errs, fmt.Errorf("act[%d]: needs both action and scope; say \"*\" for all", i))
			continue
		}
		if _, err := execution.NewScope(a.Action, a.Scope); err != nil {
			errs = append(errs, fmt.Errorf("act[%d]: %w", i, err))
		}
	}
	for _, d := range []struct {
		key   string
		value time.Duration
		least time.Duration
	}{
		{"poll_interval", c.PollInterval, 100 * time.Millisecond},
		{"lease_ttl", c.LeaseTTL, time.Second},
		{"call_timeout", c.CallTimeout, 100 * time.Millisecond},
		{"cooldown", c.Cooldown, 0},
	} {
		if d.value < d.least {
			errs = append(errs, fmt.Errorf("%s: must be at least %s, is %s", d.key, d.least, d.value))
		}
	}
	for _, n := range []struct {
		key   string
		value int
	}{
		{"max_concurrent", c.MaxConcurrent},
		{"max_attempts", c.MaxAttempts},
		{"rate_limit", c.RateLimit},
	} {
		if n.value < 1 {
			errs = append(errs, fmt.Errorf("%s: must be at least 1, is %d", n.key, n.value))
		}
	}
	return errors.Join(errs...)
}

// instances lists the names of the Airflow installations in order.
func (c *Config) instances() []string { return slices.Sorted(maps.Keys(c.Airflow)) }

// scopes compiles Act, which has been validated.
func (c *Config) scopes() ([]execution.Scope, error) {
	if c.DryRun {
		return nil, nil
	}
	scopes := make([]execution.Scope, len(c.Act))
	for i, a := range c.Act {
		s, err := execution.NewScope(a.Action, a.Scope)
		if err != nil {
			return nil, fmt.Errorf("act[%d]: %w", i, err)
		}
		scopes[i] = s
	}
	return scopes, nil
}
