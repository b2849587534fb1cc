// Package conformance is the suite that every platform's adapter must pass
// before it is trusted to act: whatever the platform answers, and wherever the
// collector is killed, each plan has its effect once.
package conformance

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/execution"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/platform"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
)

// Answer is how a target deals with one request that would change something.
type Answer int

const (
	Confirm       Answer = iota // does it and says so
	FailBefore                  // 500 or the like, and nothing done
	FailAfter                   // the same, and it is done
	HangBefore                  // never answers, nothing done
	HangAfter                   // never answers, and it is done
	BreakBefore                 // breaks the connection, nothing done
	BreakAfter                  // the same, and it is done
	HalfAfter                   // does it and breaks off in the middle of the answer
	NonsenseAfter               // does it and answers with something that cannot be read
	Throttle                    // asks to come back later, nothing done
	Unauthorized                // refuses the login, nothing done
	answers
)

func (a Answer) String() string {
	return [...]string{"confirm", "fail before", "fail after", "hang before", "hang after", "break before", "break after",
		"half answer", "nonsense", "throttle", "unauthorized"}[a]
}

// Does says whether the request takes effect.
func (a Answer) Does() bool {
	switch a {
	case Confirm, FailAfter, HangAfter, BreakAfter, HalfAfter, NonsenseAfter:
		return true
	}
	return false
}

// World is a fake of one platform, that behaves as the real one was seen to.
type World interface {
	// Adapter gives an adapter that talks to the target, as each process makes its own.
	Adapter() platform.Adapter
	// Plan gives a plan that fits the target as it is now.
	Plan(t action.Type) action.Plan
	// Effects counts how often the effect of p has taken place.
	Effects(p action.Plan) int
	// Script says how the next requests that change something are dealt with; those
	// after them are confirmed. Seen is called for each, before anything is done and,
	// where the answer does it, once more after.
	Script(answers []Answer, seen func(done bool))
	// Down makes the platform not answer at all, or answer again.
	Down(down bool)
	// Drift changes the target of p to one that no longer fits it, for each reason
	// that the platform has: the next of them, or "" when there are no more.
	Drift(p action.Plan, n int) (why string)
}

// Settings of executors in the suite. Requests have a real timeout, as the
// connection is real; everything else goes by the clock of the suite.
func Settings() execution.Settings {
	everything, err := execution.NewScope("*", "*")
	if err != nil {
		panic(err)
	}
	return execution.Settings{
		Name: "remediation", Act: []execution.Scope{everything},
		PollInterval: 5 * time.Second, LeaseTTL: time.Minute, CallTimeout: 400 * time.Millisecond,
		MaxConcurrent: 2, MaxAttempts: 20, RateLimit: 100, Cooldown: time.Minute,
	}
}

// Run runs the suite for every action of the adapter.
func Run(t *testing.T, newWorld func(t *testing.T) World) {
	for _, kind := range newWorld(t).Adapter().Actions() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := suite{kind: kind, world: newWorld}
			t.Run("acts once", s.actsOnce)
			t.Run("killed at every step", s.killedAtEveryStep)
			t.Run("killed in the call", s.killedInTheCall)
			t.Run("every answer", s.everyAnswer)
			t.Run("drifted", s.drifted)
			t.Run("unreachable", s.unreachable)
			t.Run("anything", s.anything)
		})
	}
}

type suite struct {
	kind  action.Type
	world func(t *testing.T) World
}

// scene is one plan, one target and the store that outlives processes.
type scene struct {
	World
	clock *Clock
	store *Store
	plan  action.Plan
	site  execution.Site
}

func (s suite) scene(t *testing.T) *scene {
	w, clock := s.world(t), NewClock()
	plan := w.Plan(s.kind)
	return &scene{
		World: w, clock: clock, plan: plan, store: NewStore(clock, plan),
		site: execution.Site{Platform: plan.Target.Kind, Instance: plan.Target.Instance},
	}
}

// process runs one process for one round; it dies at the given step.
func (s *scene) process(dieAt int) *process {
	p := newProcess(s.store, s.Adapter(), dieAt)
	p.run(Settings(), s.site, s.clock)
	return p
}

// finish runs processes that live until the plan has a result.
func (s *scene) finish(t require.TestingT) action.Result {
	for range 40 {
		if r := s.store.Plan(s.plan.ID).Result; r != nil {
			return *r
		}
		s.clock.Advance(10 * time.Minute) // past any lease and wait
		s.process(0)
	}
	require.Fail(t, "the plan never came to a result", "%+v, released %+v", s.store.Plan(s.plan.ID), s.store.Releases())
	return action.Result{}
}

