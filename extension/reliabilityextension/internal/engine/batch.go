package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gobwas/glob"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/killswitch"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// batch is one transaction's view of the incidents: those that it changes are
// copies until the transaction is durable.
type batch struct {
	*Engine
	store.Tx
	now   time.Time
	dirty map[string]*incident.Incident
	from  map[string]incident.State
	gone  []string
	// holders says which incident is acting on a resource; nil until asked for.
	holders  map[entity.Ref]string
	silences []store.Silence // those in force; nil until asked for
	globs    map[string]glob.Glob
	pulled   *killswitch.Pulled
	looked   bool          // at the kill switch
	edges    []entity.Edge // new in the graph; taken back when the transaction fails
	after    []func()      // run once durable, under the engine's lock
	notify   bool
	many     bool // plans are looked at, so all holders are found at once
	found    *index
	counted  bool // unresolved is known
	// unresolved is the number of incidents that are not over.
	unresolved int
}

// get returns an incident to read.
func (b *batch) get(id string) *incident.Incident {
	if i, ok := b.dirty[id]; ok {
		return i
	}
	return b.active[id]
}

// edit returns a copy to change; it is written when the batch ends.
func (b *batch) edit(id string) *incident.Incident {
	if i, ok := b.dirty[id]; ok {
		return i
	}
	i := b.active[id].Clone()
	b.dirty[id], b.from[id] = i, i.State
	return i
}

// matches compiles a pattern once for each batch.
func (b *batch) matches(pattern, s string) bool {
	g, ok := b.globs[pattern]
	if !ok {
		g, _ = glob.Compile(pattern) // nil: it matches nothing
		if b.globs == nil {
			b.globs = map[string]glob.Glob{}
		}
		b.globs[pattern] = g
	}
	return g != nil && g.Match(s)
}

// killSwitch reads the switch once for each batch.
func (b *batch) killSwitch() *killswitch.Pulled {
	if !b.looked {
		b.looked, b.pulled = true, killswitch.Read(b.dir)
	}
	return b.pulled
}

// each returns the IDs of all incidents in memory in the order they were made.
func (b *batch) each() []string {
	ids := slices.Collect(maps.Keys(b.active))
	for id := range b.dirty {
		if _, ok := b.active[id]; !ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// set moves an incident; it changes nothing where state and reason are the same.
func (b *batch) set(i *incident.Incident, state incident.State, reason incident.Reason, detail string) *incident.Incident {
	i = b.get(i.ID)
	if i.State == state && i.Reason == reason && i.Detail == detail {
		return i
	}
	i = b.edit(i.ID)
	i.State, i.Reason, i.Detail = state, reason, detail
	return i
}

func (b *batch) flush() error {
	ids := slices.Sorted(maps.Keys(b.dirty))
	for _, id := range ids {
		i := b.dirty[id]
		i.Updated = b.now
		from := b.from[id]
		if err := b.PutIncident(i, from); err != nil {
			return &stuckError{id, fmt.Errorf("store it: %w", err)}
		}
		kind := "incident.update"
		if from != i.State {
			kind = "incident.transition"
		}
		if err := b.audit(b.Tx, kind, "engine", id, transition(i, from)); err != nil {
			return err
		}
		if i.Terminal() && i.State != incident.Suppressed && !i.Closed.IsZero() && b.now.Sub(i.Closed) >= b.Engine.set.ReopenWithin {
			b.gone = append(b.gone, id)
		}
	}
	return nil
}

// transition is what the audit log keeps of a change.
func transition(i *incident.Incident, from incident.State) map[string]any {
	t := map[string]any{
		"version": i.Version, "from": from, "to": i.State, "reason": i.Reason, "class": i.Class,
		"confidence": i.Confidence, "rule": i.Rule, "root": i.Root.String(), "evidence": len(i.Evidence),
	}
	if i.Decision != nil {
		t["decision"] = map[string]any{"chosen": i.Decision.Chosen, "policy": i.Decision.Policy, "inputs": i.Decision.InputsHash, "at": i.Decision.At}
	}
	if i.Verification != nil {
		t["verification"] = i.Verification
	}
	return t
}

func (e *Engine) audit(tx store.Tx, kind, actor, subject string, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("audit %s: %w", kind, err)
	}
	r := store.AuditRecord{At: e.now(), Actor: actor, Kind: kind, Subject: subject, Data: raw}
	if err := tx.AppendAudit(&r); err != nil {
		return fmt.Errorf("audit %s of %s: %w", kind, subject, err)
	}
	return nil
}

// plans returns the plans of an incident, oldest first.
func (b *batch) plans(i *incident.Incident) ([]planned, error) {
	list, err := b.Plans(store.PlanFilter{IncidentID: i.ID})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(x, y planned) int { return cmp.Compare(x.ID, y.ID) })
	return list, nil
}
