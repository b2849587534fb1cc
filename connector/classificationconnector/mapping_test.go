package classificationconnector

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

var update = flag.Bool("update", false, "write the expected files anew")

// TestMapping reads one case of each signal and compares every observation.
func TestMapping(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("testdata/mapping/*")
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	for _, dir := range cases {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			c, f := start(t, nil, nil)
			for _, file := range []string{"logs.yaml", "metrics.yaml", "traces.yaml"} {
				if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
					consume(t, c, filepath.Join(dir, file))
					// The same batch again changes nothing.
					consume(t, c, filepath.Join(dir, file))
				}
			}
			compare(t, filepath.Join(dir, "expected.json"), f.taken())
		})
	}
}

func consume(t *testing.T, c *classification, file string) {
	switch filepath.Base(file) {
	case "logs.yaml":
		l, err := golden.ReadLogs(file)
		require.NoError(t, err)
		require.NoError(t, c.ConsumeLogs(t.Context(), l))
	case "metrics.yaml":
		m, err := golden.ReadMetrics(file)
		require.NoError(t, err)
		require.NoError(t, c.ConsumeMetrics(t.Context(), m))
	case "traces.yaml":
		s, err := golden.ReadTraces(file)
		require.NoError(t, err)
		require.NoError(t, c.ConsumeTraces(t.Context(), s))
	}
}

func compare(t *testing.T, file string, got []observation.Observation) {
	raw, err := json.MarshalIndent(got, "", "  ")
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(file, append(raw, '\n'), 0o600))
	}
	want, err := os.ReadFile(file) //nolint:gosec // a file of the test
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(raw))
}

// TestRecordedByTheReceivers reads what the receivers recorded from real platforms.
func TestRecordedByTheReceivers(t *testing.T) {
	t.Parallel()
	c, f := start(t, nil, nil)
	consume(t, c, "../../receiver/airflowreceiver/testdata/recorded/logs.yaml")
	consume(t, c, "../../receiver/airflowreceiver/testdata/recorded/metrics.yaml")
	classes := map[string]string{}
	kinds := map[observation.Kind]int{}
	for _, o := range f.taken() {
		kinds[o.Kind]++
		if o.Kind == observation.RunState {
			require.NotNil(t, o.Run.Target, o.Run.ID)
			assert.Equal(t, "airflow", o.Run.Target.Kind)
			assert.NotEmpty(t, o.Run.Target.Coordinates[observation.AirflowRun])
		}
		if o.Run != nil && o.Run.Phase == observation.PhaseFailed && o.Hypothesis != nil {
			classes[o.Run.ID] = o.Hypothesis.Class
		}
	}
	assert.Equal(t, map[string]string{"shop/run1/double/2": "transient_failure", "shop/run1/flaky": "deterministic_bug"}, classes)
	for _, k := range []observation.Kind{observation.RunState, observation.Lineage, observation.PlatformState, observation.Fact} {
		assert.Positive(t, kinds[k], k)
	}
}
