package classify_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/classify"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

func rule(change func(*classify.Rule)) classify.Rule {
	r := classify.Rule{Name: "mine", Class: "transient_failure", Confidence: 0.5, Priority: 30, When: `error.type == "e"`}
	change(&r)
	return r
}

func TestWrongRulesAreNamed(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*classify.Rule){
		`("My rule"): name:`:                      func(r *classify.Rule) { r.Name = "My rule" },
		`("mine"): class: "flaky"`:                func(r *classify.Rule) { r.Class = "flaky" },
		`("mine"): confidence: 0 `:                func(r *classify.Rule) { r.Confidence = 0 },
		`("mine"): confidence: 1.5`:               func(r *classify.Rule) { r.Confidence = 1.5 },
		`("mine"): priority: -1`:                  func(r *classify.Rule) { r.Priority = -1 },
		`("mine"): when: a condition`:             func(r *classify.Rule) { r.When = "" },
		`("mine"): when: unknown name`:            func(r *classify.Rule) { r.When = `err.type == "x"` },
		`("mine"): when: type classify.Error has`: func(r *classify.Rule) { r.When = `error.typ == "x"` },
		`("mine"): when: expected bool`:           func(r *classify.Rule) { r.When = `error.type` },
		`("mine"): why:`:                          func(r *classify.Rule) { r.Why = strings.Repeat("x", 257) },
		`("mine"): disabled: there is`:            func(r *classify.Rule) { r.Disabled = true },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			_, err := classify.Compile([]classify.Rule{rule(change)})
			assert.ErrorContains(t, err, "rule 1 "+want)
		})
	}
}

func failed(typ, message string) *observation.Observation {
	return &observation.Observation{
		Kind: observation.RunState, Polarity: observation.Problem, Error: &observation.Error{Type: typ, Message: message},
		Entity: entity.Ref{Kind: entity.Job, Namespace: "n", Name: "j"}, Run: &observation.Run{ID: "r", Phase: observation.PhaseFailed, Attempt: 2},
	}
}

func TestWhichRuleDecides(t *testing.T) {
	t.Parallel()
	named := func(name string, priority int, confidence float64) classify.Rule {
		return rule(func(r *classify.Rule) { r.Name, r.Priority, r.Confidence = name, priority, confidence })
	}
	for _, tt := range []struct {
		name  string
		rules []classify.Rule
		want  string
	}{
		{"the higher priority", []classify.Rule{named("a", 30, 1), named("b", 31, 0.1)}, "b"},
		{"then the more confident", []classify.Rule{named("a", 30, 0.4), named("b", 30, 0.5)}, "b"},
		{"then the first by name", []classify.Rule{named("b", 30, 0.5), named("a", 30, 0.5)}, "a"},
		{"a later rule of the same name replaces", []classify.Rule{named("a", 40, 1), named("b", 30, 1), named("a", 20, 1)}, "b"},
		{"a rule is taken out", []classify.Rule{named("a", 40, 1), named("b", 30, 1), {Name: "a", Disabled: true}}, "b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := classify.Compile(tt.rules)
			require.NoError(t, err)
			assert.Equal(t, tt.want, s.Classify(failed("E", ""), nil).Rule)
		})
	}
}

func TestARuleThatFailsIsSkippedAndCounted(t *testing.T) {
	t.Parallel()
	s, err := classify.Compile([]classify.Rule{
		rule(func(r *classify.Rule) { r.Name, r.Priority, r.When = "broken", 50, `error.causes[7] == "x"` }),
		rule(func(*classify.Rule) {}),
	})
	require.NoError(t, err)
	var broken []string
	s.Failed = func(rule string) { broken = append(broken, rule) }
	assert.Equal(t, "mine", s.Classify(failed("E", ""), nil).Rule)
	assert.Equal(t, []string{"broken"}, broken)
}

func TestRulesSeeTheContext(t *testing.T) {
	t.Parallel()
	o := failed("acme.Err", "Exit status 137")
	o.Run.Target = &observation.Target{Kind: "airflow"}
	o.Attributes = map[string]string{"team": "x"}
	for _, when := range []string{
		`kind == "run_state" and run.state == "failed" and run.attempt == 2 and not run.confirmed`,
		`platform == "airflow" and entity.kind == "job" and entity.name == "j"`,
		`error.type == "err" and error.full_type == "acme.err" and error.exit_code == 137 and error.signal == 9`,
		`attributes["team"] == "x" and attributes["none"] == ""`,
	} {
		s, err := classify.Compile([]classify.Rule{rule(func(r *classify.Rule) { r.When = when })})
		require.NoError(t, err)
		assert.NotNil(t, s.Classify(o, nil), when)
	}
}

