package airflowreceiver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"gopkg.in/yaml.v3"
)

func TestLoadConfig(t *testing.T) {
	t.Parallel()
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	load := func(name string) *Config {
		cfg := createDefaultConfig().(*Config)
		sub, err := conf.Sub(name)
		require.NoError(t, err)
		require.NoError(t, sub.Unmarshal(cfg))
		require.NoError(t, confmap.Validate(cfg))
		return cfg
	}
	want := createDefaultConfig().(*Config)
	want.Airflow.ClientConfig.Endpoint = "http://localhost:8080"
	want.Airflow.Username, want.Airflow.Password = "selfheal", "${env:AIRFLOW_PASSWORD}"
	assert.Equal(t, want, load("airflow"))

	all := load("airflow/all")
	storage := component.MustNewID("file_storage")
	want = createDefaultConfig().(*Config)
	want.Airflow.ClientConfig.Endpoint = "https://airflow.example.com"
	want.Airflow.ClientConfig.Timeout = 5 * time.Second
	want.Airflow.Token = "${env:AIRFLOW_TOKEN}"
	want.Airflow.RateLimit, want.Airflow.RateBurst, want.Airflow.MaxResponseSize = 10, 20, 8<<20
	want.CollectionInterval = 30 * time.Second
	want.Instance, want.Namespace, want.WebURL = "prod", "prod", "https://airflow.example.com"
	want.DAGs = DAGsConfig{Include: []string{"sales_*", "stock"}, Exclude: []string{"*_test"}}
	want.LogTail = LogTailConfig{MaxBytes: 4 << 20, MaxLines: 10}
	want.Definitions = DefinitionsConfig{RefreshInterval: 10 * time.Minute, RepeatInterval: 2 * time.Hour, MaxPerPoll: 5}
	want.Lookback, want.Overlap, want.HeartbeatThreshold = 6*time.Hour, time.Minute, 2*time.Minute
	want.PageSize, want.MaxPages, want.MaxDetails, want.MaxTracked = 50, 10, 20, 10_000
	want.Storage = &storage
	all.MetricsBuilderConfig, want.MetricsBuilderConfig.Metrics.DataPlatformPoolSlots = want.MetricsBuilderConfig, all.MetricsBuilderConfig.Metrics.DataPlatformPoolSlots
	assert.False(t, want.MetricsBuilderConfig.Metrics.DataPlatformPoolSlots.Enabled)
	assert.Equal(t, want.Airflow, all.Airflow)
	want.MetricsBuilderConfig = all.MetricsBuilderConfig
	assert.Equal(t, want, all)
}

func TestReadmeExampleLoads(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(raw), "```yaml\n")
	require.True(t, ok)
	example, _, _ := strings.Cut(rest, "```")
	var m map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(example), &m))
	sub, err := confmap.NewFromStringMap(m).Sub("receivers::airflow")
	require.NoError(t, err)
	cfg := createDefaultConfig()
	require.NoError(t, sub.Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
}

func TestConfigErrorsNameTheKey(t *testing.T) {
	t.Parallel()
	for key, edit := range map[string]func(*Config){
		"endpoint":                      func(c *Config) { c.Airflow.ClientConfig.Endpoint = "" },
		"collection_interval":           func(c *Config) { c.CollectionInterval = 0 },
		"lookback":                      func(c *Config) { c.Lookback = -1 },
		"overlap":                       func(c *Config) { c.Overlap = 0 },
		"heartbeat_threshold":           func(c *Config) { c.HeartbeatThreshold = 0 },
		"definitions::refresh_interval": func(c *Config) { c.Definitions.RefreshInterval = 0 },
		"definitions::repeat_interval":  func(c *Config) { c.Definitions.RepeatInterval = 0 },
		"definitions::max_per_poll":     func(c *Config) { c.Definitions.MaxPerPoll = 0 },
		"page_size":                     func(c *Config) { c.PageSize = 0 },
		"max_pages":                     func(c *Config) { c.MaxPages = 0 },
		"max_details":                   func(c *Config) { c.MaxDetails = 0 },
		"max_tracked":                   func(c *Config) { c.MaxTracked = 1 },
		"log_tail::max_lines":           func(c *Config) { c.LogTail.MaxLines = -1 },
		"log_tail::max_bytes":           func(c *Config) { c.LogTail.MaxBytes = 0 },
		"instance":                      func(c *Config) { c.Instance = "" },
		"namespace":                     func(c *Config) { c.Namespace = "" },
		"web_url":                       func(c *Config) { c.WebURL = "https://u:p@h" },
		"dags::include[0]":              func(c *Config) { c.DAGs.Include = []string{"[x"} },
		"dags::exclude[1]":              func(c *Config) { c.DAGs.Exclude = []string{"x", "[x"} },
	} {
		cfg := createDefaultConfig().(*Config)
		cfg.Airflow.ClientConfig.Endpoint = "http://localhost:8080"
		require.NoError(t, confmap.Validate(cfg))
		edit(cfg)
		require.ErrorContains(t, confmap.Validate(cfg), key)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	f, err := newFilter(DAGsConfig{Include: []string{"sales_*", "stock"}, Exclude: []string{"*_test"}})
	require.NoError(t, err)
	for dag, want := range map[string]bool{"sales_eu": true, "stock": true, "stock2": false, "sales_test": false} {
		assert.Equal(t, want, f.matches(dag), dag)
	}
	none, err := newFilter(DAGsConfig{})
	require.NoError(t, err)
	assert.True(t, none.matches("anything"))
}
