package reliabilityextension

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/policy"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
)

func load(t *testing.T, name string) *Config {
	t.Helper()
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := conf.Sub(component.NewIDWithName(metadata.Type, name).String())
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, sub.Unmarshal(cfg))
	return cfg
}

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	cfg := load(t, "")
	require.NoError(t, confmap.Validate(cfg))
	assert.Equal(t, createDefaultConfig(), cfg)
	assert.Equal(t, "127.0.0.1:8419", cfg.HTTP.NetAddr.Endpoint)
}

func TestEveryKeyIsRead(t *testing.T) {
	t.Parallel()
	cfg := load(t, "all")
	require.NoError(t, confmap.Validate(cfg))
	assert.Equal(t, Decision{Backoff: Backoff{Initial: time.Minute, Max: 20 * time.Minute, Multiplier: 3}, MaxAttempts: 5, ConfirmPatience: 5 * time.Minute, UpstreamPatience: time.Hour}, cfg.Decision)
	assert.Equal(t, Verification{Window: 2 * time.Minute, Timeout: time.Hour, SignalTimeout: 5 * time.Minute, RowTolerance: .2, PlatformWordSuffices: true}, cfg.Verification)
	assert.Equal(t, Limits{Incidents: 50, Evidence: 20, Edges: 5000, StateBytes: 1 << 30, Retention: 720 * time.Hour}, cfg.Limits)
	assert.Len(t, cfg.policies(), 2+len(policy.Defaults()))
	edges, err := cfg.edges()
	require.NoError(t, err)
	job := entity.Ref{Kind: entity.Job, Namespace: "default", Name: "orders.load"}
	assert.Contains(t, edges, entity.Edge{From: job, To: entity.Ref{Kind: entity.Dataset, Namespace: "sqlite://", Name: "/data/w.db.orders"}, Relation: entity.Writes})
	assert.Len(t, edges, 3)
}

func TestMistakesNameTheirKey(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Config){
		"directory: must":                     func(c *Config) { c.Directory = "" },
		"settle: must":                        func(c *Config) { c.Settle = -1 },
		"join_window: must":                   func(c *Config) { c.JoinWindow = 0 },
		"max_hops: must":                      func(c *Config) { c.MaxHops = 0 },
		"decision::backoff::initial: must":    func(c *Config) { c.Decision.Backoff.Initial = 0 },
		"decision::backoff::multiplier: must": func(c *Config) { c.Decision.Backoff.Multiplier = .5 },
		"verification::window: must":          func(c *Config) { c.Verification.Window = 0 },
		"verification::row_tolerance: must":   func(c *Config) { c.Verification.RowTolerance = 1 },
		"limits::evidence: must":              func(c *Config) { c.Limits.Evidence = 1 },
		"limits::state_bytes: must":           func(c *Config) { c.Limits.StateBytes = 5 },
		"checkpoint_interval: must":           func(c *Config) { c.CheckpointInterval = 0 },
		"policies[0] (x): when":               func(c *Config) { c.Policies = []policy.Rule{{Name: "x", Effect: policy.Deny, When: "colour"}} },
		"lineage[0]::job":                     func(c *Config) { c.Lineage = []Lineage{{}} },
		"lineage[0]::outputs[0]": func(c *Config) {
			c.Lineage = []Lineage{{Job: Name{Name: "j"}, Outputs: []Name{{Namespace: "x"}}}}
		},
	} {
		cfg := createDefaultConfig().(*Config)
		change(cfg)
		require.ErrorContains(t, confmap.Validate(cfg), want)
	}
}
