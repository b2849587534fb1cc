package reliabilityextension

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/policy"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
)

// Config of the extension.
type Config struct {
	// Directory is the state folder. It is made with access for its owner alone.
	// One process at a time can use it.
	Directory string `mapstructure:"directory"`
	// HTTP is the server of the API; loopback by default.
	HTTP confighttp.ServerConfig `mapstructure:"http"`

	// Settle is how long evidence is gathered before an incident is judged.
	Settle time.Duration `mapstructure:"settle"`
	// JoinWindow is how far apart in time trouble may show that has one cause.
	JoinWindow time.Duration `mapstructure:"join_window"`
	// MaxHops is how far apart in the graph.
	MaxHops int `mapstructure:"max_hops"`
	// ReopenWithin is how soon after closing the same trouble opens the same incident again.
	ReopenWithin time.Duration `mapstructure:"reopen_within"`
	// IgnoreOlderThan: what happened longer ago than this when it is heard of opens no incident.
	IgnoreOlderThan time.Duration `mapstructure:"ignore_older_than"`

	Decision     Decision     `mapstructure:"decision"`
	Verification Verification `mapstructure:"verification"`
	Limits       Limits       `mapstructure:"limits"`

	// DefaultPolicies keeps the built-in policies beside those in Policies.
	DefaultPolicies bool `mapstructure:"default_policies"`
	// Policies say which actions may be taken. Deny wins; nothing is allowed
	// unless a policy allows it.
	Policies []policy.Rule `mapstructure:"policies"`

	// Lineage states what no source tells: which datasets a job reads and writes,
	// and which jobs run before it.
	Lineage []Lineage `mapstructure:"lineage"`

	// CheckpointInterval is how often the head of the audit log is signed while it grows.
	CheckpointInterval time.Duration `mapstructure:"checkpoint_interval"`
}

// Decision configures how an action is chosen.
type Decision struct {
	Backoff Backoff `mapstructure:"backoff"`
	// MaxAttempts bounds the actions on one run.
	MaxAttempts int `mapstructure:"max_attempts"`
	// ConfirmPatience is how long to wait for the platform's own word about a
	// failure that only an event told of.
	ConfirmPatience time.Duration `mapstructure:"confirm_patience"`
	// UpstreamPatience is how long a late input is waited for before a person is called.
	UpstreamPatience time.Duration `mapstructure:"upstream_patience"`
}

// Backoff is the wait before a retry.
type Backoff struct {
	Initial    time.Duration `mapstructure:"initial"`
	Max        time.Duration `mapstructure:"max"`
	Multiplier float64       `mapstructure:"multiplier"`
}

// Verification configures when an incident counts as recovered.
type Verification struct {
	// Window is how long all signals have to hold before an incident closes.
	Window time.Duration `mapstructure:"window"`
	// Timeout is how long recovery is waited for before a person is called.
	Timeout time.Duration `mapstructure:"timeout"`
	// SignalTimeout is how old the last word about a dataset may be before its
	// source counts as silent. Set it above the interval of the data quality receiver.
	SignalTimeout time.Duration `mapstructure:"signal_timeout"`
	// RowTolerance is the share by which a load may differ from the median of
	// earlier ones and still count as complete, 0 to 1.
	RowTolerance float64 `mapstructure:"row_tolerance"`
	// PlatformWordSuffices lets an incident close on the platform's word alone
	// where nothing measures the data. Off: it stays open until a person closes it.
	PlatformWordSuffices bool `mapstructure:"platform_word_suffices"`
}

// Limits bound what is kept.
type Limits struct {
	// Incidents under way at a time; further trouble is counted, not taken.
	Incidents int `mapstructure:"incidents"`
	// Evidence kept for each incident.
	Evidence int `mapstructure:"evidence"`
	// Edges of the reliability graph.
	Edges int `mapstructure:"edges"`
	// StateBytes bounds the state database; 0: only the disk does. At the bound no
	// action is taken, telemetry flows on.
	StateBytes int64 `mapstructure:"state_bytes"`
	// Retention of closed incidents, facts and runs. The audit log is kept.
	Retention time.Duration `mapstructure:"retention"`
}

// Lineage of one job.
type Lineage struct {
	Job     Name   `mapstructure:"job"`
	Inputs  []Name `mapstructure:"inputs"`
	Outputs []Name `mapstructure:"outputs"`
	// After are the jobs that have to succeed before this one.
	After []Name `mapstructure:"after"`
}

// Name of a job or dataset.
type Name struct {
	Namespace string `mapstructure:"namespace"`
	Name      string `mapstructure:"name"`
}

