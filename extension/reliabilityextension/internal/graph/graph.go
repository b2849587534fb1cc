// Package graph is the reliability graph in memory: which job writes, reads,
// contains or precedes what, so that one can ask what a problem reaches and
// where it may come from. The edges themselves live in the store.
package graph

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
)

type key struct {
	from, to entity.Ref
	relation entity.Relation
	source   string
}

// Graph is safe for concurrent use.
type Graph struct {
	mu       sync.RWMutex
	max      int
	edges    map[key]time.Time
	out, in  map[entity.Ref]map[entity.Ref]map[entity.Relation]int // number of sources that say so
	rejected int64
}

// New returns an empty graph of at most maxEdges edges.
func New(maxEdges int) *Graph {
	return &Graph{
		max:   maxEdges,
		edges: map[key]time.Time{},
		out:   map[entity.Ref]map[entity.Ref]map[entity.Relation]int{},
		in:    map[entity.Ref]map[entity.Ref]map[entity.Relation]int{},
	}
}

// Add takes an edge or refreshes it. It reports whether the edge is worth
// storing: new, or last said more than refresh ago. A graph at its bound
// refuses new edges and counts them.
func (g *Graph) Add(e entity.Edge, refresh time.Duration) bool {
	if e.From == e.To {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	k := key{e.From, e.To, e.Relation, e.Source}
	if last, ok := g.edges[k]; ok {
		if e.LastSeen.Sub(last) < refresh {
			return false
		}
		g.edges[k] = e.LastSeen
		return true
	}
	if len(g.edges) >= g.max {
		g.rejected++
		return false
	}
	g.edges[k] = e.LastSeen
	count(g.out, e.From, e.To, e.Relation, 1)
	count(g.in, e.To, e.From, e.Relation, 1)
	return true
}

// Has reports whether the source of e has said it before.
func (g *Graph) Has(e entity.Edge) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	_, ok := g.edges[key{e.From, e.To, e.Relation, e.Source}]
	return ok
}

// Remove takes back edges that could not be stored.
func (g *Graph) Remove(edges []entity.Edge) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range edges {
		k := key{e.From, e.To, e.Relation, e.Source}
		if _, ok := g.edges[k]; ok {
			g.drop(k)
		}
	}
}

func (g *Graph) drop(k key) {
	delete(g.edges, k)
	count(g.out, k.from, k.to, k.relation, -1)
	count(g.in, k.to, k.from, k.relation, -1)
}

// Forget drops the edges of one source that were last said before the given time.
func (g *Graph) Forget(source string, before time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for k, last := range g.edges {
		if k.source == source && last.Before(before) {
			g.drop(k)
		}
	}
}

func count(m map[entity.Ref]map[entity.Ref]map[entity.Relation]int, a, b entity.Ref, r entity.Relation, by int) {
	if m[a] == nil {
		m[a] = map[entity.Ref]map[entity.Relation]int{}
	}
	if m[a][b] == nil {
		m[a][b] = map[entity.Relation]int{}
	}
	m[a][b][r] += by
	if m[a][b][r] > 0 {
		return
	}
	delete(m[a][b], r)
	if len(m[a][b]) == 0 {
		delete(m[a], b)
	}
	if len(m[a]) == 0 {
		delete(m, a)
	}
}

// Size returns the number of edges and how many were refused at the bound.
func (g *Graph) Size() (edges int, rejected int64) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.edges), g.rejected
}

// Downstream returns what a problem of ref can reach within hops edges, nearest
// first, without ref itself, at most limit. What a job contains is not
// downstream of it; what a platform contains is.
func (g *Graph) Downstream(ref entity.Ref, hops, limit int) []entity.Ref {
	return g.walk(g.out, ref, hops, limit)
}

// Upstream returns where a problem of ref may come from, nearest first.
func (g *Graph) Upstream(ref entity.Ref, hops, limit int) []entity.Ref {
	return g.walk(g.in, ref, hops, limit)
}

// Reaches reports whether to is downstream of from within hops edges.
func (g *Graph) Reaches(from, to entity.Ref, hops int) bool {
	return slices.Contains(g.Downstream(from, hops, 4096), to)
}

func (g *Graph) walk(next map[entity.Ref]map[entity.Ref]map[entity.Relation]int, start entity.Ref, hops, limit int) []entity.Ref {
	g.mu.RLock()
	defer g.mu.RUnlock()
	seen := map[entity.Ref]bool{start: true}
	var found []entity.Ref
	level := []entity.Ref{start}
	for range hops {
		var following []entity.Ref
		for _, at := range level {
			for to, relations := range next[at] {
				if seen[to] || !carries(at, to, relations) {
					continue
				}
				seen[to] = true
				following = append(following, to)
			}
		}
		slices.SortFunc(following, compare)
		for _, ref := range following {
			if len(found) == limit {
				return found
			}
			found = append(found, ref)
		}
		level = following
	}
	return found
}

// A job does not pass trouble to its parts by containing them, nor they to it
// along that edge; a platform does.
func carries(a, b entity.Ref, relations map[entity.Relation]int) bool {
	for r := range relations {
		if r != entity.Contains || a.Kind == entity.Platform || b.Kind == entity.Platform {
			return true
		}
	}
	return false
}

// Outputs returns the datasets that job writes.
func (g *Graph) Outputs(job entity.Ref) []entity.Ref { return g.neighbours(g.out, job, entity.Writes) }

// Inputs returns the datasets that job reads.
func (g *Graph) Inputs(job entity.Ref) []entity.Ref { return g.neighbours(g.in, job, entity.ReadBy) }

// Writers returns the jobs that write dataset.
func (g *Graph) Writers(dataset entity.Ref) []entity.Ref {
	return g.neighbours(g.in, dataset, entity.Writes)
}

// Before returns the jobs that directly precede job.
func (g *Graph) Before(job entity.Ref) []entity.Ref { return g.neighbours(g.in, job, entity.Precedes) }

// After returns the jobs that job directly precedes.
func (g *Graph) After(job entity.Ref) []entity.Ref { return g.neighbours(g.out, job, entity.Precedes) }

// Parts returns the jobs that job contains.
func (g *Graph) Parts(job entity.Ref) []entity.Ref { return g.neighbours(g.out, job, entity.Contains) }

// Parent returns the job that contains job; the zero Ref where there is none.
func (g *Graph) Parent(job entity.Ref) entity.Ref {
	for _, p := range g.neighbours(g.in, job, entity.Contains) {
		if p.Kind == entity.Job {
			return p
		}
	}
	return entity.Ref{}
}

func (g *Graph) neighbours(m map[entity.Ref]map[entity.Ref]map[entity.Relation]int, ref entity.Ref, relation entity.Relation) []entity.Ref {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var found []entity.Ref
	for to, relations := range m[ref] {
		if relations[relation] > 0 {
			found = append(found, to)
		}
	}
	slices.SortFunc(found, compare)
	return found
}

func compare(a, b entity.Ref) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}
