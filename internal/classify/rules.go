// Package classify proposes what kind of trouble an observation is, by rules
// that are data: conditions in expr-lang over a typed environment. It ships with
// rules that know the errors of common languages, databases, HTTP, clouds and
// shells, and takes more.
//
// A failure is judged by what it says, never by who failed. A chain of
// exceptions is judged link by link, so that a cause decides over what wraps it.
package classify

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"

	"github.com/expr-lang/expr/vm"
	"gopkg.in/yaml.v3"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
)

// Rule proposes a class where its condition holds.
type Rule struct {
	// Name identifies the rule; a later rule of the same name replaces an earlier one.
	Name string `yaml:"name" mapstructure:"name"`
	// Class is one of the incident classes.
	Class string `yaml:"class" mapstructure:"class"`
	// Confidence, above 0 to 1, is how sure the rule is where it applies.
	Confidence float64 `yaml:"confidence" mapstructure:"confidence"`
	// Priority: of several rules that apply the highest decides, then the more
	// confident, then the first by name. Below 20 a rule is weak: it decides only
	// where no link of the whole chain meets a strong one.
	Priority int `yaml:"priority" mapstructure:"priority"`
	// When is the condition in expr-lang.
	When string `yaml:"when" mapstructure:"when"`
	// Why tells a person in a few words.
	Why string `yaml:"why" mapstructure:"why"`
	// Disabled takes the rule of that name out.
	Disabled bool `yaml:"disabled" mapstructure:"disabled"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// Weak is the priority below which a rule decides only where no other does.
const Weak = 20

//go:embed default_rules.yaml
var defaultRules []byte

var ruleName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Default returns the rules that ship with the product.
func Default() []Rule {
	rules, err := parse(defaultRules)
	if err != nil {
		panic("classify: default rules: " + err.Error()) // a test reads them
	}
	return rules
}

// Load reads rules from a YAML file with a list under the key "rules".
func Load(path string) ([]Rule, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names the file in the configuration
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	rules, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("rules of %s: %w", path, err)
	}
	return rules, nil
}

func parse(raw []byte) ([]Rule, error) {
	var doc struct {
		Rules []Rule `yaml:"rules"`
	}
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	return doc.Rules, nil
}

// Set is a set of compiled rules, ready for concurrent use.
type Set struct {
	rules []compiled
	// Failed is called with the name of a rule whose condition failed while it ran;
	// the rule is skipped. Set it before use; nil is allowed.
	Failed func(rule string)
}

type compiled struct {
	Rule
	program *vm.Program
}

// Compile checks and compiles rules. Later rules replace or disable earlier ones
// of the same name. Errors name the rule and the key.
func Compile(lists ...[]Rule) (*Set, error) {
	byName := map[string]Rule{}
	var errs []error
	for _, list := range lists {
		for i, r := range list {
			if err := r.Validate(); err != nil {
				errs = append(errs, fmt.Errorf("rule %d (%q): %w", i+1, r.Name, err))
				continue
			}
			if _, known := byName[r.Name]; r.Disabled && !known {
				errs = append(errs, fmt.Errorf("rule %d (%q): disabled: there is no such rule", i+1, r.Name))
				continue
			}
			byName[r.Name] = r
		}
	}
	s := &Set{}
	for _, r := range byName {
		if r.Disabled {
			continue
		}
		program, err := compile(r.When)
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %q: when: %w", r.Name, err))
			continue
		}
		s.rules = append(s.rules, compiled{r, program})
	}
	slices.SortFunc(s.rules, func(a, b compiled) int { return order(&a.Rule, &b.Rule) })
	return s, errors.Join(errs...)
}

// order puts the rule that decides first.
func order(a, b *Rule) int {
	switch {
	case a.Priority != b.Priority:
		return b.Priority - a.Priority
	case a.Confidence > b.Confidence:
		return -1
	case a.Confidence < b.Confidence:
		return 1
	case a.Name < b.Name:
		return -1
	}
	return 1
}

// Validate says what is wrong with r, naming the key.
func (r Rule) Validate() error {
	switch {
	case !ruleName.MatchString(r.Name):
		return fmt.Errorf("name: %q is not a name of small letters, digits and _ of at most 64", r.Name)
	case r.Disabled:
		return nil
	case !slices.Contains(incident.Classes(), incident.Class(r.Class)):
		return fmt.Errorf("class: %q is none of %v", r.Class, incident.Classes())
	case r.Confidence <= 0 || r.Confidence > 1:
		return fmt.Errorf("confidence: %v is not above 0 and at most 1", r.Confidence)
	case r.Priority < 0 || r.Priority > 1000:
		return fmt.Errorf("priority: %d is not from 0 to 1000", r.Priority)
	case r.When == "":
		return errors.New("when: a condition is needed")
	case len(r.Why) > 256:
		return errors.New("why: is longer than 256 bytes")
	}
	if _, err := compile(r.When); err != nil {
		return fmt.Errorf("when: %w", err)
	}
	return nil
}
