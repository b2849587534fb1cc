package vocab

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, page := filepath.Join(dir, "vocab.go"), filepath.Join(dir, "vocabulary.md")
	out, err := exec.CommandContext(t.Context(), "go", "run", "./gen", "-out", code, "-docs", page).CombinedOutput()
	require.NoError(t, err, string(out))
	for made, committed := range map[string]string{code: "vocab.go", page: "../../docs/vocabulary.md"} {
		want, err := os.ReadFile(made)
		require.NoError(t, err)
		got, err := os.ReadFile(committed)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "%s is stale: run go generate ./internal/vocab", committed)
	}
}
