package execution_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/conformance"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/execution"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/metadatatest"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/platform"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
)

const bump = action.Type("memory.bump")

// scene is an executor with a platform in memory and a store.
type scene struct {
	memory *memory
	clock  *conformance.Clock
	store  *conformance.Store
	set    execution.Settings
	tel    *componenttest.Telemetry
	x      *execution.Executor
}

func newScene(t *testing.T, edit func(*execution.Settings), plans ...action.Plan) *scene {
	t.Helper()
	if len(plans) == 0 {
		plans = []action.Plan{plan("plan-1", "a", bump)}
	}
	s := &scene{memory: &memory{}, clock: conformance.NewClock(), set: conformance.Settings(), tel: componenttest.NewTelemetry()}
	s.store = conformance.NewStore(s.clock, plans...)
	if edit != nil {
		edit(&s.set)
	}
	s.x = s.executor(t, s.clock)
	t.Cleanup(func() { require.NoError(t, s.tel.Shutdown(context.Background())) })
	return s
}

func (s *scene) executor(t *testing.T, clock execution.Clock) *execution.Executor {
	t.Helper()
	tel, err := metadata.NewTelemetryBuilder(s.tel.NewTelemetrySettings())
	require.NoError(t, err)
	sites := []execution.Site{{Platform: "memory", Instance: "one", Adapter: s.memory}}
	return execution.New(s.set, s.store, sites, clock, tel, zap.NewNop())
}

func (s *scene) round(t *testing.T) {
	t.Helper()
	s.x.Round(t.Context(), t.Context())
	s.x.Wait()
}

func (s *scene) result(t *testing.T, id string) action.Result {
	t.Helper()
	r := s.store.Plan(id).Result
	require.NotNil(t, r, "released %+v", s.store.Releases())
	return *r
}

func point(n int64, kv ...string) metricdata.DataPoint[int64] {
	var attrs []attribute.KeyValue
	for i := 0; i < len(kv); i += 2 {
		attrs = append(attrs, attribute.String(kv[i], kv[i+1]))
	}
	return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attrs...)}
}

// A request of a process that was killed lands late, after the next process has
// first looked: its effect must be found, and nothing sent.
func TestAnOldRequestStillInTheAirIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	lease := first(t, s.store)
	require.NoError(t, s.store.Begin(t.Context(), lease, action.Intent{
		At: s.clock.Now(), Executor: "killed", Before: map[string]string{"version": "0"},
	}))
	s.clock.Advance(s.set.CallTimeout / 2)
	require.NoError(t, s.store.Release(t.Context(), lease, "test", 0))
	calls := 0
	s.memory.onCall = func() error { calls++; return nil }
	late := &landing{Clock: s.clock, land: func() { s.memory.version++ }}
	s.x = s.executor(t, late)
	s.round(t)
	require.Equal(t, action.Succeeded, s.result(t, "plan-1").Status)
	assert.True(t, s.result(t, "plan-1").Found)
	assert.Zero(t, calls)
	assert.Equal(t, 1, s.memory.version)
	assert.Equal(t, []time.Duration{s.set.CallTimeout / 2}, late.slept)
}

// landing lets something happen while the executor sleeps.
type landing struct {
	*conformance.Clock
	land  func()
	slept []time.Duration
}

func (l *landing) Sleep(ctx context.Context, d time.Duration) error {
	l.slept = append(l.slept, d)
	l.land()
	return l.Clock.Sleep(ctx, d)
}

func first(t *testing.T, s *conformance.Store) action.Lease {
	t.Helper()
	leases, err := s.Lease(t.Context(), "other", 1, time.Minute)
	require.NoError(t, err)
	require.Len(t, leases, 1)
	return leases[0]
}

func TestNothingIsSentUnlessTheIntentIsAccepted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err      error
		reason   string
		releases int
	}{
		{reliability.ErrRefused, "refused", 0},
		{reliability.ErrStaleFence, "stale_lease", 0},
		{reliability.ErrNotDurable, "not_durable", 1},
		{context.DeadlineExceeded, "cancelled", 0},
		{errors.New("disk full"), "error", 0},
	} {
		for _, stored := range []bool{false, true} {
			t.Run(c.reason, func(t *testing.T) {
				t.Parallel()
				s := newScene(t, func(set *execution.Settings) { set.RateLimit = 1 })
				s.store.Fail = func(op string, after bool) error {
					if op == "begin" && after == stored {
						return c.err
					}
					return nil
				}
				s.round(t)
				assert.Zero(t, s.memory.version)
				assert.Nil(t, s.store.Plan("plan-1").Result)
				assert.Len(t, s.store.Releases(), c.releases)
				metadatatest.AssertEqualRemediationBeginsRefused(t, s.tel,
					[]metricdata.DataPoint[int64]{point(1, "action", "memory.bump", "reason", c.reason)}, metricdatatest.IgnoreTimestamp())

				s.store.Fail = nil
				s.clock.Advance(2 * s.set.LeaseTTL)
				s.round(t)
				assert.Equal(t, action.Succeeded, s.result(t, "plan-1").Status, "a refused begin uses up no rate")
				assert.Equal(t, 1, s.memory.version)
			})
		}
	}
}

