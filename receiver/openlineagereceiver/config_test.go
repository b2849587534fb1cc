package openlineagereceiver

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/metadata"
)

func TestDefaultConfigIsValidAndStaysOnThisHost(t *testing.T) {
	t.Parallel()
	cfg := defaultConfig().(*Config)
	require.NoError(t, cfg.Validate())
	require.True(t, strings.HasPrefix(cfg.HTTP.NetAddr.Endpoint, "127.0.0.1:"))
}

func TestTheExampleInTheReadmeLoads(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	example := string(readAll(t, filepath.Join("testdata", "config.yaml")))
	require.Contains(t, string(readme), example, "the README shows testdata/config.yaml")
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	sub, err := conf.Sub("receivers::openlineage")
	require.NoError(t, err)
	cfg := defaultConfig().(*Config)
	require.NoError(t, sub.Unmarshal(cfg))
	require.NoError(t, cfg.Validate())
	assert.Equal(t, 6*time.Hour, cfg.RunTimeout)
	assert.Equal(t, 500, cfg.Limits.Datasets)
	assert.Equal(t, int64(8<<20), cfg.HTTP.MaxRequestBodySize)
	assert.False(t, cfg.Metrics.DataQualityColumnSum.Enabled)
}

func TestTheReadmeListsEveryKey(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	conf := confmap.New()
	require.NoError(t, conf.Marshal(defaultConfig()))
	own := regexp.MustCompile(`^(service_name|platform_instance|run_timeout|max_requests_in_flight|max_request_body_size|endpoint|limits::.*|memory::.*)$`)
	found := 0
	for _, key := range conf.AllKeys() {
		if own.MatchString(key) {
			found++
			assert.Contains(t, string(readme), "| `"+key+"` |")
		}
	}
	assert.Equal(t, 20, found)
}

func TestValidateNamesTheKey(t *testing.T) {
	t.Parallel()
	for key, change := range map[string]func(*Config){
		"endpoint":                func(c *Config) { c.HTTP.NetAddr.Endpoint = "" },
		"max_request_body_size":   func(c *Config) { c.HTTP.MaxRequestBodySize = -1 },
		"service_name":            func(c *Config) { c.ServiceName = "" },
		"platform_instance":       func(c *Config) { c.PlatformInstance = "" },
		"run_timeout":             func(c *Config) { c.RunTimeout = 0 },
		"max_requests_in_flight":  func(c *Config) { c.MaxRequestsInFlight = 0 },
		"limits::depth: want a":   func(c *Config) { c.Limits.Depth = 0 },
		"limits::depth: want at":  func(c *Config) { c.Limits.Depth = 1001 },
		"limits::string_bytes":    func(c *Config) { c.Limits.StringBytes = -1 },
		"limits::keys":            func(c *Config) { c.Limits.Keys = 0 },
		"limits::values":          func(c *Config) { c.Limits.Values = 0 },
		"limits::datasets":        func(c *Config) { c.Limits.Datasets = 0 },
		"limits::batch_events":    func(c *Config) { c.Limits.BatchEvents = 0 },
		"limits::text_bytes":      func(c *Config) { c.Limits.TextBytes = 63 },
		"limits::scrub_bytes":     func(c *Config) { c.Limits.ScrubBytes = 0 },
		"memory::events: want":    func(c *Config) { c.Memory.Events = 0 },
		"memory::event_age: want": func(c *Config) { c.Memory.EventAge = 0 },
		"memory::runs: want":      func(c *Config) { c.Memory.Runs = 0 },
		"memory::run_datasets":    func(c *Config) { c.Memory.RunDatasets = 0 },
		"memory::schemas: want":   func(c *Config) { c.Memory.Schemas = 0 },
		"memory::schema_age":      func(c *Config) { c.Memory.SchemaAge = 0 },
	} {
		cfg := defaultConfig().(*Config)
		change(cfg)
		assert.ErrorContains(t, cfg.Validate(), key)
	}
}

// TestMetricsHaveNamesOfTheVocabulary: all but statistics of columns are facts.
func TestMetricsHaveNamesOfTheVocabulary(t *testing.T) {
	t.Parallel()
	conf := confmap.New()
	require.NoError(t, conf.Marshal(metadata.NewDefaultMetricsBuilderConfig()))
	metrics, ok := conf.ToStringMap()["metrics"].(map[string]any)
	require.True(t, ok)
	require.NotEmpty(t, metrics)
	for name := range metrics {
		if !strings.HasPrefix(name, "data.quality.column.") {
			assert.Contains(t, vocab.FactMetrics, name)
		}
	}
}
