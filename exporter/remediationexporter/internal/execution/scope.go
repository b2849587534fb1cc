package execution

import (
	"fmt"

	"github.com/gobwas/glob"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
)

// Scope switches acting on for the actions that match Action on the resources
// whose "namespace/name" matches Resource.
type Scope struct {
	Action   glob.Glob
	Resource glob.Glob
	// Pattern is what Resource was compiled from; the extension is told of it.
	Pattern string
}

// NewScope compiles the two patterns; * matches any text, slashes included.
func NewScope(actionPattern, resourcePattern string) (Scope, error) {
	a, err := glob.Compile(actionPattern)
	if err != nil {
		return Scope{}, fmt.Errorf("action: %q is not a pattern: %w", actionPattern, err)
	}
	r, err := glob.Compile(resourcePattern)
	if err != nil {
		return Scope{}, fmt.Errorf("scope: %q is not a pattern: %w", resourcePattern, err)
	}
	return Scope{Action: a, Resource: r, Pattern: resourcePattern}, nil
}

// covers says whether one of the scopes switches t on for r.
func covers(scopes []Scope, t action.Type, r entity.Ref) bool {
	for _, s := range scopes {
		if s.Action.Match(string(t)) && s.Resource.Match(r.Namespace+"/"+r.Name) {
			return true
		}
	}
	return false
}

// patterns lists the resources that the scopes switch t on for.
func patterns(scopes []Scope, t action.Type) []string {
	var out []string
	for _, s := range scopes {
		if s.Action.Match(string(t)) {
			out = append(out, s.Pattern)
		}
	}
	return out
}