func TestWhatTheAnswerMeans(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind   platform.Kind
		status action.ResultStatus // "" where it is released
		why    string
		metric string
	}{
		{platform.Gone, action.VoidWorld, "gone", "void"},
		{platform.Forbidden, action.Failed, "forbidden", "failed"},
		{platform.Refused, action.Failed, "refused", "failed"},
		{platform.Conflict, action.VoidWorld, "changed", "void"},
		{platform.Unreachable, "", "platform_unreachable", "no_effect"},
		{platform.Unauthenticated, "", "platform_unreachable", "no_effect"},
		{platform.Throttled, "", "rate_limited", "no_effect"},
		{platform.Unclear, "", "backoff", "no_effect"},
	} {
		t.Run(c.metric+" "+c.why, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, nil)
			calls := 0
			s.memory.onCall = func() error {
				calls++
				return &platform.Error{Kind: c.kind, Wait: 7 * time.Second, Err: errors.New("said so")}
			}
			s.round(t)
			require.Equal(t, 1, calls, "one lease, one call")
			if c.status == "" {
				require.Len(t, s.store.Releases(), 1)
				assert.Equal(t, c.why, s.store.Releases()[0].Why)
				assert.GreaterOrEqual(t, s.store.Releases()[0].Wait, 5*time.Second)
			} else {
				assert.Equal(t, c.status, s.result(t, "plan-1").Status)
				assert.Equal(t, c.why, s.result(t, "plan-1").Why)
				assert.Equal(t, "said so", s.result(t, "plan-1").Detail)
			}
			metadatatest.AssertEqualRemediationCalls(t, s.tel,
				[]metricdata.DataPoint[int64]{point(1, "action", "memory.bump", "result", c.metric)}, metricdatatest.IgnoreTimestamp())
		})
	}
}

func TestAConflictWithItsOwnEffectIsASuccess(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.memory.onCall = func() error {
		s.memory.version++
		return platform.Errorf(platform.Conflict, "it is there")
	}
	s.round(t)
	assert.Equal(t, action.Succeeded, s.result(t, "plan-1").Status)
	assert.True(t, s.result(t, "plan-1").Found)
}

func TestThrottlingIsWaitedOutAsLongAsAsked(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.memory.onCall = func() error {
		return &platform.Error{Kind: platform.Throttled, Wait: 3 * time.Minute, Err: errors.New("later")}
	}
	s.round(t)
	require.Len(t, s.store.Releases(), 1)
	assert.Equal(t, 3*time.Minute, s.store.Releases()[0].Wait)
}

func TestATargetThatTellsNothingGoesToAPerson(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.memory.onCall = func() error {
		s.memory.puzzling = true
		return errors.New("no platform error at all")
	}
	s.round(t)
	r := s.result(t, "plan-1")
	assert.Equal(t, action.Unclear, r.Status)
	assert.Contains(t, r.Detail, "does not tell")
	metadatatest.AssertEqualRemediationCalls(t, s.tel,
		[]metricdata.DataPoint[int64]{point(1, "action", "memory.bump", "result", "unclear")}, metricdatatest.IgnoreTimestamp())
}

func TestAPanicIsUnclear(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"call", "read"} {
		s := newScene(t, nil)
		if where == "call" {
			s.memory.onCall = func() error { panic("boom") }
		} else {
			s.memory.onRead = func() { panic("boom") }
		}
		s.round(t)
		assert.Equal(t, action.Unclear, s.result(t, "plan-1").Status, where)
		metadatatest.AssertEqualRemediationPanics(t, s.tel,
			[]metricdata.DataPoint[int64]{point(1, "action", "memory.bump")}, metricdatatest.IgnoreTimestamp())
	}
}

func TestCallsWithoutEffectAreNotRepeatedForEver(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(set *execution.Settings) { set.MaxAttempts = 3 })
	calls := 0
	s.memory.onCall = func() error { calls++; return platform.Errorf(platform.Unclear, "500") }
	for range 5 {
		s.round(t)
		s.clock.Advance(time.Hour)
	}
	assert.Equal(t, 3, calls)
	assert.Equal(t, action.Failed, s.result(t, "plan-1").Status)
	assert.Contains(t, s.result(t, "plan-1").Detail, "3 calls had no effect")
}

// A result is the only trace of a call, so it is reported until it is stored.
func TestAResultIsReportedUntilItIsStored(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{false, true} {
		s := newScene(t, nil)
		failures := 3
		s.store.Fail = func(op string, after bool) error {
			if op == "complete" && after == stored && failures > 0 {
				failures--
				return errors.New("disk full")
			}
			return nil
		}
		s.round(t)
		assert.Equal(t, action.Succeeded, s.result(t, "plan-1").Status)
		assert.Equal(t, 1, s.memory.version)
		metadatatest.AssertEqualRemediationStoreFailures(t, s.tel,
			[]metricdata.DataPoint[int64]{point(3)}, metricdatatest.IgnoreTimestamp())
	}
}

func TestALostLeaseIsNotReportedOn(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.memory.onCall = func() error { s.store.Steal("plan-1"); return nil }
	s.round(t)
	assert.Nil(t, s.store.Plan("plan-1").Result)
	metadatatest.AssertEqualRemediationLeasesLost(t, s.tel,
		[]metricdata.DataPoint[int64]{point(1, "action", "memory.bump")}, metricdatatest.IgnoreTimestamp())
}

func TestALeaseIsRenewedWhileACallIsUnderWay(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.memory.onCall = func() error {
		require.Eventually(t, func() bool { s.clock.Fire(); return s.store.Renewals() >= 2 }, 5*time.Second, time.Millisecond)
		return nil
	}
	s.round(t)
	assert.Equal(t, action.Succeeded, s.result(t, "plan-1").Status)
}
