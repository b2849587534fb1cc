package scenarios

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/oracle"
)

// What a failure means is read from its text and context. The DAGs are named
// by number, in the order of odd_jobs.py; acting is off, so each fails once.
func TestFailureTexts(t *testing.T) {
	t.Parallel()
	r := shared
	w := r.own(t, options{Name: "reading", DAGs: []string{"errand_*", "shell_*"}})
	cases := []struct {
		dag, what string
		classes   []string // any of them is right
	}{
		{"errand_00", "connection refused", []string{"transient_failure"}},
		{"errand_01", "unknown host", []string{"transient_failure", "unknown"}},
		{"errand_02", "read timed out", []string{"transient_failure"}},
		{"errand_03", "deadlock detected", []string{"transient_failure"}},
		{"errand_04", "401 from the source", []string{"credential_failure"}},
		{"errand_05", "role does not exist", []string{"credential_failure", "deterministic_bug", "unknown"}},
		{"errand_06", "permission denied", []string{"credential_failure"}},
		{"errand_07", "input file is missing", []string{"upstream_delay"}},
		{"errand_08", "out of memory", []string{"resource_exhaustion"}},
		{"errand_09", "no space left on device", []string{"resource_exhaustion"}},
		{"errand_10", "KeyError in own code", []string{"deterministic_bug"}},
		{"errand_11", "column does not exist", []string{"deterministic_bug"}},
		{"errand_12", "TypeError in own code", []string{"deterministic_bug"}},
		{"shell_00", "curl: connection reset", []string{"transient_failure"}},
		{"shell_01", "a script without its module", []string{"deterministic_bug", "unknown"}},
		{"shell_02", "killed by SIGKILL", []string{"resource_exhaustion", "unknown"}},
	}
	var wg sync.WaitGroup
	slots := make(chan bool, 4)
	for _, c := range cases {
		wg.Go(func() {
			slots <- true
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			if err := r.airflow.Trigger(ctx, c.dag, "fails", nil); err != nil {
				t.Error(err)
				return
			}
			if _, err := r.airflow.WaitRun(ctx, c.dag, "fails", "failed"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, c := range cases {
		i := w.await(t, time.Minute, c.dag)
		// The first word may come before the error's text does.
		right := func() error {
			now, err := w.Incident(t.Context(), i.ID)
			if err != nil {
				return err
			}
			if slices.Contains(c.classes, now.Class) {
				return nil
			}
			return fmt.Errorf("%s (%s) is classified %s by rule %q, want one of %v", c.dag, c.what, now.Class, now.Rule, c.classes)
		}
		deadline := time.Now().Add(20 * time.Second)
		err := right()
		for err != nil && time.Now().Before(deadline) {
			time.Sleep(500 * time.Millisecond)
			err = right()
		}
		if err != nil {
			t.Error(err)
		}
	}
	// Observing: not one of them is called about.
	must(t, oracle.Hold(t.Context(), 10*time.Second, func(ctx context.Context) error {
		for _, c := range cases {
			task := "run"
			if c.dag[0] == 's' {
				task = "script"
			}
			if err := r.tried(ctx, c.dag, "fails", map[string]int{task: 1}); err != nil {
				return err
			}
		}
		return nil
	}))
}
