// Package store keeps what the reliability extension must not lose: incidents,
// plans, the outbox, the graph, facts, outcomes, silences, users and the audit
// log. SQLite is the embedded engine; package storetest is the contract that any
// engine has to pass.
package store

import (
	"context"
	"errors"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

var (
	// ErrNotFound: there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the row has changed since it was read.
	ErrConflict = errors.New("changed by another writer")
	// ErrFull: the disk or a hard bound leaves no room. Nothing was written.
	ErrFull = errors.New("no room to write")
)

// Store is a transactional state. All methods are safe for concurrent use.
type Store interface {
	// View runs fn on a consistent snapshot. fn must not keep the Tx.
	View(ctx context.Context, fn func(Reader) error) error
	// Update runs fn in one serialised transaction. When it returns nil all of it is
	// durable (synced to disk); otherwise none of it is there.
	Update(ctx context.Context, fn func(Tx) error) error
	// Close releases the store.
	Close() error
}

// IncidentFilter picks incidents. Zero values pick all.
type IncidentFilter struct {
	States []incident.State
	Root   entity.Ref
	Since  time.Time // updated at or after
	Limit  int       // newest first; 0: 1,000
}

// PlanFilter picks plans. Zero values pick all.
type PlanFilter struct {
	IncidentID string
	Statuses   []action.Status
	Resource   entity.Ref
	Since      time.Time // created at or after
}

// Fact is the last value of one declared metric of an entity.
type Fact struct {
	Entity entity.Ref
	Name   string
	Part   string // tells apart several values of one name
	Value  float64
	Time   time.Time // source clock, when it was measured
	// Received is when we heard; Changed when the value last became another one (our clock).
	Received, Changed time.Time
}

// FactPoint is one remembered earlier value of a fact, kept when it changes; at
// most the newest 256 for each entity and name.
type FactPoint struct {
	Part  string
	Value float64
	Time  time.Time
}

// RunRecord is the last known state of one run of a job.
type RunRecord struct {
	Job      entity.Ref
	Run      observation.Run
	Source   string
	Time     time.Time // source clock
	Received time.Time
}

// Outcome is what verification found of one plan.
type Outcome struct {
	PlanID, IncidentID string
	Class              incident.Class
	Action             action.Type
	Resource           entity.Ref
	Verified           bool
	At                 time.Time
	Duration           time.Duration // from act to recovered
}

// Silence keeps incidents from being acted on and paged for.
type Silence struct {
	ID      string    `json:"id"`
	Match   string    `json:"match"` // glob on kind:namespace/name of the root
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	By      string    `json:"by"`
	Comment string    `json:"comment"`
}

// Role of a user: each holds the rights of those before it.
type Role string

const (
	Viewer   Role = "viewer"   // sees
	Operator Role = "operator" // silences, pauses and resumes
	Admin    Role = "admin"    // manages users
)

// User is a named local user. Only the SHA-256 of its random 256-bit token is kept.
type User struct {
	Name      string    `json:"name"`
	Role      Role      `json:"role"`
	TokenHash []byte    `json:"-"`
	Created   time.Time `json:"created"`
	Disabled  bool      `json:"disabled,omitempty"`
}

// Transition is one row of the outbox: an incident as it was after one change.
type Transition struct {
	Sequence int64 // total order over all incidents
	Incident incident.Incident
	From     incident.State // state before
	At       time.Time
}

// AuditRecord is one leaf of the audit log.
type AuditRecord struct {
	Index   int64     `json:"index"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`   // user:NAME, engine, executor:ID
	Kind    string    `json:"kind"`    // incident.transition, plan.intent, plan.result, killswitch.on, …
	Subject string    `json:"subject"` // incident, plan or user
	Data    []byte    `json:"data"`    // JSON payload, no data values; nil once erased
	// The leaf holds Commitment, SHA-256 over Salt and Data, in place of Data: the
	// payload can be erased and every proof stays valid. AppendAudit sets both.
	Salt       []byte `json:"salt,omitempty"`
	Commitment []byte `json:"commitment,omitempty"`
}

// Checkpoint is a signed tree head of the audit log, in the form of
// golang.org/x/mod/sumdb/note.
type Checkpoint struct {
	Size   int64
	Signed []byte
	At     time.Time
}

// Bounds limit what a store keeps. Zero values stand for the defaults named here.
// What a bound removes is counted in Stats.Dropped.
type Bounds struct {
	SeenRetention  time.Duration // how long an observation's ID is remembered; 7 days
	MaxSeen        int           // IDs remembered; 1,000,000, oldest go first
	MaxFacts       int           // facts; 100,000, those not heard of for longest go first
	MaxEdges       int           // edges; 200,000, those not said for longest go first
	MaxAnomalies   int           // active verdicts; 20,000, those not heard of for longest go first
	MaxTouches     int           // pairs of entity and source; 200,000, oldest go first
	MaxRunsPerJob  int           // runs of each job; 100, oldest go first
	MaxOutcomes    int           // outcomes of each class and action; 1,000, oldest go first
	MaxOutbox      int           // undelivered transitions; 100,000, oldest go first
	MaxCheckpoints int           // checkpoints; 10,000, oldest go first
}

// FactHistory is how many points are kept for each entity and name, and how many
// parts a fact may have; the newest stay.
const FactHistory = 256

// Stats is what own telemetry tells of the store.
type Stats struct {
	Bytes   int64            // size of the database
	Outbox  int64            // transitions that some subscriber still has to get
	Dropped map[string]int64 // rows that a bound has removed, by kind: facts, edges, anomalies, seen, touches, outbox
}

// Reader reads. Lists come in a defined order: the one their comment names.
type Reader interface {
	Incident(id string) (*incident.Incident, error)
	Incidents(f IncidentFilter) ([]*incident.Incident, error)
	Plan(id string) (*action.Plan, error)
	Plans(f PlanFilter) ([]*action.Plan, error) // oldest first

	Facts(e entity.Ref) ([]Fact, error)                          // by name, part
	FactHistory(e entity.Ref, name string) ([]FactPoint, error)  // oldest first
	Runs(job entity.Ref, limit int) ([]RunRecord, error)         // newest first by Received
	RunByID(runID string, job entity.Ref) (RunRecord, error)     // ErrNotFound; a zero job: the newest of any
	Anomalies(e entity.Ref) ([]observation.Observation, error)   // verdicts that are active now, by series key
	LastSeen(e entity.Ref, source string) (time.Time, error)     // when the source last said anything of e; zero: never
	Sources() (map[string]time.Time, error)                      // every source and when it was last heard
	Edges() ([]entity.Edge, error)                               // by from, to, relation, source
	Outcomes(c incident.Class, a action.Type) ([]Outcome, error) // newest first
	Silences(at time.Time) ([]Silence, error)                    // those in force
	Users() ([]User, error)                                      // by name
	// Outbox lists what the subscriber has not yet been delivered, in order. Whoever has
	// asked is a known subscriber: rows stay until all known ones have them, or MaxOutbox is reached.
	Outbox(subscriber string, limit int) ([]Transition, error)
	Audit(from int64, limit int) ([]AuditRecord, error) // by index
	AuditSize() (int64, error)
	// AuditHashes returns nodes of the log's tree by the stored hash index of package
	// tlog. ErrNotFound: one of them is not there.
	AuditHashes(indexes []int64) ([]tlog.Hash, error)
	Checkpoints(limit int) ([]Checkpoint, error) // newest first; 0: all
	Meta(key string) ([]byte, error)             // nil: none
	Stats() (Stats, error)
}

// Tx reads and writes.
type Tx interface {
	Reader

	// PutIncident stores i with Version i.Version+1, which it sets, adds it to the outbox and
	// fails with ErrConflict when the stored version is not i.Version. from is the state before.
	PutIncident(i *incident.Incident, from incident.State) error
	PutPlan(p *action.Plan) error
	// See remembers an observation's ID; false: it was there already. IDs are forgotten
	// after retention, a bound of the engine.
	See(id string, at time.Time) (fresh bool, err error)
	// PutFact sets Changed, and appends to the history when the value changed or the part
	// is new. A fact older than the stored one on the source's clock changes nothing, unless
	// the stored one lies ahead of our clock.
	PutFact(f Fact) error
	PutRun(r RunRecord) error
	PutAnomaly(o observation.Observation) error // an inactive verdict removes
	Touch(e entity.Ref, source string, at time.Time) error
	PutEdge(e entity.Edge) error
	DeleteEdges(source string, before time.Time) (int, error)
	PutOutcome(o Outcome) error
	PutSilence(s Silence) error // same ID replaces; End in the past ends it
	PutUser(u User) error
	Delivered(subscriber string, sequence int64) error // everything up to sequence
	// AppendAudit adds one record to the log in this transaction, so that a row and
	// its record exist together or not at all. It sets Index, Salt and Commitment, and
	// At where it is zero.
	AppendAudit(r *AuditRecord) error
	// EraseAudit removes the payload of one record; its leaf stays. Use audit.Erase,
	// which also records that it was done.
	EraseAudit(index int64) error
	PutCheckpoint(c Checkpoint) error
	PutMeta(key string, value []byte) error // nil removes
	// Prune drops what was last changed or heard of before the time given: terminal
	// incidents and their plans, finished plans of no incident, facts, runs, active
	// verdicts, ended silences, outbox subscribers that no longer ask, and seen IDs (those
	// also after SeenRetention).
	Prune(before time.Time) (rows int, err error)
}