// once checks that the effect took place once, and that this is known.
func (s *scene) once(t require.TestingT, context ...any) {
	r := s.finish(t)
	require.Equal(t, action.Succeeded, r.Status, "%v: %+v", context, r)
	require.Equal(t, 1, s.Effects(s.plan), "%v: effects at the target; %+v", context, r)
}

func (s suite) actsOnce(t *testing.T) {
	w := s.scene(t)
	w.process(0)
	r := w.store.Plan(w.plan.ID).Result
	require.NotNil(t, r)
	assert.Equal(t, action.Succeeded, r.Status)
	assert.False(t, r.Found)
	assert.Equal(t, 1, w.Effects(w.plan))
	assert.NotEmpty(t, w.store.Plan(w.plan.ID).Intent.Before)
	w.process(0)
	assert.Equal(t, 1, w.Effects(w.plan), "a plan that is done is not done again")
}

func (s suite) killedAtEveryStep(t *testing.T) {
	steps := s.scene(t).process(0).steps
	require.Positive(t, steps)
	for step := 1; step <= steps; step++ {
		w := s.scene(t)
		require.True(t, w.process(step).isDead())
		w.once(t, "killed at step", step)
		w = s.scene(t)
		w.process(step)
		w.clock.Advance(2 * time.Minute)
		w.process(step)
		w.once(t, "killed twice at step", step)
	}
}

func (s suite) killedInTheCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		w := s.scene(t)
		p := newProcess(w.store, w.Adapter(), 0)
		w.Script([]Answer{HangAfter}, func(done bool) {
			if done == after {
				p.kill()
			}
		})
		p.run(Settings(), w.site, w.clock)
		require.True(t, p.isDead())
		w.once(t, "killed in the call, after its effect:", after)
		assert.True(t, w.store.Plan(w.plan.ID).Result.Found)
	}
}

func (s suite) everyAnswer(t *testing.T) {
	for a := range answers {
		for _, script := range [][]Answer{{a}, {a, a}} {
			w := s.scene(t)
			w.Script(script, nil)
			w.process(0)
			if a.Does() {
				r := w.store.Plan(w.plan.ID).Result
				require.NotNil(t, r, "%s: the target told at once", a)
				assert.Equal(t, a != Confirm, r.Found, a)
			}
			w.once(t, script)
		}
	}
}

// drifted: a target that is no longer what the plan was made for is left alone.
func (s suite) drifted(t *testing.T) {
	for n := 0; ; n++ {
		w := s.scene(t)
		why := w.Drift(w.plan, n)
		if why == "" {
			require.Positive(t, n, "a platform has at least one reason")
			return
		}
		w.process(0)
		r := w.store.Plan(w.plan.ID).Result
		require.NotNil(t, r, why)
		assert.Equal(t, action.VoidWorld, r.Status, "%s: %+v", why, r)
		assert.Equal(t, why, r.Why, "%+v", r)
		assert.Zero(t, w.store.Begins(), "nothing was begun")
		assert.Zero(t, w.Effects(w.plan))
	}
}

func (s suite) unreachable(t *testing.T) {
	w := s.scene(t)
	w.Down(true)
	p := w.process(0)
	assert.Zero(t, w.Effects(w.plan))
	assert.Zero(t, w.store.Begins())
	can := w.store.Registered(Settings().Name)
	require.NotEmpty(t, can)
	assert.False(t, can[0].Reachable)
	assert.NotEmpty(t, can[0].Detail)
	require.Len(t, w.store.Releases(), 1)
	assert.Equal(t, "platform_unreachable", w.store.Releases()[0].Why)
	assert.Positive(t, w.store.Releases()[0].Wait)
	require.False(t, p.isDead())

	w.Down(false)
	w.once(t, "after it came back")
	assert.True(t, w.store.Registered(Settings().Name)[0].Reachable)
}

// anything: some processes that die anywhere, against a target that does
// anything, and one at the end that lives.
func (s suite) anything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := s.scene(t)
		script := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, int(answers)-1), func(i int) Answer { return Answer(i) }), 0, 4).Draw(rt, "answers")
		deaths := rapid.SliceOfN(rapid.IntRange(1, 20), 0, 4).Draw(rt, "dies at step")
		waits := rapid.SliceOfN(rapid.IntRange(0, 180), len(deaths), len(deaths)).Draw(rt, "restarts after seconds")
		inCall := rapid.IntRange(0, 4).Draw(rt, "dies in call")
		calls := 0
		var running *process
		w.Script(script, func(bool) {
			if calls++; calls == inCall && running != nil {
				running.kill()
			}
		})
		for i, step := range deaths {
			running = newProcess(w.store, w.Adapter(), step)
			running.run(Settings(), w.site, w.clock)
			w.clock.Advance(time.Duration(waits[i]) * time.Second)
		}
		running = nil
		w.once(rt, fmt.Sprint(script, deaths, waits, inCall))
	})
}
