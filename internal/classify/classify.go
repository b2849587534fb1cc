package classify

import (
	"github.com/expr-lang/expr/vm"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/classify/failure"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

// Classify proposes what kind of trouble o is; nil where no rule applies. f is
// what o's error was read from; nil reads o.Error.
func (s *Set) Classify(o *observation.Observation, f *failure.Failure) *observation.Hypothesis {
	if f == nil {
		read := failure.Failure{}
		if e := o.Error; e != nil {
			read = failure.Read(failure.Text{Type: e.Type, Message: e.Message, Stacktrace: e.Stacktrace, Location: e.Location})
		}
		f = &read
	}
	env := context(o)
	if len(f.Chain) == 0 {
		return hypothesis(s.best(&env))
	}
	var weak *Rule
	for _, i := range inOrder(f.Chain) {
		env.Error = describe(f.Chain, i, f.Error.Location)
		r := s.best(&env)
		switch {
		case r == nil:
		case r.Priority >= Weak:
			return hypothesis(r)
		case weak == nil || order(r, weak) < 0:
			weak = r
		}
	}
	return hypothesis(weak)
}

// inOrder says in which order the links of a chain are asked. What was raised on
// purpose because of something else is a wrapper, so its cause is asked first.
// What came up while something else was handled speaks for itself, so it comes
// before what was handled.
func inOrder(chain []failure.Link) []int {
	var at []int
	for start := 0; start < len(chain); {
		end := start + 1
		for end < len(chain) && chain[end].Raised {
			end++
		}
		for i := end - 1; i >= start; i-- {
			at = append(at, i)
		}
		start = end
	}
	return at
}

// best is the first rule that applies; the rules are in the order in which they decide.
func (s *Set) best(env *Environment) *Rule {
	for i := range s.rules {
		r := &s.rules[i]
		holds, err := vm.Run(r.program, env)
		if err != nil {
			// A condition over facts that are not there must not stop the others.
			if s.Failed != nil {
				s.Failed(r.Name)
			}
			continue
		}
		if is, ok := holds.(bool); ok && is {
			return &r.Rule
		}
	}
	return nil
}

func hypothesis(r *Rule) *observation.Hypothesis {
	if r == nil {
		return nil
	}
	return &observation.Hypothesis{Class: r.Class, Confidence: r.Confidence, Rule: r.Name, Why: r.Why}
}
