package runs

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func ev(kind, run string, minute int, uid byte) *event.Event {
	return &event.Event{
		Kind: event.OfRun, Type: kind, Time: noon.Add(time.Duration(minute) * time.Minute), UID: event.UID{uid},
		Run: &event.Run{ID: run}, Job: &event.Job{Identifier: event.Identifier{Name: "j"}},
	}
}

// Whatever comes in whatever order: a run ends once, its end is not before its
// start, and the number of running runs is right.
func TestAnyOrderOfEvents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := noon
		tr := NewTracker(Limits{Runs: rapid.IntRange(1, 6).Draw(t, "bound"), Datasets: 3, Timeout: time.Hour}, func() time.Time { return now })
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.IntRange(0, 9).Draw(t, "sweep") == 0 {
				now = now.Add(time.Hour)
				list := tr.Overdue(100)
				for _, r := range list {
					assert.Equal(t, Unfinished, r.Timing)
					assert.False(t, r.End.Before(r.Start))
				}
				tr.GiveUp(list)
				assert.Empty(t, tr.Overdue(100), "given up once")
				assert.Zero(t, tr.Running())
				continue
			}
			run := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "run")
			kind := rapid.SampledFrom([]string{event.Start, event.Running, event.Other, "", event.Complete, event.Fail, event.Abort}).Draw(t, "kind")
			uid := byte(rapid.IntRange(1, 255).Draw(t, "uid"))
			e := ev(kind, run, rapid.IntRange(0, 50).Draw(t, "minute"), uid)
			view, _ := tr.Observe(e)
			assert.Equal(t, run, view.Run.ID)
			if view.Ends {
				assert.False(t, view.Run.End.Before(view.Run.Start))
			}
			running := 0
			tr.runs.Oldest(func(_ string, r *tracked, _ time.Time) bool {
				if !r.ended {
					running++
				}
				return true
			})
			assert.Equal(t, running, tr.Running())
		}
	})
}

func TestARefusedEndIsAnEndAgain(t *testing.T) {
	t.Parallel()
	tr := NewTracker(Limits{Runs: 9, Datasets: 3, Timeout: time.Hour}, func() time.Time { return noon })
	tr.Observe(ev(event.Start, "a", 0, 1))
	first, _ := tr.Observe(ev(event.Complete, "a", 1, 2))
	again, _ := tr.Observe(ev(event.Complete, "a", 1, 2))
	other, _ := tr.Observe(ev(event.Complete, "a", 2, 3))
	assert.Equal(t, first, again)
	assert.True(t, again.Ends)
	assert.False(t, other.Ends)
	assert.True(t, other.Late)
	assert.Equal(t, first.Run.End, other.Run.End)
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	tr := NewTracker(Limits{Runs: 100, Datasets: 3, Timeout: time.Hour}, func() time.Time { return noon })
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			run := string(rune('a' + i%10))
			tr.Observe(ev(event.Start, run, 0, byte(i+1)))
			tr.Observe(ev(event.Complete, run, 1, byte(i+100)))
			tr.Overdue(10)
		})
	}
	all.Wait()
	require.Zero(t, tr.Running())
}

func TestUpstreamIsReadAsPythonPrintsIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"[]": nil, "": nil, "['a']": {"d.a"}, "['a', 'g.b']": {"d.a", "d.g.b"}, `["a"]`: {"d.a"},
	} {
		assert.Equal(t, want, upstream(text, "d"), text)
	}
}
