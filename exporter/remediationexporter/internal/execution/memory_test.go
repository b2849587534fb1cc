package execution_test

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/conformance"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/platform"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

// memory is a platform with one thing in it, which has a version and may be stopped.
type memory struct {
	mu      sync.Mutex
	version int
	stopped bool
	down    bool
	// puzzling: what it shows fits neither effect nor none.
	puzzling bool
	script   []conformance.Answer
	seen     func(bool)

	onRead func()
	onCall func() error
}

var (
	_ conformance.World = (*memory)(nil)
	_ platform.Adapter  = (*memory)(nil)
)

func (m *memory) Adapter() platform.Adapter { return m }

func (m *memory) Plan(t action.Type) action.Plan { return plan("plan-1", "a", t) }

func plan(id, name string, t action.Type) action.Plan {
	return action.Plan{
		ID: id, Action: t, Resource: entity.Ref{Kind: entity.Job, Namespace: "test", Name: name},
		Target: observation.Target{Kind: "memory", Instance: "one"}, Expect: map[string]string{"version": "0"},
	}
}

func (m *memory) Effects(action.Plan) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.version
}

func (m *memory) Script(a []conformance.Answer, seen func(bool)) { m.script, m.seen = a, seen }

func (m *memory) Down(down bool) { m.down = down }

func (m *memory) Drift(_ action.Plan, n int) string {
	if n > 0 {
		return ""
	}
	m.stopped = true
	return "paused"
}

func (m *memory) Actions() []action.Type { return []action.Type{"memory.bump"} }

func (m *memory) Ping(context.Context) error {
	if m.down {
		return platform.Errorf(platform.Unreachable, "memory: down")
	}
	return nil
}

func (m *memory) Read(ctx context.Context, _ action.Plan) (platform.State, error) {
	if err := m.Ping(ctx); err != nil {
		return nil, err
	}
	if m.onRead != nil {
		m.onRead()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return platform.State{"version": strconv.Itoa(m.version), "stopped": strconv.FormatBool(m.stopped)}, nil
}

func (m *memory) Judge(p action.Plan, now platform.State) (why, detail string) {
	switch {
	case now["stopped"] == "true":
		return "paused", "it is stopped"
	case p.Params["any"] == "" && now["version"] != p.Expect["version"]:
		return "changed", "it has another version"
	}
	return "", ""
}

func (m *memory) Compare(_ action.Plan, before, now platform.State) platform.Effect {
	if m.puzzling {
		return platform.Unknown
	}
	if before["version"] == now["version"] {
		return platform.Absent
	}
	return platform.Present
}

func (m *memory) Call(ctx context.Context, _ action.Plan, _ platform.State) (platform.State, error) {
	if m.onCall != nil {
		if err := m.onCall(); err != nil {
			return nil, err
		}
	}
	a := conformance.Confirm
	if len(m.script) > 0 {
		a, m.script = m.script[0], m.script[1:]
	}
	m.see(false)
	if a.Does() {
		m.mu.Lock()
		m.version++
		m.mu.Unlock()
		m.see(true)
	}
	switch a {
	case conformance.Confirm:
		return platform.State{}, ctx.Err()
	case conformance.Throttle:
		return nil, platform.Errorf(platform.Throttled, "memory: later")
	case conformance.Unauthorized:
		return nil, platform.Errorf(platform.Unauthenticated, "memory: who are you")
	case conformance.HangBefore, conformance.HangAfter:
		// The suite's clock stands still meanwhile, so there is nothing to wait for.
		return nil, platform.Errorf(platform.Unclear, "memory: %w", context.DeadlineExceeded)
	default:
		return nil, platform.Errorf(platform.Unclear, "memory: %s", a)
	}
}

func (m *memory) see(done bool) {
	if m.seen != nil {
		m.seen(done)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	conformance.Run(t, func(*testing.T) conformance.World { return &memory{} })
}
