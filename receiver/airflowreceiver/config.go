package airflowreceiver

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/gobwas/glob"
	"go.opentelemetry.io/collector/component"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/metadata"
)

// Config configures the receiver; README.md has a table of all keys.
type Config struct {
	// Airflow is the connection: endpoint, login, rate limit.
	Airflow airflow.Config `mapstructure:",squash"`
	// MetricsBuilderConfig switches metrics on and off.
	MetricsBuilderConfig metadata.MetricsBuilderConfig `mapstructure:",squash"`
	// CollectionInterval is the time between the starts of two polls and the longest that one may take.
	CollectionInterval time.Duration `mapstructure:"collection_interval"`
	// Instance names this installation; actions find it by the same name.
	Instance string `mapstructure:"instance"`
	// Namespace of jobs, the same as Airflow's OpenLineage provider has.
	Namespace string `mapstructure:"namespace"`
	// WebURL is the base of links for people; the endpoint where it is empty.
	WebURL string `mapstructure:"web_url"`
	// DAGs chooses by dag_id.
	DAGs DAGsConfig `mapstructure:"dags"`
	// LogTail bounds what is read of the logs of failed tries.
	LogTail LogTailConfig `mapstructure:"log_tail"`
	// Definitions says how often DAGs' tasks are read.
	Definitions DefinitionsConfig `mapstructure:"definitions"`
	// Lookback is how far back the first poll reads where nothing is remembered.
	Lookback time.Duration `mapstructure:"lookback"`
	// Overlap is how much of what was read is read again, for clocks that
	// differ and transactions that were slow.
	Overlap time.Duration `mapstructure:"overlap"`
	// PageSize is the number of rows asked for at once.
	PageSize int `mapstructure:"page_size"`
	// MaxPages bounds how many pages of one list a poll reads; the next goes on there.
	MaxPages int `mapstructure:"max_pages"`
	// MaxDetails bounds how many logs, tries and single runs a poll asks for.
	MaxDetails int `mapstructure:"max_details"`
	// MaxTracked bounds how many runs are remembered.
	MaxTracked int `mapstructure:"max_tracked"`
	// HeartbeatThreshold is from which age of the scheduler's or DAG processor's
	// heartbeat the receiver's status says that Airflow is in trouble.
	HeartbeatThreshold time.Duration `mapstructure:"heartbeat_threshold"`
	// Storage is the extension that remembers across restarts; none where it is empty.
	Storage *component.ID `mapstructure:"storage"`
}

// DAGsConfig chooses DAGs by globs, in which * matches anything.
type DAGsConfig struct {
	// Include is what to observe, everything where it is empty.
	Include []string `mapstructure:"include"`
	// Exclude is left out of that.
	Exclude []string `mapstructure:"exclude"`
}

// LogTailConfig bounds what is read of one log.
type LogTailConfig struct {
	// MaxBytes is how much of a log is read, in bytes; the exception is at its end.
	MaxBytes int64 `mapstructure:"max_bytes"`
	// MaxLines is how many of its last messages go into the record's body.
	MaxLines int `mapstructure:"max_lines"`
}

// DefinitionsConfig says how often DAGs' tasks are read.
type DefinitionsConfig struct {
	// RefreshInterval is how often each DAG is looked at for changes.
	RefreshInterval time.Duration `mapstructure:"refresh_interval"`
	// RepeatInterval is how often a definition is told although it did not change.
	RepeatInterval time.Duration `mapstructure:"repeat_interval"`
	// MaxPerPoll bounds how many DAGs a poll looks at.
	MaxPerPoll int `mapstructure:"max_per_poll"`
}

func createDefaultConfig() component.Config {
	return &Config{
		Airflow:              airflow.DefaultConfig(),
		MetricsBuilderConfig: metadata.NewDefaultMetricsBuilderConfig(),
		CollectionInterval:   15 * time.Second,
		Instance:             "default",
		Namespace:            "default",
		LogTail:              LogTailConfig{MaxBytes: 16 << 20, MaxLines: 20},
		Definitions:          DefinitionsConfig{RefreshInterval: 5 * time.Minute, RepeatInterval: time.Hour, MaxPerPoll: 20},
		Lookback:             time.Hour,
		Overlap:              30 * time.Second,
		PageSize:             airflow.DefaultPageSize,
		MaxPages:             50,
		MaxDetails:           100,
		MaxTracked:           50_000,
		HeartbeatThreshold:   time.Minute,
	}
}

// Validate names the key of everything that is wrong. The connection checks itself.
func (c *Config) Validate() error {
	var errs []error
	for _, d := range []struct {
		key string
		val time.Duration
		min time.Duration
	}{
		{"collection_interval", c.CollectionInterval, time.Second},
		{"lookback", c.Lookback, 0},
		{"overlap", c.Overlap, time.Second},
		{"heartbeat_threshold", c.HeartbeatThreshold, time.Second},
		{"definitions::refresh_interval", c.Definitions.RefreshInterval, time.Second},
		{"definitions::repeat_interval", c.Definitions.RepeatInterval, time.Second},
	} {
		if d.val < d.min {
			errs = append(errs, fmt.Errorf("%s: must be at least %s, is %s", d.key, d.min, d.val))
		}
	}
	for _, n := range []struct {
		key      string
		val      int
		min, max int
	}{
		{"page_size", c.PageSize, 1, 10_000},
		{"max_pages", c.MaxPages, 1, 100_000},
		{"max_details", c.MaxDetails, 1, 100_000},
		{"max_tracked", c.MaxTracked, 100, 10_000_000},
		{"definitions::max_per_poll", c.Definitions.MaxPerPoll, 1, 100_000},
		{"log_tail::max_lines", c.LogTail.MaxLines, 0, 1000},
		{"log_tail::max_bytes", int(c.LogTail.MaxBytes), 1 << 10, 1 << 30},
	} {
		if n.val < n.min || n.val > n.max {
			errs = append(errs, fmt.Errorf("%s: must be between %d and %d, is %d", n.key, n.min, n.max, n.val))
		}
	}
	if c.Instance == "" || len(c.Instance) > 128 {
		errs = append(errs, errors.New("instance: must be a name of at most 128 bytes"))
	}
	if c.Namespace == "" || len(c.Namespace) > 512 {
		errs = append(errs, errors.New("namespace: must be a name of at most 512 bytes, the one that Airflow's OpenLineage provider has"))
	}
	if c.WebURL != "" {
		if u, err := url.Parse(c.WebURL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
			errs = append(errs, errors.New("web_url: must be an http or https URL without credentials"))
		}
	}
	if _, err := newFilter(c.DAGs); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// filter chooses DAGs.
type filter struct{ include, exclude []glob.Glob }

func newFilter(c DAGsConfig) (filter, error) {
	var f filter
	var errs []error
	compile := func(key string, patterns []string) (globs []glob.Glob) {
		for i, p := range patterns {
			g, err := glob.Compile(p)
			if err != nil {
				errs = append(errs, fmt.Errorf("dags::%s[%d]: no valid pattern: %w", key, i, err))
				continue
			}
			globs = append(globs, g)
		}
		return globs
	}
	f.include = compile("include", c.Include)
	f.exclude = compile("exclude", c.Exclude)
	return f, errors.Join(errs...)
}

func (f filter) matches(dag string) bool {
	for _, g := range f.exclude {
		if g.Match(dag) {
			return false
		}
	}
	for _, g := range f.include {
		if g.Match(dag) {
			return true
		}
	}
	return len(f.include) == 0
}
