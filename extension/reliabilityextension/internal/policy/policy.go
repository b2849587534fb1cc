// Package policy decides whether an action may be taken. Policies are expr-lang
// conditions over a typed description of the action: nothing is allowed unless
// one policy allows it, one that denies wins over all that allow, and one that
// fails to evaluate denies.
package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
	"github.com/gobwas/glob"
)

// Effect is what a matching policy does.
type Effect string

const (
	Allow    Effect = "allow"
	Deny     Effect = "deny"
	Escalate Effect = "escalate" // a person decides; wins over allow
)

// Rule is one policy as the user writes it.
type Rule struct {
	// Name appears in decisions and in the audit log.
	Name string `mapstructure:"name" json:"name"`
	// Effect is allow, deny or escalate.
	Effect Effect `mapstructure:"effect" json:"effect"`
	// When is an expr-lang condition over Facts; empty matches everything.
	When string `mapstructure:"when" json:"when"`
}

// Facts is what a condition can ask about. Every field always has a value, so
// a condition cannot be true because something is missing.
type Facts struct {
	Action      string  `expr:"action"`       // airflow.clear_task, …
	Class       string  `expr:"class"`        // class of the incident
	Confidence  float64 `expr:"confidence"`   // 0 to 1
	Kind        string  `expr:"kind"`         // kind of the root: job, dataset, …
	Namespace   string  `expr:"namespace"`    // of the root
	Name        string  `expr:"name"`         // of the root
	Resource    string  `expr:"resource"`     // what is acted on: kind:namespace/name
	Platform    string  `expr:"platform"`     // airflow
	Instance    string  `expr:"instance"`     // which installation
	Owner       string  `expr:"owner"`        // empty where nobody said
	Attempt     int     `expr:"attempt"`      // 1 for the first action on this run
	BlastRadius int     `expr:"blast_radius"` // entities downstream, seen in trouble or at risk
	Confirmed   bool    `expr:"confirmed"`    // the platform itself was asked about the failure
	Hour        int     `expr:"hour"`         // 0 to 23, UTC
	Weekday     string  `expr:"weekday"`      // monday, …, UTC
}

// Defaults allow what is safe to repeat: one more try of a run that failed for a
// passing reason, and the rerun of the load that brought bad data, while the
// class is likely and the platform itself confirms the state of the run.
func Defaults() []Rule {
	return []Rule{
		{Name: "default.retry-transient", Effect: Allow, When: `class == "transient_failure" && confidence >= 0.6 && confirmed && action in ["airflow.clear_task", "airflow.clear_task_downstream"]`},
		{Name: "default.retry-after-delay", Effect: Allow, When: `class == "upstream_delay" && confidence >= 0.6 && confirmed && action in ["airflow.clear_task", "airflow.clear_task_downstream"]`},
		{Name: "default.rerun-bad-load", Effect: Allow, When: `class == "data_quality_breach" && confidence >= 0.5 && confirmed && action == "airflow.clear_task_downstream"`},
		{Name: "default.wide-blast-radius", Effect: Escalate, When: `blast_radius > 500`},
	}
}

// Verdict is the outcome over all policies.
type Verdict struct {
	Effect Effect
	Policy string // the one that decided; "none" when nothing allows
	Err    error  // why evaluation failed; Effect is Deny then
}

type compiled struct {
	Rule
	program *vm.Program
}

// Set is a compiled list of policies, safe for concurrent use.
type Set struct {
	rules []compiled
	hash  string
}

// Compile checks and compiles rules. The error names the rule.
func Compile(rules []Rule) (*Set, error) {
	s := &Set{}
	sum := sha256.New()
	var errs []error
	names := map[string]bool{}
	for i, r := range rules {
		at := fmt.Sprintf("policies[%d]", i)
		if r.Name == "" {
			errs = append(errs, fmt.Errorf("%s: name is empty", at))
		}
		if names[r.Name] {
			errs = append(errs, fmt.Errorf("%s: name %q stands twice", at, r.Name))
		}
		names[r.Name] = true
		if !slices.Contains([]Effect{Allow, Deny, Escalate}, r.Effect) {
			errs = append(errs, fmt.Errorf("%s (%s): effect %q is none of allow, deny, escalate", at, r.Name, r.Effect))
		}
		when := strings.TrimSpace(r.When)
		if when == "" {
			when = "true"
		}
		program, err := expr.Compile(when, options()...)
		if err == nil {
			err = boundedSteps(when)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s (%s): when: %w", at, r.Name, err))
			continue
		}
		s.rules = append(s.rules, compiled{r, program})
		fmt.Fprintf(sum, "%q %q %q\n", r.Name, r.Effect, when)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s.hash = hex.EncodeToString(sum.Sum(nil))
	return s, nil
}

func options() []expr.Option {
	opts := []expr.Option{
		expr.Env(Facts{}),
		expr.AsBool(),
		expr.MaxNodes(500),
		expr.Function("glob", globFunction, new(func(string, string) bool)),
	}
	// A verdict must not depend on a clock that is not passed in.
	for _, f := range []string{"repeat", "now", "date", "timezone", "duration"} {
		opts = append(opts, expr.DisableBuiltin(f))
	}
	return opts
}

// boundedSteps refuses loops and ranges: expr has no time limit, but a condition
// without them ends after at most as many steps as it has nodes, which are bounded.
func boundedSteps(when string) error {
	tree, err := parser.Parse(when)
	if err != nil {
		return err
	}
	var v loops
	ast.Walk(&tree.Node, &v)
	if v.found != "" {
		return fmt.Errorf("%s is not allowed in a policy: conditions have no loops", v.found)
	}
	return nil
}

type loops struct{ found string }

func (v *loops) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.PredicateNode:
		v.found = "a predicate"
	case *ast.BinaryNode:
		if n.Operator == ".." {
			v.found = "a range"
		}
	}
}

func globFunction(params ...any) (any, error) {
	pattern, _ := params[0].(string)
	s, _ := params[1].(string)
	g, err := glob.Compile(pattern)
	if err != nil {
		return false, fmt.Errorf("glob %q: %w", pattern, err)
	}
	return g.Match(s), nil
}

// Hash identifies the policies in the audit log.
func (s *Set) Hash() string { return s.hash }

// Evaluate asks every policy.
func (s *Set) Evaluate(f Facts) Verdict {
	verdict := Verdict{Effect: Deny, Policy: "none"}
	for _, r := range s.rules {
		match, err := run(r.program, f)
		switch {
		case err != nil:
			return Verdict{Effect: Deny, Policy: r.Name, Err: fmt.Errorf("policy %s: %w", r.Name, err)}
		case !match:
		case r.Effect == Deny:
			// Later policies may still fail, which is told first.
			verdict = Verdict{Effect: Deny, Policy: r.Name}
		case verdict.Effect == Deny && verdict.Policy != "none":
		case r.Effect == Escalate, verdict.Policy == "none":
			verdict = Verdict{Effect: r.Effect, Policy: r.Name}
		}
	}
	return verdict
}

func run(p *vm.Program, f Facts) (match bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	out, err := expr.Run(p, f)
	if err != nil {
		return false, err
	}
	match, ok := out.(bool)
	if !ok {
		return false, fmt.Errorf("gives %T, want true or false", out)
	}
	return match, nil
}

// SetTime fills the fields that come from the clock.
func (f *Facts) SetTime(now time.Time) {
	now = now.UTC()
	f.Hour, f.Weekday = now.Hour(), strings.ToLower(now.Weekday().String())
}
