package killswitch

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPullHoldsUntilReleased(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	assert.Nil(t, Read(dir))
	want := Pulled{By: "ann", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Reason: "migration"}
	require.NoError(t, Pull(dir, want))
	assert.Equal(t, &want, Read(dir))
	require.NoError(t, Pull(dir, want), "pulling twice is no error")
	require.NoError(t, Release(dir))
	assert.Nil(t, Read(dir))
	require.NoError(t, Release(dir), "nor is releasing twice")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestDoubtStops(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, File), []byte("{half"), 0o600))
	got := Read(dir)
	require.NotNil(t, got)
	assert.Contains(t, got.Reason, "cannot be read")
}

func TestAFolderThatIsNotThere(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, Pull(filepath.Join(t.TempDir(), "none"), Pulled{}), "pause")
}
