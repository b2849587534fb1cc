package endtoend

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // to tamper with the state
)

// The operator's command works against the running collector, says what it
// cannot do when that is down, and what it did holds across a restart.
func TestOperatorsCommand(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	i := s.fails(t, "load_orders", "connection refused")
	// does runs a command that must end with the code and tell all of the words.
	does := func(want int, words []string, args ...string) string {
		t.Helper()
		code, out := s.operate(t, args...)
		if code != want {
			t.Errorf("selfheal %s: exit code %d, want %d:\n%s", strings.Join(args, " "), code, want, out)
		}
		for _, w := range words {
			if !strings.Contains(out, w) {
				t.Errorf("selfheal %s does not tell %q:\n%s", strings.Join(args, " "), w, out)
			}
		}
		return out
	}
	does(0, []string{"loop", "1 jobs", "openlineage"}, "status")
	does(0, []string{i.ID, "load_orders"}, "incidents")
	does(0, []string{i.ID, "load_orders", "connection refused"}, "incident", i.ID)
	does(1, []string{"not found"}, "incident", "nobody")
	does(2, []string{"comment"}, "silence", "add", "job:endtoend/*")
	does(0, []string{"until"}, "silence", "add", "job:endtoend/quiet*", "--comment", "planned work")
	does(0, []string{"planned work"}, "silence", "list")
	viewer := strings.TrimSpace(does(0, nil, "user", "add", "eve"))
	does(0, []string{"eve", "viewer", "admin"}, "user", "list")
	does(0, nil, "pause", "--reason", "we look first")
	told := func(word string, wanted bool) {
		t.Helper()
		eventually(t, "status after pause or resume", func() bool {
			code, out := s.operate(t, "status")
			return code == 0 && strings.Contains(out, word) == wanted
		})
	}
	told("we look first", true)
	does(0, []string{"the log is intact"}, "audit", "verify")
	if code, out := run(t, s.cli, []string{"SELFHEAL_URL=" + s.API, "SELFHEAL_TOKEN=" + viewer}, "pause", "--reason", "x"); code != 1 || !strings.Contains(out, "viewer") {
		t.Errorf("a viewer pauses: %d %s", code, out)
	}

	must(t, s.Stop())
	does(4, []string{"does not answer"}, "status")
	does(4, []string{"does not answer"}, "incidents")
	does(4, []string{"does not answer"}, "silence", "list")
	does(0, []string{"the log is intact"}, "audit", "verify")
	does(0, []string{"eve"}, "user", "list")
	does(0, nil, "user", "disable", "eve")
	does(0, nil, "resume")
	does(0, nil, "pause", "--reason", "while it is down")

	s.up(t)
	does(0, []string{"PAUSED", "while it is down"}, "status")
	does(0, []string{i.ID}, "incidents")
	does(0, []string{"planned work"}, "silence", "list")
	does(0, []string{"disabled"}, "user", "list")
	does(0, nil, "resume")
	told("PAUSED", false)
	does(0, []string{"the log is intact"}, "audit", "verify")
}

func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	for _, job := range []string{"a", "b", "c"} {
		s.fails(t, job, "connection refused")
	}
	eventually(t, "a checkpoint over all", func() bool {
		_, out := s.operate(t, "audit", "verify")
		return strings.Contains(out, "intact") && !strings.Contains(out, "which 0 are")
	})
	must(t, s.Stop())
	whole, err := os.ReadFile(filepath.Join(s.State, "state.db"))
	must(t, err)
	for name, statement := range map[string]string{
		"changed":   `UPDATE audit_payload SET data = CAST(replace(CAST(data AS TEXT), 'a', 'b') AS BLOB) WHERE idx = 1`,
		"relabeled": `UPDATE audit SET actor = 'somebody' WHERE idx = 1`,
		"removed":   `DELETE FROM audit WHERE idx = 1`,
		"cut off":   `DELETE FROM audit WHERE idx >= (SELECT MAX(size) - 1 FROM checkpoint)`,
	} {
		must(t, os.WriteFile(filepath.Join(s.State, "state.db"), bytes.Clone(whole), 0o600))
		if code, out := s.operate(t, "audit", "verify"); code != 0 {
			t.Fatalf("untouched: exit code %d:\n%s", code, out)
		}
		db, err := sql.Open("sqlite", filepath.Join(s.State, "state.db"))
		must(t, err)
		result, err := db.ExecContext(t.Context(), statement)
		must(t, err)
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			t.Errorf("%s: nothing tampered with: %v", name, err)
		}
		must(t, db.Close())
		if code, out := s.operate(t, "audit", "verify"); code != 3 || !strings.Contains(out, "PROBLEM") {
			t.Errorf("%s: exit code %d:\n%s", name, code, out)
		}
	}
}
