package airflowreceiver

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"pgregory.net/rapid"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
)

// life is a task instance that a property test drives, as Airflow would, with what
// has truly happened to it.
type life struct {
	a     *fakeAirflow
	state string
	try   int
	max   int
	past  []map[string]any
	truth map[state]int
}

func (l *life) show() {
	l.a.mu.Lock()
	now := l.a.now
	l.a.tries["d/r/t/-1"] = append(append([]map[string]any{}, l.past...), try(l.try, l.max, l.state, now))
	l.a.mu.Unlock()
	l.a.task(l.state, l.try, "max_tries", l.max, "start_date", now.Add(-time.Second), "end_date", now, "queued_when", now, "scheduled_when", now)
}

func (l *life) begin() {
	l.try++
	l.state = airflow.StateRunning
}

func (l *life) end(state string) {
	l.a.mu.Lock()
	l.a.now = l.a.now.Add(time.Millisecond)
	l.a.logs[fmt.Sprintf("d/r/t/-1/%d", l.try)] = logOf(fmt.Sprintf("E%d", l.try))
	l.a.mu.Unlock()
	l.state = state
	l.truth[ending(state, l.try)] = 1
}

func ending(s string, try int) state {
	switch s {
	case airflow.StateSuccess:
		return state{"d/r/t", "succeeded", int64(try), info, ""}
	case airflow.StateUpForRetry:
		return state{"d/r/t", "retrying", int64(try), warn, fmt.Sprintf("E%d", try)}
	}
	return state{"d/r/t", "failed", int64(try), fatal, fmt.Sprintf("E%d", try)}
}

// archive puts the present try into the history, as Airflow does when the next is made.
func (l *life) archive() {
	s := l.state
	if s == airflow.StateUpForRetry {
		s = airflow.StateFailed
	}
	l.a.mu.Lock()
	now := l.a.now
	l.a.mu.Unlock()
	l.past = append(l.past, try(l.try, l.max, s, now))
}

// step lets something happen.
func (l *life) step(t *rapid.T) {
	switch l.state {
	case "":
		l.begin()
	case airflow.StateRunning:
		switch {
		case rapid.Bool().Draw(t, "succeeds"):
			l.end(airflow.StateSuccess)
		case l.try <= l.max:
			l.end(airflow.StateUpForRetry)
		default:
			l.end(airflow.StateFailed)
		}
	case airflow.StateUpForRetry:
		l.archive()
		l.begin()
	default:
		l.archive()
		l.max = l.try + rapid.IntRange(0, 1).Draw(t, "retries")
		l.state = ""
	}
	l.show()
}

// TestEveryTryIsToldExactlyOnce drives a task through tries, retries and clears,
// with polls, restarts, refusals and budgets in between.
func TestEveryTryIsToldExactlyOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		id := component.MustNewID("memory")
		store := &memory{data: map[string][]byte{}}
		b := newBench(t, nil)
		b.cfg.Storage = &id
		b.cfg.MaxDetails = rapid.IntRange(9, 12).Draw(rt, "details")
		b.host = hostWith{id: store}
		b.open()
		l := &life{a: b.airflow, max: rapid.IntRange(0, 1).Draw(rt, "first retries"), truth: map[state]int{}}
		l.show()
		got := map[state]int{}
		poll := func() {
			for _, s := range b.poll() {
				if s.exception != "" || s.state == "succeeded" {
					got[s]++
				}
			}
		}
		for range rapid.IntRange(1, 14).Draw(rt, "steps") {
			for range rapid.IntRange(0, 3).Draw(rt, "events") {
				if l.try < 4 || l.state == airflow.StateRunning {
					l.step(rt)
				}
			}
			switch rapid.IntRange(0, 5).Draw(rt, "then") {
			case 0:
				b.refuse = errors.New("full")
				poll()
				b.refuse = nil
			case 1:
				b.open()
				poll()
			default:
				poll()
			}
		}
		for range 6 {
			poll()
		}
		require.NoError(rt, b.err)
		require.Equal(rt, l.truth, got)
	})
}
