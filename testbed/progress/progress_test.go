package progress

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRemainingIsTheLongestLaneAndWhatFollows(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	b := New(&out, false, filepath.Join(t.TempDir(), "times.json"),
		Step{Lane: "platform", Name: "install", Expected: time.Minute},
		Step{Lane: "platform", Name: "start", Expected: 20 * time.Second},
		Step{Lane: "collector", Name: "build", Expected: 30 * time.Second},
		Step{Name: "baseline", Expected: 10 * time.Second})
	if got := b.remaining(time.Now()); got != 90*time.Second {
		t.Fatalf("remaining %s, want 1m30s", got)
	}
	if err := b.Do("install", func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got := b.remaining(time.Now()); got != 40*time.Second {
		t.Fatalf("remaining after install %s, want 40s", got)
	}
	if err := b.Do("start", func() error { return errors.New("no port") }); err == nil {
		t.Fatal("the step's error is lost")
	}
	b.Close()
	if text := out.String(); !strings.Contains(text, "✓  install") || !strings.Contains(text, "✗  start") {
		t.Fatalf("steps are not shown: %s", text)
	}
	again := New(&out, false, b.memory, Step{Name: "install", Expected: time.Minute})
	defer again.Close()
	if got := again.remaining(time.Now()); got > time.Second {
		t.Fatalf("the second time expects %s, want what the first took", got)
	}
}
