package airflow

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
)

// TestLive asks a real Airflow everything that changes nothing. It is named by
// SELFHEAL_AIRFLOW_URL, with SELFHEAL_AIRFLOW_USER and SELFHEAL_AIRFLOW_PASSWORD.
func TestLive(t *testing.T) {
	url := os.Getenv("SELFHEAL_AIRFLOW_URL")
	if url == "" {
		t.Skip("SELFHEAL_AIRFLOW_URL is not set")
	}
	cfg := DefaultConfig()
	cfg.ClientConfig.Endpoint = url
	cfg.ClientConfig.Headers.Set("Connection", "close") // so that none outlives the test
	cfg.Username = os.Getenv("SELFHEAL_AIRFLOW_USER")
	cfg.Password = configopaque.String(os.Getenv("SELFHEAL_AIRFLOW_PASSWORD"))
	c, err := NewClient(t.Context(), cfg, nil, componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	ctx := t.Context()

	version, err := c.Version(ctx)
	require.NoError(t, err)
	assert.NotEmpty(t, version)
	health, err := c.Health(ctx)
	require.NoError(t, err)
	assert.False(t, health.Scheduler.Heartbeat.IsZero())
	assert.NotEmpty(t, all(t, c.Pools(ctx, 1)))
	all(t, c.ImportErrors(ctx, 1))
	all(t, c.Assets(ctx, 1))
	for _, d := range all(t, c.DAGs(ctx, 1)) {
		one, err := c.DAG(ctx, d.ID)
		require.NoError(t, err)
		assert.Equal(t, d.Owners, one.Owners)
		_, err = c.Tasks(ctx, d.ID)
		require.NoError(t, err)
	}
	_, err = c.DAG(ctx, "no such DAG")
	assert.True(t, IsNotFound(err), err)

	runs := all(t, c.DAGRuns(ctx, Filter{PageSize: 1}))
	assert.Len(t, all(t, c.DAGRuns(ctx, Filter{})), len(runs), "pages of any size")
	for _, r := range runs[:min(len(runs), 3)] {
		_, err := c.DAGRun(ctx, r.DAGID, r.ID)
		require.NoError(t, err)
		for _, ti := range all(t, c.TaskInstances(ctx, Filter{DAGID: r.DAGID, RunID: r.ID, PageSize: 2})) {
			assert.Equal(t, r.ID, ti.RunID)
			one, err := c.TaskInstance(ctx, ti.DAGID, ti.RunID, ti.TaskID, ti.MapIndex)
			require.NoError(t, err)
			assert.Equal(t, ti.MapIndex, one.MapIndex)
			_, err = c.TaskInstanceTries(ctx, ti.DAGID, ti.RunID, ti.TaskID, ti.MapIndex)
			require.NoError(t, err)
			if ti.TryNumber > 0 {
				_, err = c.TaskLog(ctx, ti.DAGID, ti.RunID, ti.TaskID, ti.MapIndex, ti.TryNumber, LogLimits{MaxBytes: 1 << 20, MaxLines: 5, MaxLine: 100})
				require.NoError(t, err)
			}
		}
		cleared, err := c.ClearTaskInstances(ctx, r.DAGID, ClearRequest{DryRun: true, RunID: r.ID, AllTasks: true})
		require.NoError(t, err)
		assert.NotEmpty(t, cleared)
		_, err = c.TriggerDAGRun(ctx, r.DAGID, TriggerRequest{RunID: r.ID})
		assert.True(t, IsConflict(err), err)
		assert.False(t, IsUnclear(err))
	}
}
