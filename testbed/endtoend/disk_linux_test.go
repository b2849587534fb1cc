package endtoend

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// small mounts a file system of so many bytes, or tells that this may not be done here.
func small(t *testing.T, bytes string) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+bytes)
	if errors.Is(err, syscall.EPERM) {
		t.Skip("mounting a small file system needs root; the store's own tests fill a state up to limits::state_bytes")
	}
	must(t, err)
	t.Cleanup(func() { must(t, syscall.Unmount(dir, 0)) })
	return dir
}

// On a full disk telemetry flows on, the state says that it fails, and nothing
// is done; once there is room everything goes on by itself.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := small(t, "16m")
	var about atomic.Int64 // requests about the DAG: only who acts makes them
	airflow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/dags/shop_full") {
			about.Add(1)
		}
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/dags") { // how the exporter sees that Airflow is there
			_, _ = w.Write([]byte(`{"dags":[],"total_entries":0}`))
			return
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"detail":"not found"}`))
	}))
	defer airflow.Close()
	s := start(t, options{
		state:     filepath.Join(dir, "state"),
		reliable:  "    decision: {backoff: {initial: 100ms, max: 200ms}}\n",
		exporters: "  remediation:\n    poll_interval: 200ms\n    airflow: {default: {endpoint: \"" + airflow.URL + "\", token: t}}\n    act: [{action: \"airflow.*\", scope: \"*\"}]\n",
		incidents: ", remediation",
	})
	s.fails(t, "before", "connection refused")
	fill(t, filepath.Join(dir, "filler"))

	refused, sent := 0, 0
	must(t, s.confirmed(t.Context(), "shop_full"))
	for n := range 600 {
		if err := s.rows(t.Context(), "d.s.flowing", n); err != nil {
			refused++
			continue
		}
		sent++
	}
	eventually(t, "status tells that the state fails", func() bool {
		code, out := s.operate(t, "status")
		return code == 0 && strings.Contains(out, "STATE FAILS")
	})
	if refused > 0 || s.sink.counted() != sent {
		t.Errorf("%d batches were refused, %d taken, %d arrived", refused, sent, s.sink.counted())
	}
	time.Sleep(3 * time.Second) // longer than a plan takes, as the end of the test shows
	if n := about.Load(); n != 0 {
		t.Errorf("%d requests about the DAG while nothing can be written", n)
	}
	if err := s.Process().Err(); err != nil {
		t.Fatal(err)
	}

	must(t, os.Remove(filepath.Join(dir, "filler")))
	began := time.Now()
	eventually(t, "the state works again", func() bool {
		code, out := s.operate(t, "status")
		return code == 0 && !strings.Contains(out, "STATE FAILS")
	})
	note(t, "disk: seconds to recover", time.Since(began).Seconds())
	s.fails(t, "after", "connection refused")
	eventually(t, "what waited is acted on", func() bool { return about.Load() > 0 })
	if code, out := s.operate(t, "audit", "verify"); code != 0 {
		t.Errorf("audit verify: %d\n%s", code, out)
	}
}

// fill takes all the room that there is.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer func() { _ = f.Close() }()
	for size := 1 << 20; size > 0; size /= 4 {
		for {
			if _, err := f.Write(bytes.Repeat([]byte("x"), size)); err != nil {
				break
			}
		}
	}
}
