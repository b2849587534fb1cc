package remediationexporter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
)

func load(t *testing.T, file, id string, edit map[string]any) *Config {
	t.Helper()
	conf, err := confmaptest.LoadConf("testdata/" + file)
	require.NoError(t, err)
	conf, err = conf.Sub(id)
	require.NoError(t, err)
	require.NoError(t, conf.Merge(confmap.NewFromStringMap(edit)))
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, conf.Unmarshal(cfg))
	return cfg
}

func TestTheExampleLoadsWithDefaults(t *testing.T) {
	t.Parallel()
	cfg := load(t, "config.yaml", "remediation", map[string]any{"airflow::default::password": "x"})
	require.NoError(t, confmap.Validate(cfg))
	assert.Equal(t, component.MustNewID("reliability"), cfg.Reliability)
	assert.Equal(t, []string{"default"}, cfg.instances())
	client := cfg.Airflow["default"]
	assert.Equal(t, "http://127.0.0.1:8080", client.ClientConfig.Endpoint)
	assert.Equal(t, 10*time.Second, client.ClientConfig.Timeout, "an instance has the client's defaults")
	assert.InDelta(t, 20, client.RateLimit, 0)
	scopes, err := cfg.scopes()
	require.NoError(t, err)
	require.Len(t, scopes, 1)
	assert.True(t, scopes[0].Action.Match("airflow.clear_task"))
	assert.False(t, scopes[0].Action.Match("airflow.clear_task_downstream"))
	assert.True(t, scopes[0].Resource.Match("default/orders.load"))
	assert.False(t, scopes[0].Resource.Match("default/customers.load"))
}

func TestEveryKeyIsRead(t *testing.T) {
	t.Parallel()
	cfg := load(t, "full.yaml", "remediation/full", nil)
	require.NoError(t, confmap.Validate(cfg))
	assert.Equal(t, component.MustNewIDWithName("reliability", "prod"), cfg.Reliability)
	assert.Equal(t, []string{"eu", "us"}, cfg.instances())
	assert.InDelta(t, 3, cfg.Airflow["eu"].RateLimit, 0)
	assert.Equal(t, []ActConfig{{Action: "airflow.*", Scope: "*"}}, cfg.Act)
	want := createDefaultConfig().(*Config)
	want.Reliability, want.Airflow, want.Act = cfg.Reliability, cfg.Airflow, cfg.Act
	want.DryRun, want.PollInterval, want.LeaseTTL, want.CallTimeout = true, time.Second, 30*time.Second, 3*time.Second
	want.MaxConcurrent, want.MaxAttempts, want.RateLimit, want.Cooldown = 4, 2, 10, 5*time.Minute
	assert.Equal(t, want, cfg)
	scopes, err := cfg.scopes()
	require.NoError(t, err)
	assert.Empty(t, scopes, "a dry run acts nowhere, whatever act says")
}

func TestItObservesByDefault(t *testing.T) {
	t.Parallel()
	scopes, err := createDefaultConfig().(*Config).scopes()
	require.NoError(t, err)
	assert.Empty(t, scopes)
}

func TestWrongConfigNamesTheKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		edit map[string]any
		want string
	}{
		{"no endpoint", map[string]any{"airflow": map[string]any{"b": map[string]any{"username": "x"}}}, "airflow::b: endpoint:"},
		{"password alone", map[string]any{"airflow::eu::password": "x"}, "airflow::eu: username and password"},
		{"act without scope", map[string]any{"act": []any{map[string]any{"action": "*"}}}, "act[0]: needs both action and scope"},
		{"act with a bad pattern", map[string]any{"act": []any{map[string]any{"action": "[", "scope": "*"}}}, "act[0]: action:"},
		{"act with a bad scope", map[string]any{"act": []any{map[string]any{"action": "*", "scope": "["}}}, "act[0]: scope:"},
		{"poll_interval", map[string]any{"poll_interval": "1ms"}, "poll_interval: must be at least 100ms"},
		{"lease_ttl", map[string]any{"lease_ttl": "0s"}, "lease_ttl: must be at least 1s"},
		{"call_timeout", map[string]any{"call_timeout": "-1s"}, "call_timeout: must be at least 100ms"},
		{"cooldown", map[string]any{"cooldown": "-1s"}, "cooldown: must be at least 0s"},
		{"max_concurrent", map[string]any{"max_concurrent": 0}, "max_concurrent: must be at least 1"},
		{"max_attempts", map[string]any{"max_attempts": 0}, "max_attempts: must be at least 1"},
		{"rate_limit", map[string]any{"rate_limit": -1}, "rate_limit: must be at least 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.ErrorContains(t, confmap.Validate(load(t, "full.yaml", "remediation/full", c.edit)), c.want)
		})
	}
	cfg := load(t, "full.yaml", "remediation/full", nil)
	cfg.Reliability = component.ID{}
	require.ErrorContains(t, confmap.Validate(cfg), "reliability: must be the ID")
	cfg = load(t, "full.yaml", "remediation/full", nil)
	cfg.Airflow = nil
	require.ErrorContains(t, confmap.Validate(cfg), "airflow: must name at least one installation")
	cfg.Airflow = map[string]AirflowConfig{"": AirflowConfig(airflow.DefaultConfig())}
	require.ErrorContains(t, confmap.Validate(cfg), "airflow: an installation has an empty name")
}
