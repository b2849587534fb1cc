// Package recent remembers the latest of something: a map with a bound, whose
// entries also grow too old. It is not safe for concurrent use.
package recent

import (
	"container/list"
	"time"
)

// Map holds at most as many entries as its bound; the one that was put longest
// ago gives way.
type Map[K comparable, V any] struct {
	limit int
	age   time.Duration
	order list.List // of *entry, the one put longest ago in front
	byKey map[K]*list.Element
}

type entry[K comparable, V any] struct {
	key   K
	value V
	put   time.Time
}

// New makes a map of at most limit entries, each of which is forgotten age
// after it was last put. Both must be positive.
func New[K comparable, V any](limit int, age time.Duration) *Map[K, V] {
	return &Map[K, V]{limit: limit, age: age, byKey: map[K]*list.Element{}}
}

// Len is the number of entries, those that are too old included until Expire.
func (m *Map[K, V]) Len() int { return len(m.byKey) }

// Get returns what was put, unless it is too old.
func (m *Map[K, V]) Get(key K, now time.Time) (V, bool) {
	var zero V
	el, ok := m.byKey[key]
	if !ok {
		return zero, false
	}
	e := el.Value.(*entry[K, V])
	if now.Sub(e.put) >= m.age {
		return zero, false
	}
	return e.value, true
}

// Put stores value and makes the entry the newest. It returns the value that
// gave way to it, if one had to.
func (m *Map[K, V]) Put(key K, value V, now time.Time) (evicted V, full bool) {
	if el, ok := m.byKey[key]; ok {
		e := el.Value.(*entry[K, V])
		e.value, e.put = value, now
		m.order.MoveToBack(el)
		return evicted, false
	}
	if len(m.byKey) >= m.limit {
		evicted, full = m.remove(m.order.Front()), true
	}
	m.byKey[key] = m.order.PushBack(&entry[K, V]{key: key, value: value, put: now})
	return evicted, full
}

// Delete forgets an entry.
func (m *Map[K, V]) Delete(key K) {
	if el, ok := m.byKey[key]; ok {
		m.remove(el)
	}
}

// Oldest goes through the entries from the one put longest ago, until yield
// returns false. It also shows those that are too old. Yield may delete the
// entry it is shown.
func (m *Map[K, V]) Oldest(yield func(key K, value V, put time.Time) bool) {
	for el := m.order.Front(); el != nil; {
		next := el.Next()
		e := el.Value.(*entry[K, V])
		if !yield(e.key, e.value, e.put) {
			return
		}
		el = next
	}
}

func (m *Map[K, V]) remove(el *list.Element) V {
	e := m.order.Remove(el).(*entry[K, V])
	delete(m.byKey, e.key)
	return e.value
}
