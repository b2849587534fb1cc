// Package entity names the things that incidents are about: jobs, datasets and
// services. Jobs and datasets carry the (namespace, name) pair that OpenLineage
// gives them, so that two sources that never heard of each other meet.
package entity

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what an entity is. The list is closed.
type Kind string

const (
	// Job is something that runs: a DAG, a task of a DAG, a Spark application.
	Job Kind = "job"
	// Dataset is something that holds data: a table, a file, a topic.
	Dataset Kind = "dataset"
	// Service is a long-lived process, named by service.name (and service.namespace).
	Service Kind = "service"
	// Platform is an installation that runs jobs, such as one Airflow: its
	// schedulers, pools and parsers belong to it.
	Platform Kind = "platform"
)

// MaxNameLength bounds each part of a name, in bytes. Longer ones are refused
// where they enter.
const MaxNameLength = 2048

// Ref names one entity. The zero Ref names nothing.
type Ref struct {
	Kind      Kind   `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// IsZero reports whether r names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// String gives the form that people read and type: kind:namespace/name.
// Parse reads it back.
func (r Ref) String() string {
	if r.IsZero() {
		return ""
	}
	return string(r.Kind) + ":" + escape(r.Namespace) + "/" + r.Name
}

// Display is the short form for tables: the name alone.
func (r Ref) Display() string { return r.Name }

// A slash in a namespace would end it early, a percent sign would be read as an
// escape; nothing else needs hiding.
func escape(s string) string {
	return strings.NewReplacer("%", "%25", "/", "%2F").Replace(s)
}

func unescape(s string) string {
	return strings.NewReplacer("%2F", "/", "%25", "%").Replace(s)
}

// Parse reads what String wrote.
func Parse(s string) (Ref, error) {
	kind, rest, ok := strings.Cut(s, ":")
	if !ok {
		return Ref{}, fmt.Errorf("entity %q: want kind:namespace/name", s)
	}
	ns, name, ok := strings.Cut(rest, "/")
	if !ok {
		return Ref{}, fmt.Errorf("entity %q: want kind:namespace/name", s)
	}
	r := Ref{Kind: Kind(kind), Namespace: unescape(ns), Name: name}
	return r, r.Validate()
}

// Validate says whether r can be stored and compared.
func (r Ref) Validate() error {
	switch r.Kind {
	case Job, Dataset, Service, Platform:
	default:
		return fmt.Errorf("entity kind %q is none of job, dataset, service, platform", r.Kind)
	}
	if r.Name == "" {
		return errors.New("entity has no name")
	}
	if len(r.Name) > MaxNameLength || len(r.Namespace) > MaxNameLength {
		return fmt.Errorf("entity name is longer than %d bytes", MaxNameLength)
	}
	return nil
}

// Relation says how two entities hang together. The list is closed. Problems
// travel from From to To.
type Relation string

const (
	// Writes: From, a job, writes To, a dataset.
	Writes Relation = "writes"
	// ReadBy: From, a dataset, is read by To, a job.
	ReadBy Relation = "read_by"
	// Contains: From, a job (a DAG) or a platform, is the parent of To, a job.
	Contains Relation = "contains"
	// Precedes: To, a job, starts after From, a job, has succeeded.
	Precedes Relation = "precedes"
)

// Edge is one directed edge of the reliability graph with its provenance.
type Edge struct {
	From     Ref       `json:"from"`
	To       Ref       `json:"to"`
	Relation Relation  `json:"relation"`
	Source   string    `json:"source"`    // who said so: openlineage, airflow, declared
	LastSeen time.Time `json:"last_seen"` // when it was last said
}
