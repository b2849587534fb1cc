// Package event reads OpenLineage events (core schema 2-0-2): from bytes to a
// typed Event and, beside it, the whole event as an OTLP map, in one bounded
// pass that names the JSON field where it stops.
package event