func createDefaultConfig() component.Config {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Endpoint = "127.0.0.1:8419"
	return &Config{
		Directory:       "selfheal-state",
		HTTP:            server,
		Settle:          10 * time.Second,
		JoinWindow:      time.Hour,
		MaxHops:         6,
		ReopenWithin:    15 * time.Minute,
		IgnoreOlderThan: 2 * time.Hour,
		Decision: Decision{
			Backoff:          Backoff{Initial: 30 * time.Second, Max: 10 * time.Minute, Multiplier: 2},
			MaxAttempts:      3,
			ConfirmPatience:  2 * time.Minute,
			UpstreamPatience: 30 * time.Minute,
		},
		Verification: Verification{
			Window: time.Minute, Timeout: 30 * time.Minute, SignalTimeout: 2 * time.Minute, RowTolerance: 0.5,
		},
		Limits:             Limits{Incidents: 1000, Evidence: 64, Edges: 200_000, StateBytes: 4 << 30, Retention: 90 * 24 * time.Hour},
		DefaultPolicies:    true,
		CheckpointInterval: 10 * time.Second,
	}
}

// Validate implements xconfmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Directory == "" {
		fail("directory: must name the state folder")
	}
	for key, d := range map[string]time.Duration{
		"join_window": c.JoinWindow, "reopen_within": c.ReopenWithin, "ignore_older_than": c.IgnoreOlderThan,
		"decision::backoff::initial": c.Decision.Backoff.Initial, "decision::backoff::max": c.Decision.Backoff.Max,
		"decision::confirm_patience": c.Decision.ConfirmPatience, "decision::upstream_patience": c.Decision.UpstreamPatience,
		"verification::window": c.Verification.Window, "verification::timeout": c.Verification.Timeout, "verification::signal_timeout": c.Verification.SignalTimeout,
		"limits::retention": c.Limits.Retention, "checkpoint_interval": c.CheckpointInterval,
	} {
		if d <= 0 {
			fail("%s: must be longer than 0s, is %s", key, d)
		}
	}
	if c.Settle < 0 {
		fail("settle: must not be negative, is %s", c.Settle)
	}
	for key, n := range map[string]int{"max_hops": c.MaxHops, "decision::max_attempts": c.Decision.MaxAttempts, "limits::incidents": c.Limits.Incidents, "limits::edges": c.Limits.Edges} {
		if n < 1 {
			fail("%s: must be at least 1, is %d", key, n)
		}
	}
	if c.Limits.Evidence < 4 {
		fail("limits::evidence: must be at least 4, is %d", c.Limits.Evidence)
	}
	if c.Limits.StateBytes < 0 || (c.Limits.StateBytes > 0 && c.Limits.StateBytes < 1<<20) {
		fail("limits::state_bytes: must be 0 or at least 1048576, is %d", c.Limits.StateBytes)
	}
	if c.Decision.Backoff.Multiplier < 1 {
		fail("decision::backoff::multiplier: must be at least 1, is %g", c.Decision.Backoff.Multiplier)
	}
	if t := c.Verification.RowTolerance; t < 0 || t >= 1 {
		fail("verification::row_tolerance: must be at least 0 and below 1, is %g", t)
	}
	if _, err := policy.Compile(c.policies()); err != nil {
		errs = append(errs, err)
	}
	if _, err := c.edges(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c *Config) policies() []policy.Rule {
	if !c.DefaultPolicies {
		return c.Policies
	}
	return append(append([]policy.Rule{}, c.Policies...), policy.Defaults()...)
}

// edges are the declared lineage as edges of the graph.
func (c *Config) edges() ([]entity.Edge, error) {
	var edges []entity.Edge
	var errs []error
	ref := func(key string, kind entity.Kind, n Name) entity.Ref {
		r := entity.Ref{Kind: kind, Namespace: n.Namespace, Name: n.Name}
		if err := r.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
		return r
	}
	for i, l := range c.Lineage {
		job := ref(fmt.Sprintf("lineage[%d]::job", i), entity.Job, l.Job)
		for k, n := range l.Inputs {
			edges = append(edges, entity.Edge{From: ref(fmt.Sprintf("lineage[%d]::inputs[%d]", i, k), entity.Dataset, n), To: job, Relation: entity.ReadBy})
		}
		for k, n := range l.Outputs {
			edges = append(edges, entity.Edge{From: job, To: ref(fmt.Sprintf("lineage[%d]::outputs[%d]", i, k), entity.Dataset, n), Relation: entity.Writes})
		}
		for k, n := range l.After {
			edges = append(edges, entity.Edge{From: ref(fmt.Sprintf("lineage[%d]::after[%d]", i, k), entity.Job, n), To: job, Relation: entity.Precedes})
		}
	}
	return edges, errors.Join(errs...)
}
