package classificationconnector

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func TestLoadConfig(t *testing.T) {
	t.Parallel()
	conf, err := confmaptest.LoadConf("testdata/config.yaml")
	require.NoError(t, err)
	sub, err := conf.Sub("classification")
	require.NoError(t, err)
	cfg := NewFactory().CreateDefaultConfig().(*Config)
	require.NoError(t, sub.Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	assert.Equal(t, component.MustNewID("reliability"), cfg.Reliability)
	require.Len(t, cfg.Rules, 2)
	assert.Equal(t, "partner_busy", cfg.Rules[0].Name)
	assert.True(t, cfg.Rules[1].Disabled)
	assert.Equal(t, 20_000, cfg.MaxObservationsPerBatch)
}

// The README shows the configuration that the test above loads.
func TestTheReadmeShowsTheExample(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("testdata/config.yaml")
	require.NoError(t, err)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for line := range strings.Lines(string(example)) {
		assert.Contains(t, string(readme), strings.TrimSpace(line))
	}
}

func TestAMistypedKeyOfARuleIsNamed(t *testing.T) {
	t.Parallel()
	conf, err := confmaptest.LoadConf("testdata/mistyped.yaml")
	require.NoError(t, err)
	require.ErrorContains(t, conf.Unmarshal(createDefaultConfig()), "wenn")
}
