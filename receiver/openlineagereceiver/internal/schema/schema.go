// Package schema notices when the columns of a dataset are not what they were.
package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/naming"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/recent"
)

const (
	// maxColumns of one dataset are compared, nested ones included; the rest is not looked at.
	maxColumns = 4096
	// maxListed columns of each sort stand in one change.
	maxListed = 128
	// maxType bounds a column's type, in bytes.
	maxType = 256
)

// Change says how a dataset's columns differ from those that the same job last
// showed.
type Change struct {
	Dataset event.Identifier
	// Added has "name type", Dropped "name", Retyped "name: old type -> new type".
	Added, Dropped, Retyped []string
	// Hash of names and types in order.
	Hash string
	UID  event.UID
}

type column struct{ name, kind string }

type seen struct {
	columns []column
	hash    string
	time    time.Time
	by      event.UID
	change  *Change // what by changed; nil where nothing
}

// view is one job's view of one dataset. Jobs are kept apart, because their
// engines spell types differently and some show only the columns they use.
type view struct{ job, dataset event.Identifier }

// Memory holds the columns that were seen last. It is safe for concurrent use.
type Memory struct {
	now func() time.Time

	mu   sync.Mutex
	seen *recent.Map[view, seen]
}

// NewMemory remembers up to limit views of datasets, each for age.
func NewMemory(limit int, age time.Duration, now func() time.Time) *Memory {
	return &Memory{now: now, seen: recent.New[view, seen](limit, age)}
}

// Observe lists what the event's schema facets change. The same event gives the
// same changes when it comes again, as long as no other came between. Events
// older than the one seen last change nothing. Evicted counts views that were
// forgotten to make room.
func (m *Memory) Observe(e *event.Event) (changes []*Change, evicted int) {
	var job event.Identifier
	if e.Job != nil {
		job = naming.Job(e.Job)
	}
	one := func(d *event.Dataset) {
		facet := d.Facets.Schema
		if facet == nil || facet.Deleted || len(facet.Fields) == 0 {
			return
		}
		change, full := m.compare(view{job, naming.Dataset(d)}, e, flatten(nil, "", facet.Fields))
		if change != nil && !slices.Contains(changes, change) { // a dataset may be read and written
			changes = append(changes, change)
		}
		if full {
			evicted++
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range e.Inputs {
		one(&e.Inputs[i])
	}
	for i := range e.Outputs {
		one(&e.Outputs[i])
	}
	if e.Dataset != nil {
		one(e.Dataset)
	}
	return changes, evicted
}

func (m *Memory) compare(key view, e *event.Event, columns []column) (*Change, bool) {
	now := m.now()
	last, known := m.seen.Get(key, now)
	if known && last.by == e.UID {
		return last.change, false
	}
	if known && e.Time.Before(last.time) {
		return nil, false
	}
	next := seen{columns: columns, hash: hash(columns), time: e.Time, by: e.UID}
	if known && next.hash != last.hash {
		next.change = diff(last.columns, columns)
		if next.change != nil {
			next.change.Dataset, next.change.Hash = key.dataset, next.hash
			next.change.UID = e.UID.Derive("schema\x00" + key.dataset.Namespace + "\x00" + key.dataset.Name)
		}
	}
	_, full := m.seen.Put(key, next, now)
	return next.change, full
}

// flatten lists nested fields as parent.child.
func flatten(out []column, prefix string, fields []event.SchemaField) []column {
	for i := range fields {
		if len(out) >= maxColumns {
			break
		}
		f := &fields[i]
		name, kind := prefix+f.Name, f.Type
		if len(kind) > maxType {
			kind = strings.ToValidUTF8(kind[:maxType], "")
		}
		out = append(out, column{name, kind})
		out = flatten(out, name+".", f.Fields)
	}
	return out
}

func hash(columns []column) string {
	h := sha256.New()
	for _, c := range columns {
		h.Write([]byte(c.name + "\x00" + strings.ToLower(c.kind) + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// diff is nil where only the order, or the spelling of types, differs. A type
// that one side does not tell is no other type.
func diff(before, after []column) *Change {
	old := make(map[string]string, len(before))
	for _, c := range before {
		old[c.name] = c.kind
	}
	var change Change
	for _, c := range after {
		kind, known := old[c.name]
		switch {
		case !known:
			change.Added = list(change.Added, strings.TrimSpace(c.name+" "+c.kind))
		case kind != "" && c.kind != "" && !strings.EqualFold(kind, c.kind):
			change.Retyped = list(change.Retyped, c.name+": "+kind+" -> "+c.kind)
		}
		delete(old, c.name)
	}
	for _, c := range before {
		if _, dropped := old[c.name]; dropped {
			change.Dropped = list(change.Dropped, c.name)
		}
	}
	if len(change.Added)+len(change.Dropped)+len(change.Retyped) == 0 {
		return nil
	}
	return &change
}

func list(names []string, name string) []string {
	if len(names) >= maxListed {
		return names
	}
	return append(names, name)
}
