package dataqualityreceiver

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func TestExampleLoads(t *testing.T) {
	t.Parallel()
	conf, err := confmaptest.LoadConf("testdata/config.yaml")
	require.NoError(t, err)
	sub, err := conf.Sub("dataquality")
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, sub.Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))

	assert.Equal(t, 15*time.Second, cfg.CollectionInterval)
	assert.Equal(t, component.MustNewID("file_storage"), *cfg.Storage)
	assert.Equal(t, TableConfig{Name: "orders", Schema: "sales", TimestampColumn: "created_at", LoadColumn: "load_id", Key: []string{"order_id"}},
		cfg.Databases["shop"].Tables[0])
	assert.Equal(t, "[REDACTED]", cfg.Databases["shop"].Datasource.String())
}

func TestReadmeShowsTheExample(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	example, err := os.ReadFile("testdata/config.yaml")
	require.NoError(t, err)
	assert.Contains(t, string(readme), string(example))
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	cfg := createDefaultConfig().(*Config)
	assert.Equal(t, 15*time.Second, cfg.CollectionInterval)
	assert.Equal(t, 10*time.Second, cfg.QueryTimeout)
	assert.Equal(t, time.Second, cfg.LockTimeout)
	assert.Equal(t, 100, cfg.MaxTables)
	assert.Equal(t, 8, cfg.MaxLoads)
	assert.Nil(t, cfg.Storage)
}

func TestWrongConfigNamesItsKey(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no database":     {func(c *Config) { c.Databases = nil }, "databases: name at least one"},
		"interval":        {func(c *Config) { c.CollectionInterval = 0 }, "collection_interval"},
		"query timeout":   {func(c *Config) { c.QueryTimeout = 0 }, "query_timeout"},
		"lock timeout":    {func(c *Config) { c.LockTimeout = -1 }, "lock_timeout"},
		"loads":           {func(c *Config) { c.MaxLoads = 0 }, "max_loads"},
		"too many loads":  {func(c *Config) { c.MaxLoads = 1001 }, "max_loads"},
		"too many tables": {func(c *Config) { c.MaxTables = 0 }, "max_tables: 1 tables are configured and 0 allowed"},
		"driver":          {database1(func(d *DatabaseConfig) { d.Driver = "oracle" }), `databases::one::driver: "oracle" is none of postgresql, sqlite`},
		"data source":     {database1(func(d *DatabaseConfig) { d.Datasource = "" }), "databases::one::datasource"},
		"data source of postgresql": {database1(func(d *DatabaseConfig) {
			d.Driver, d.Datasource = "postgresql", "mysql://u:hunter2@h/d"
		}), "databases::one::datasource"},
		"no table":         {database1(func(d *DatabaseConfig) { d.Tables = nil }), "databases::one::tables"},
		"table's name":     {table1(func(t *TableConfig) { t.Name = "" }), "databases::one::tables::0: name"},
		"schema of sqlite": {table1(func(t *TableConfig) { t.Schema = "main" }), "databases::one::tables::0: schema"},
		"zone":             {table1(func(t *TableConfig) { t.TimeZone = "Mars/Olympus" }), "databases::one::tables::0: time_zone"},
		"key":              {table1(func(t *TableConfig) { t.Key = []string{""} }), "databases::one::tables::0: key"},
		"NUL":              {table1(func(t *TableConfig) { t.Name = "a\x00b" }), "NUL"},
		"long name":        {table1(func(t *TableConfig) { t.Dataset = strings.Repeat("x", 3000) }), "databases::one::tables::0"},
		"table twice":      {database1(func(d *DatabaseConfig) { d.Tables = append(d.Tables, d.Tables[0]) }), "already measured by databases::one::tables::0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := validConfig("/data/w.db")
			require.NoError(t, confmap.Validate(cfg))
			tc.change(cfg)
			err := confmap.Validate(cfg)
			require.ErrorContains(t, err, tc.want)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func validConfig(path string) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.Databases = map[string]DatabaseConfig{"one": {
		Driver: "sqlite", Datasource: opaque(path), Tables: []TableConfig{{Name: "orders"}},
	}}
	return cfg
}

func database1(change func(*DatabaseConfig)) func(*Config) {
	return func(c *Config) {
		d := c.Databases["one"]
		change(&d)
		c.Databases["one"] = d
	}
}

func table1(change func(*TableConfig)) func(*Config) {
	return database1(func(d *DatabaseConfig) {
		d.Tables = []TableConfig{d.Tables[0]}
		change(&d.Tables[0])
	})
}
