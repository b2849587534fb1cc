package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func retry() Facts {
	return Facts{Action: "airflow.clear_task", Class: "transient_failure", Confidence: .9, Kind: "job", Namespace: "default", Name: "d.t", Confirmed: true, Attempt: 1}
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	allow := Rule{Name: "all", Effect: Allow}
	for name, tc := range map[string]struct {
		rules  []Rule
		effect Effect
		policy string
	}{
		"nothing allows":                {nil, Deny, "none"},
		"one allows":                    {[]Rule{allow}, Allow, "all"},
		"deny wins, whatever the order": {[]Rule{{Name: "no", Effect: Deny, When: `namespace == "default"`}, allow}, Deny, "no"},
		"deny wins over escalate":       {[]Rule{{Name: "ask", Effect: Escalate}, {Name: "no", Effect: Deny}, allow}, Deny, "no"},
		"escalate wins over allow":      {[]Rule{allow, {Name: "ask", Effect: Escalate, When: "attempt < 2"}}, Escalate, "ask"},
		"a condition that is not met":   {[]Rule{{Name: "x", Effect: Allow, When: `glob("fin_*", name)`}}, Deny, "none"},
		"glob":                          {[]Rule{{Name: "x", Effect: Allow, When: `glob("d.*", name)`}}, Allow, "x"},
		"an error denies":               {[]Rule{allow, {Name: "bad", Effect: Allow, When: `glob("[", name)`}}, Deny, "bad"},
		"defaults":                      {Defaults(), Allow, "default.retry-transient"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := Compile(tc.rules)
			require.NoError(t, err)
			got := set.Evaluate(retry())
			assert.Equal(t, tc.effect, got.Effect)
			assert.Equal(t, tc.policy, got.Policy)
			assert.Equal(t, name == "an error denies", got.Err != nil)
		})
	}
}

func TestDefaultsAllowNothingElse(t *testing.T) {
	t.Parallel()
	set, err := Compile(Defaults())
	require.NoError(t, err)
	for name, change := range map[string]func(*Facts){
		"a deterministic bug": func(f *Facts) { f.Class = "deterministic_bug" },
		"a credential":        func(f *Facts) { f.Class = "credential_failure" },
		"unknown":             func(f *Facts) { f.Class = "unknown" },
		"low confidence":      func(f *Facts) { f.Confidence = .5 },
		"hearsay":             func(f *Facts) { f.Confirmed = false },
		"another action":      func(f *Facts) { f.Action = "airflow.trigger_dag" },
	} {
		f := retry()
		change(&f)
		assert.Equal(t, Deny, set.Evaluate(f).Effect, name)
	}
	f := retry()
	f.BlastRadius = 501
	assert.Equal(t, Escalate, set.Evaluate(f).Effect)
}

func TestBadPoliciesAreFoundAtStart(t *testing.T) {
	t.Parallel()
	for want, rule := range map[string]Rule{
		"name is empty":            {Effect: Allow},
		"effect \"maybe\" is none": {Name: "x", Effect: "maybe"},
		"unknown name colour":      {Name: "x", Effect: Allow, When: `colour == "red"`},
		"mismatched types":         {Name: "x", Effect: Allow, When: `attempt == "one"`},
		"expected bool":            {Name: "x", Effect: Allow, When: `attempt + 1`},
		"conditions have no loops": {Name: "x", Effect: Deny, When: `len(filter(1..1000000, # > 1)) > 1`},
		"unknown name now":         {Name: "x", Effect: Deny, When: `now() > now()`},
	} {
		_, err := Compile([]Rule{rule})
		require.ErrorContains(t, err, "policies[0]", want)
		require.ErrorContains(t, err, want)
	}
	_, err := Compile([]Rule{{Name: "x", Effect: Allow}, {Name: "x", Effect: Deny}})
	require.ErrorContains(t, err, `policies[1]: name "x" stands twice`)
}

func TestHashNamesThePolicies(t *testing.T) {
	t.Parallel()
	a, err := Compile([]Rule{{Name: "x", Effect: Allow}})
	require.NoError(t, err)
	b, err := Compile([]Rule{{Name: "x", Effect: Deny}})
	require.NoError(t, err)
	assert.NotEqual(t, a.Hash(), b.Hash())
}

func TestSetTimeIsUTC(t *testing.T) {
	t.Parallel()
	var f Facts
	f.SetTime(time.Date(2026, 1, 5, 0, 30, 0, 0, time.FixedZone("CET", 3600)))
	assert.Equal(t, 23, f.Hour)
	assert.Equal(t, "sunday", f.Weekday)
}

func BenchmarkEvaluate(b *testing.B) {
	set, err := Compile(Defaults())
	require.NoError(b, err)
	f := retry()
	b.ReportAllocs()
	for b.Loop() {
		set.Evaluate(f)
	}
}
