package anomalydetectionprocessor

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/filter"
)

func load(t *testing.T, id string) *Config {
	t.Helper()
	cm, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := cm.Sub(id)
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, sub.Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	return cfg
}

func TestEveryKeyIsRead(t *testing.T) {
	t.Parallel()
	require.Equal(t, createDefaultConfig(), load(t, "anomaly_detection"))
	storage := component.MustNewID("file_storage")
	require.Equal(t, &Config{
		AlarmBudget:         Budget{perDay: 48},
		MinPoints:           50,
		RecoverAfter:        3,
		NewNormalAfter:      100,
		Identity:            IdentityConfig{ExcludeAttributes: []string{"data.dataset.load.id", "service.version"}},
		Metrics:             MetricsConfig{Include: []filter.Config{{Regex: `^data\.`}}, Exclude: []filter.Config{{Strict: "data.dataset.columns"}}},
		MaxSeries:           1000,
		StaleAfter:          time.Hour,
		MaxVerdictsPerBatch: 10,
		Storage:             &storage,
		SnapshotInterval:    10 * time.Second,
	}, load(t, "anomaly_detection/all"))
}

func TestErrorsNameTheKey(t *testing.T) {
	t.Parallel()
	for key, spoil := range map[string]func(*Config){
		"alarm_budget":                     func(c *Config) { c.AlarmBudget = Budget{} },
		"min_points":                       func(c *Config) { c.MinPoints = 9 },
		"recover_after":                    func(c *Config) { c.RecoverAfter = 0 },
		"new_normal_after":                 func(c *Config) { c.NewNormalAfter = 9 },
		"max_series":                       func(c *Config) { c.MaxSeries = 0 },
		"stale_after":                      func(c *Config) { c.StaleAfter = 0 },
		"max_verdicts_per_batch":           func(c *Config) { c.MaxVerdictsPerBatch = 0 },
		"snapshot_interval":                func(c *Config) { c.SnapshotInterval = time.Millisecond },
		"identity::exclude_attributes::0:": func(c *Config) { c.Identity.ExcludeAttributes = []string{""} },
		"metrics::exclude::0":              func(c *Config) { c.Metrics.Exclude = []filter.Config{{Regex: "("}} },
		"metrics::include::0":              func(c *Config) { c.Metrics.Include = []filter.Config{{}} },
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			c := createDefaultConfig().(*Config)
			spoil(c)
			require.ErrorContains(t, confmap.Validate(c), key)
		})
	}
}

func TestBudgets(t *testing.T) {
	t.Parallel()
	for text, perDay := range map[string]float64{"10/day": 10, "1/hour": 24, "0.5/day": .5, "7/week": 1} {
		var b Budget
		require.NoError(t, b.UnmarshalText([]byte(text)))
		require.InDelta(t, perDay, b.perDay, 1e-9)
		back, err := b.MarshalText()
		require.NoError(t, err)
		var again Budget
		require.NoError(t, again.UnmarshalText(back))
		require.Equal(t, b, again)
	}
	for _, text := range []string{"", "10", "10/", "/day", "ten/day", "-1/day", "0/day", "NaN/day", "+Inf/day", "10/minute"} {
		var b Budget
		require.ErrorContains(t, b.UnmarshalText([]byte(text)), "alarm_budget", text)
	}
}
