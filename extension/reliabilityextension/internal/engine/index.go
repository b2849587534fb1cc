package engine

import (
	"slices"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

// index finds the incidents that an observation can concern, so that a storm of
// failures does not compare each with all others. What it names may no longer
// concern it; what it does not name never does.
type index struct {
	byEntity map[entity.Ref][]string
	byRun    map[string][]string
}

// index is made when a batch first needs it.
func (b *batch) index() *index {
	if b.found != nil {
		return b.found
	}
	b.found = &index{byEntity: map[entity.Ref][]string{}, byRun: map[string][]string{}}
	for _, id := range b.each() {
		i := b.get(id)
		b.found.put(id, i.Root, dagRun(i.RootRun))
		for n := range i.Evidence {
			b.found.add(id, i.Evidence[n].Observation)
		}
	}
	return b.found
}

func (x *index) add(id string, o observation.Observation) { x.put(id, o.Entity, dagRun(o.Run)) }

func (x *index) put(id string, e entity.Ref, run string) {
	if !slices.Contains(x.byEntity[e], id) {
		x.byEntity[e] = append(x.byEntity[e], id)
	}
	if run != "" && !slices.Contains(x.byRun[run], id) {
		x.byRun[run] = append(x.byRun[run], id)
	}
}

// about returns the incidents that have one of the entities as root or evidence, oldest first.
func (x *index) about(refs ...entity.Ref) []string {
	var ids []string
	for _, ref := range refs {
		ids = append(ids, x.byEntity[ref]...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// ofRun returns the incidents with evidence of a run of a DAG, oldest first.
func (x *index) ofRun(run string) []string { return slices.Sorted(slices.Values(x.byRun[run])) }
