// Package naming decides under which name a dataset or job is known. All of the
// receiver asks here, so that aliases and spellings of one thing are brought
// together in one place.
package naming

import (
	"strings"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
)

// Dataset gives the name that the event itself uses. Names in a symlinks facet
// are aliases, not the name.
func Dataset(d *event.Dataset) event.Identifier { return identifier(d.Identifier) }

// Job gives the name that the event itself uses.
func Job(j *event.Job) event.Identifier { return identifier(j.Identifier) }

func identifier(id event.Identifier) event.Identifier {
	return event.Identifier{Namespace: Namespace(id.Namespace), Name: id.Name}
}

// containers are the schemes that put a container, not a user, before the @.
var containers = map[string]bool{"abfs": true, "abfss": true, "wasb": true, "wasbs": true}

// Namespace takes user and password out of a namespace that is a URL: they
// belong to whoever connected, not to the name.
func Namespace(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || containers[scheme] {
		return s
	}
	authority, path, slash := strings.Cut(rest, "/")
	i := strings.LastIndexByte(authority, '@')
	if i < 0 {
		return s
	}
	s = scheme + "://" + authority[i+1:]
	if slash {
		s += "/" + path
	}
	return s
}
