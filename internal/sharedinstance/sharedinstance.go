// Package sharedinstance lets a factory that is called once for each signal
// (or pair of signals) hand out one object for all of them, started once and
// shut down with the last user.
package sharedinstance

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
)

// Map keeps the live instances of one factory by key, usually the component's
// configuration pointer, which is the same for every signal of one component ID.
type Map[K comparable, V component.Component] struct {
	mu   sync.Mutex
	live map[K]*Instance[K, V]
}

// Instance is a shared object. Start runs once; Shutdown when the last of its
// users that started has shut down.
type Instance[K comparable, V component.Component] struct {
	Value V

	owner   *Map[K, V]
	key     K
	mu      sync.Mutex
	started int
	err     error
}

// Get returns the instance for key, made by create where there is none.
func (m *Map[K, V]) Get(key K, create func() (V, error)) (*Instance[K, V], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if inst, ok := m.live[key]; ok {
		return inst, nil
	}
	v, err := create()
	if err != nil {
		return nil, err
	}
	inst := &Instance[K, V]{Value: v, owner: m, key: key}
	if m.live == nil {
		m.live = map[K]*Instance[K, V]{}
	}
	m.live[key] = inst
	return inst, nil
}

// Start starts the object at the first call; later calls return what the first did.
func (i *Instance[K, V]) Start(ctx context.Context, host component.Host) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.started++
	if i.started == 1 {
		i.err = i.Value.Start(ctx, host)
	}
	return i.err
}

// Shutdown shuts the object down with the last user and forgets it. A call
// without a Start before it is allowed, as the collector does when another
// component failed to start.
func (i *Instance[K, V]) Shutdown(ctx context.Context) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.started > 1 {
		i.started--
		return nil
	}
	i.owner.mu.Lock()
	delete(i.owner.live, i.key)
	i.owner.mu.Unlock()
	if i.started == 0 {
		return nil
	}
	i.started = 0
	return i.Value.Shutdown(ctx)
}
