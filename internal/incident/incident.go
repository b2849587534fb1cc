// Package incident is the record of one cause and what was done about it. The
// reliability extension owns incidents; the connector sends their transitions
// into a logs pipeline; the exporter and people refer to them by ID.
package incident

import (
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

// Class says what kind of trouble it is. The list is closed.
type Class string

const (
	Unknown            Class = "unknown"
	TransientFailure   Class = "transient_failure"   // passes by itself; worth trying again
	DeterministicBug   Class = "deterministic_bug"   // fails the same way every time
	UpstreamDelay      Class = "upstream_delay"      // input late or missing
	DataQualityBreach  Class = "data_quality_breach" // volume, nulls, duplicates, drift
	CredentialFailure  Class = "credential_failure"  //nolint:gosec // a class name: expired or refused identity
	ResourceExhaustion Class = "resource_exhaustion" // memory, disk, pool, quota
)

// Classes lists every class, Unknown first.
func Classes() []Class {
	return []Class{Unknown, TransientFailure, DeterministicBug, UpstreamDelay, DataQualityBreach, CredentialFailure, ResourceExhaustion}
}

// State is where an incident stands. Waiting is a reason on a state, not a state.
type State string

const (
	Open             State = "open"
	Planned          State = "planned"
	AwaitingApproval State = "awaiting_approval"
	Acting           State = "acting"
	Verifying        State = "verifying"
	Resolved         State = "resolved"
	Escalated        State = "escalated"
	Suppressed       State = "suppressed"
)

// Incident is one cause, its evidence and its course.
type Incident struct {
	ID      string `json:"id"`      // inc-<26 characters of a ULID>
	Version int64  `json:"version"` // grows by one with each stored change; the outbox ID is <ID>/<Version>

	State  State  `json:"state"`
	Reason Reason `json:"reason,omitempty"` // why it waits, was escalated or closed
	Detail string `json:"detail,omitempty"` // the reason in one sentence for a person

	Class      Class   `json:"class"`
	Confidence float64 `json:"confidence"`
	Rule       string  `json:"rule,omitempty"`
	Title      string  `json:"title"` // one line for a person

	Root    entity.Ref       `json:"root"`
	RootRun *observation.Run `json:"root_run,omitempty"`
	// Observed are the entities of the blast radius seen in trouble; AtRisk the
	// rest of the forward closure of the root in the graph.
	Observed []entity.Ref `json:"observed,omitempty"`
	AtRisk   []entity.Ref `json:"at_risk,omitempty"`
	Owner    string       `json:"owner,omitempty"`

	Evidence []Evidence `json:"evidence,omitempty"` // bounded; oldest and newest are kept

	Decision     *Decision     `json:"decision,omitempty"` // the last one
	Steps        []Step        `json:"steps,omitempty"`    // plans made for it, oldest first
	Verification *Verification `json:"verification,omitempty"`
	LastGoodRun  string        `json:"last_good_run,omitempty"`

	Started    time.Time `json:"started"`  // when the trouble began, on the source's clock
	Detected   time.Time `json:"detected"` // when we first heard
	Updated    time.Time `json:"updated"`
	Decided    time.Time `json:"decided,omitzero"`
	Acted      time.Time `json:"acted,omitzero"`
	Recovered  time.Time `json:"recovered,omitzero"` // when all signals first held
	Closed     time.Time `json:"closed,omitzero"`
	Recurrence int       `json:"recurrence,omitempty"` // times it came back after being resolved
}

// Terminal reports whether nothing more happens unless the trouble comes back
// or a person acts.
func (i *Incident) Terminal() bool { return i.State == Resolved || i.State == Suppressed }

// Evidence is one observation that speaks for the incident, kept with how it
// was understood.
type Evidence struct {
	Observation observation.Observation `json:"observation"`
	Count       int                     `json:"count"` // how often the same was seen
	LastSeen    time.Time               `json:"last_seen"`
	Cleared     bool                    `json:"cleared,omitempty"` // a later observation took it back
}

// Decision is the choice made, with what else was considered and why.
type Decision struct {
	At           time.Time     `json:"at"`
	Chosen       string        `json:"chosen"` // name of the alternative
	Why          string        `json:"why"`
	Policy       string        `json:"policy"` // the policy that decided, by name
	Alternatives []Alternative `json:"alternatives"`
	InputsHash   string        `json:"inputs_hash"` // hash of evidence, plan and policies, for the audit
}

// Alternative is one thing that could be done.
type Alternative struct {
	Name    string      `json:"name"` // action type, "wait" or "escalate"
	Action  action.Type `json:"action,omitempty"`
	Score   float64     `json:"score"`   // expected benefit less risk and cost; higher is better
	Allowed bool        `json:"allowed"` // by policy and capability
	Reasons []string    `json:"reasons"`
}

// Step is one plan that was made for the incident and what came of it.
type Step struct {
	PlanID  string      `json:"plan_id"`
	Action  action.Type `json:"action"`
	Summary string      `json:"summary"`
	Outcome string      `json:"outcome,omitempty"` // pending, succeeded, failed, void, verified, unverified, observed
	At      time.Time   `json:"at"`
}

// Verification is what must hold before the incident closes, and how far that is.
type Verification struct {
	Since      time.Time     `json:"since"`                // when verifying began
	HoldsSince time.Time     `json:"holds_since,omitzero"` // since when all conditions hold
	Window     time.Duration `json:"window"`
	Conditions []Condition   `json:"conditions"`
}

// Condition is one independent signal that has to show recovery.
type Condition struct {
	Name     string     `json:"name"` // run_succeeded, rows_arrived, series_recovered, …
	Entity   entity.Ref `json:"entity"`
	Holds    bool       `json:"holds"`
	Silent   bool       `json:"silent,omitempty"` // no fresh signal: neither proof nor disproof
	Detail   string     `json:"detail"`           // "orders: 0 of 1,000 rows"
	LastSeen time.Time  `json:"last_seen,omitzero"`
	Owed     float64    `json:"owed,omitempty"`
	Before   float64    `json:"before,omitempty"`
	Now      float64    `json:"now,omitempty"`
}