func TestWhatIsNotAFailure(t *testing.T) {
	t.Parallel()
	s, err := classify.Compile(classify.Default())
	require.NoError(t, err)
	table := entity.Ref{Kind: entity.Dataset, Namespace: "n", Name: "t"}
	job := entity.Ref{Kind: entity.Job, Namespace: "n", Name: "j"}
	series := func(metric, reason string, value, expected float64) *observation.Series {
		return &observation.Series{Metric: metric, Reason: reason, Active: true, Value: value, Expected: expected}
	}
	for _, tt := range []struct {
		name string
		o    observation.Observation
		want string
	}{
		{"a small load", observation.Observation{Kind: observation.Anomaly, Entity: table, Series: series("data.dataset.load.rows", "drop", 100, 1000)}, "data_quality_breach"},
		{"old data", observation.Observation{Kind: observation.Anomaly, Entity: table, Series: series("data.staleness.age", "spike", 9000, 600)}, "upstream_delay"},
		{"data younger than usual is no delay", observation.Observation{Kind: observation.Anomaly, Entity: table, Series: series("data.staleness.age", "drop", 1, 600)}, ""},
		{"a table that grew", observation.Observation{Kind: observation.Anomaly, Entity: table, Series: series("data.dataset.rows", "spike", 2000, 1000)}, ""},
		{"a table that shrank", observation.Observation{Kind: observation.Anomaly, Entity: table, Series: series("data.dataset.rows", "drop", 10, 1000)}, "data_quality_breach"},
		{"a measure of one's own", observation.Observation{Kind: observation.Anomaly, Entity: table, Series: series("shop.orders.null_share", "spike", 0.4, 0)}, "data_quality_breach"},
		{"a pool that is in use", observation.Observation{Kind: observation.Anomaly, Series: series("data.platform.pool.open_slots", "drop", 100, 128)}, ""},
		{"a pool that is full", observation.Observation{Kind: observation.Anomaly, Series: series("data.platform.pool.open_slots", "drop", 0, 128)}, "resource_exhaustion"},
		{"a late run", observation.Observation{Kind: observation.Anomaly, Entity: job, Series: series("data.pipeline.lateness", "spike", 900, 0)}, "upstream_delay"},
		{"a slow run is no trouble of a known class", observation.Observation{Kind: observation.Anomaly, Entity: job, Series: series("data.pipeline.run.duration", "spike", 900, 60)}, ""},
		{"a failed check", observation.Observation{Kind: observation.Assertion, Entity: table, Assertion: &observation.Check{Name: "c"}}, "data_quality_breach"},
		{"a passed check", observation.Observation{Kind: observation.Assertion, Entity: table, Assertion: &observation.Check{Name: "c", Success: true}}, ""},
		{"a dropped column", observation.Observation{Kind: observation.SchemaChange, Entity: table, Schema: &observation.SchemaDiff{Dropped: []string{"a"}}}, "data_quality_breach"},
		{"a new column", observation.Observation{Kind: observation.SchemaChange, Entity: table, Schema: &observation.SchemaDiff{Added: []string{"a"}}}, ""},
		{"a symptom", observation.Observation{Kind: observation.RunState, Entity: job, Run: &observation.Run{Phase: observation.PhaseUpstream}}, ""},
		{"a definition that does not load", observation.Observation{Kind: observation.PlatformState, Error: &observation.Error{Type: "OddError", Message: "x"}}, "deterministic_bug"},
		{"names mean nothing", observation.Observation{
			Kind: observation.RunState, Run: &observation.Run{Phase: observation.PhaseFailed}, Error: &observation.Error{Type: "RuntimeError", Message: "no"},
			Entity: entity.Ref{Kind: entity.Job, Namespace: "n", Name: "transient_503_timeout"},
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := s.Classify(&tt.o, nil)
			if tt.want == "" {
				assert.Nil(t, h)
				return
			}
			require.NotNil(t, h)
			assert.Equal(t, tt.want, h.Class)
			assert.NotEmpty(t, h.Why)
		})
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rules.yaml")
	require.NoError(t, os.WriteFile(file, []byte("rules:\n  - {name: mine, class: unknown, confidence: 1, priority: 99, when: 'true'}\n"), 0o600))
	rules, err := classify.Load(file)
	require.NoError(t, err)
	assert.Equal(t, "mine", rules[0].Name)
	require.NoError(t, os.WriteFile(file, []byte("rules:\n  - {whenn: mine}\n"), 0o600))
	_, err = classify.Load(file)
	require.ErrorContains(t, err, "whenn")
	_, err = classify.Load(file + "x")
	require.Error(t, err)
}

func FuzzClassify(f *testing.F) {
	s, err := classify.Compile(classify.Default())
	require.NoError(f, err)
	for _, c := range corpus(f, "developed.yaml") {
		f.Add(c.Type, c.Message, c.Stack)
	}
	f.Fuzz(func(t *testing.T, typ, message, stack string) {
		c := sample{Type: typ, Message: message, Stack: stack}
		first, _ := class(s, c)
		again, _ := class(s, c)
		require.Equal(t, first, again)
	})
}

func BenchmarkClassify(b *testing.B) {
	s, err := classify.Compile(classify.Default())
	require.NoError(b, err)
	long := strings.Repeat("loaded data from the source table into file of rows and partitions for input ", 25)
	chain := "Traceback (most recent call last):\n" + strings.Repeat("acme.LoadError: "+long+"\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n", 7) + "acme.LoadError: " + long
	for _, text := range []struct{ name, message, stack string }{
		{"status", "503 Server Error: Service Unavailable for url: http://orders:8080/v1/orders", ""},
		{"unknown", "it did not work", ""},
		{"2KiB", long, ""},
		{"chain", long, chain},
	} {
		o := failed("RuntimeError", text.message)
		o.Error.Stacktrace = text.stack
		b.Run(text.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Classify(o, nil)
			}
		})
	}
	// The mean over texts as they come.
	all := corpus(b, "measured.yaml")
	b.Run("measured", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			class(s, all[i%len(all)])
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, err := classify.Compile(classify.Default())
		require.NoError(b, err)
	}
}
