package execution_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/conformance"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/execution"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/metadatatest"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
)

// anyVersion is a plan that does not mind what version it finds.
func anyVersion(id, name string) action.Plan {
	p := plan(id, name, bump)
	p.Params = map[string]string{"any": "true"}
	return p
}

func TestCooldownIsForEachResource(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(set *execution.Settings) { set.MaxConcurrent = 1 },
		anyVersion("plan-1", "a"), anyVersion("plan-2", "a"), anyVersion("plan-3", "b"))
	s.round(t)
	s.clock.Advance(20 * time.Second)
	s.round(t)
	require.Equal(t, []conformance.Release{{Plan: "plan-2", Why: "cooldown", Wait: 40 * time.Second}}, s.store.Releases())
	s.round(t)
	assert.Equal(t, action.Succeeded, s.result(t, "plan-3").Status, "another resource")
	assert.Nil(t, s.store.Plan("plan-2").Result)
	s.clock.Advance(40 * time.Second)
	s.round(t)
	assert.Equal(t, action.Succeeded, s.result(t, "plan-2").Status)
	metadatatest.AssertEqualRemediationReleases(t, s.tel,
		[]metricdata.DataPoint[int64]{point(1, "action", "memory.bump", "reason", "cooldown")}, metricdatatest.IgnoreTimestamp())
}

func TestRateLimitIsForAnHour(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(set *execution.Settings) { set.RateLimit, set.MaxConcurrent = 2, 1 },
		anyVersion("plan-1", "a"), anyVersion("plan-2", "b"), anyVersion("plan-3", "c"))
	s.round(t)
	s.clock.Advance(20 * time.Minute)
	s.round(t)
	s.round(t)
	require.Equal(t, []conformance.Release{{Plan: "plan-3", Why: "rate_limited", Wait: 40 * time.Minute}}, s.store.Releases())
	s.clock.Advance(40*time.Minute - time.Second)
	s.round(t)
	assert.Nil(t, s.store.Plan("plan-3").Result)
	s.clock.Advance(time.Second)
	s.round(t)
	assert.Equal(t, action.Succeeded, s.result(t, "plan-3").Status)
	assert.Equal(t, 3, s.memory.version)
}

func TestAtMostSoManyAtATime(t *testing.T) {
	t.Parallel()
	var plans []action.Plan
	for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
		plans = append(plans, anyVersion("plan-"+id, id))
	}
	s := newScene(t, func(set *execution.Settings) { set.MaxConcurrent = 2 }, plans...)
	at, let := make(chan struct{}, 6), make(chan struct{})
	s.memory.onCall = func() error { at <- struct{}{}; <-let; return nil }
	s.x.Round(t.Context(), t.Context())
	<-at
	<-at
	s.x.Round(t.Context(), t.Context())
	assert.Empty(t, at, "a full instance leases nothing")
	close(let)
	s.x.Wait()
	assert.Equal(t, 2, s.memory.version)
	assert.Empty(t, s.store.Releases())
}

func TestNothingIsDoneOutsideTheScopes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ action, resource string }{
		{"memory.other", "*"}, {"memory.bump", "test/b*"}, {"memory.bump", "a"}, {"bump", "test/a"},
	} {
		s := newScene(t, func(set *execution.Settings) {
			scope, err := execution.NewScope(c.action, c.resource)
			require.NoError(t, err)
			set.Act = []execution.Scope{scope}
		})
		s.round(t)
		assert.Zero(t, s.memory.version)
		require.Len(t, s.store.Releases(), 1)
		assert.Equal(t, "observing", s.store.Releases()[0].Why)
	}
	s := newScene(t, func(set *execution.Settings) { set.Act = nil })
	s.round(t)
	assert.Zero(t, s.memory.version)
	assert.Empty(t, s.store.Registered("remediation")[0].Act)
}

func TestItRegistersWhereItActs(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(set *execution.Settings) {
		set.Act = nil
		for _, p := range [][2]string{{"memory.*", "test/a*"}, {"other.*", "x"}, {"*", "test/b"}} {
			scope, err := execution.NewScope(p[0], p[1])
			require.NoError(t, err)
			set.Act = append(set.Act, scope)
		}
	})
	s.round(t)
	assert.Equal(t, []action.Capability{{
		Action: bump, Platform: "memory", Instance: "one", Act: []string{"test/a*", "test/b"}, Reachable: true,
	}}, s.store.Registered("remediation"))
	metadatatest.AssertEqualRemediationReachable(t, s.tel,
		[]metricdata.DataPoint[int64]{point(1, "instance", "memory/one")}, metricdatatest.IgnoreTimestamp())
}

func TestAPlanForAnotherInstanceGoesBack(t *testing.T) {
	t.Parallel()
	p := plan("plan-1", "a", bump)
	p.Target.Instance = "two"
	s := newScene(t, nil, p)
	s.round(t)
	require.Len(t, s.store.Releases(), 1)
	assert.Equal(t, "no_executor", s.store.Releases()[0].Why)
	assert.Zero(t, s.memory.version)
}

// A platform that is down is left alone for longer and longer.
func TestASilentPlatformIsAskedAgainLater(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.memory.down = true
	var waits []time.Duration
	for range 9 {
		s.round(t)
		last := s.store.Releases()[len(s.store.Releases())-1]
		assert.Equal(t, "platform_unreachable", last.Why)
		waits = append(waits, last.Wait)
		s.clock.Advance(last.Wait)
	}
	assert.IsNonDecreasing(t, waits)
	assert.Equal(t, 30*time.Second, waits[8])
	assert.False(t, s.store.Registered("remediation")[0].Reachable)
	assert.Contains(t, s.store.Registered("remediation")[0].Detail, "memory: down")
	s.memory.down = false
	s.round(t)
	assert.Equal(t, action.Succeeded, s.result(t, "plan-1").Status)
	assert.True(t, s.store.Registered("remediation")[0].Reachable)
}
