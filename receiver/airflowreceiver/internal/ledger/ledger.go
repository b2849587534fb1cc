// Package ledger remembers what was delivered about each run, so that each
// change is told once, and how far the lists of changes were read. It is bounded:
// of what has ended, the longest unchanged is forgotten first. Forgetting costs at
// most a repeated record, never a lost one.
//
// A Ledger is used by one goroutine.
package ledger

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Key names a DAG run or, with a task, a task instance.
type Key struct {
	DAG, Run, Task string
	MapIndex       int
}

const separator = "\x1f"

func (k Key) encode() string {
	if k.Task == "" {
		return k.DAG + separator + k.Run
	}
	return strings.Join([]string{k.DAG, k.Run, k.Task, strconv.Itoa(k.MapIndex)}, separator)
}

func decodeKey(s string) (Key, bool) {
	parts := strings.Split(s, separator)
	switch len(parts) {
	case 2:
		return Key{DAG: parts[0], Run: parts[1]}, true
	case 4:
		index, err := strconv.Atoi(parts[3])
		return Key{DAG: parts[0], Run: parts[1], Task: parts[2], MapIndex: index}, err == nil
	}
	return Key{}, false
}

// Entry is what was last delivered about a run.
type Entry struct {
	// State and Try are Airflow's.
	State string `json:"s"`
	Try   int    `json:"t,omitempty"`
	// Stamp is the date that tells this state from the same state before or after
	// it, in microseconds of Unix time.
	Stamp int64 `json:"m,omitempty"`
	// Told is the highest try whose end was delivered.
	Told int `json:"d,omitempty"`
	// Ended is true where nothing follows but a clear.
	Ended bool `json:"e,omitempty"`
	// Seen is when it was last read, in seconds of Unix time on the server's clock.
	Seen int64 `json:"c"`
}

// Same is true where the state, the try and the date are the same.
func (e Entry) Same(o Entry) bool { return e.State == o.State && e.Try == o.Try && e.Stamp == o.Stamp }

// Cursor is up to when all changes have been delivered.
type Cursor string

// The lists that are read by changes.
const (
	Runs  Cursor = "runs"
	Tasks Cursor = "tasks"
)

// Ledger is the memory of a receiver.
type Ledger struct {
	entries map[string]Entry
	errors  map[string]ImportError
	cursors map[Cursor]time.Time
	limit   int
	evicted int
	changed bool
}

// ImportError is a file that was told to be broken.
type ImportError struct {
	File        string    `json:"file"`
	Fingerprint string    `json:"fingerprint"`
	First       time.Time `json:"first"`
}

// New returns an empty ledger of at most limit entries.
func New(limit int) *Ledger {
	return &Ledger{entries: map[string]Entry{}, errors: map[string]ImportError{}, cursors: map[Cursor]time.Time{}, limit: limit}
}

// Len is the number of entries.
func (l *Ledger) Len() int { return len(l.entries) }

// Evicted returns how many entries the limit cost since the last call.
func (l *Ledger) Evicted() int {
	n := l.evicted
	l.evicted = 0
	return n
}

// Get returns what was delivered about a run.
func (l *Ledger) Get(k Key) (Entry, bool) {
	e, ok := l.entries[k.encode()]
	return e, ok
}

// Put remembers what was delivered about a run.
func (l *Ledger) Put(k Key, e Entry) {
	name := k.encode()
	old, known := l.entries[name]
	if !known || !old.Same(e) || old.Told != e.Told {
		l.changed = true
	}
	l.entries[name] = e
	if len(l.entries) > l.limit {
		l.evict()
	}
}

// Forget drops a run that is gone.
func (l *Ledger) Forget(k Key) {
	delete(l.entries, k.encode())
	l.changed = true
}

// evict drops a tenth: what ended before what did not, the longest unseen first.
func (l *Ledger) evict() {
	names := make([]string, 0, len(l.entries))
	for n := range l.entries {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int {
		x, y := l.entries[a], l.entries[b]
		if x.Ended != y.Ended {
			if x.Ended {
				return -1
			}
			return 1
		}
		if x.Seen != y.Seen {
			if x.Seen < y.Seen {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	drop := len(l.entries) - l.limit + l.limit/10
	for _, n := range names[:drop] {
		delete(l.entries, n)
	}
	l.evicted += drop
	l.changed = true
}

// Prune forgets what ended and was not read since a time.
func (l *Ledger) Prune(before time.Time) {
	for n, e := range l.entries {
		if e.Ended && e.Seen < before.Unix() {
			delete(l.entries, n)
			l.changed = true
		}
	}
}

// Unseen returns up to limit runs (of task instances where tasks is true, else
// DAG runs) that have not ended and were not read since a time, in a fixed order.
func (l *Ledger) Unseen(since time.Time, tasks bool, limit int) []Key {
	var names []string
	for n, e := range l.entries {
		if !e.Ended && e.Seen < since.Unix() && (strings.Count(n, separator) > 1) == tasks {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	var keys []Key
	for _, n := range names[:min(len(names), limit)] {
		if k, ok := decodeKey(n); ok {
			keys = append(keys, k)
		}
	}
	return keys
}

// Cursor returns up to when a list was read; zero where it never was.
func (l *Ledger) Cursor(c Cursor) time.Time { return l.cursors[c] }

// Advance says that a list was read up to a time. It never goes back.
func (l *Ledger) Advance(c Cursor, to time.Time) {
	if to.After(l.cursors[c]) {
		l.cursors[c] = to
	}
}

// ImportErrors returns the files that were told to be broken, by name. The map
// must not be changed.
func (l *Ledger) ImportErrors() map[string]ImportError { return l.errors }

// PutImportError remembers a broken file under a name.
func (l *Ledger) PutImportError(name string, e ImportError) {
	l.errors[name] = e
	l.changed = true
}

// DropImportError forgets a broken file.
func (l *Ledger) DropImportError(name string) {
	delete(l.errors, name)
	l.changed = true
}

// version is that of the saved form.
const version = 1

type saved struct {
	Version int                    `json:"version"`
	Entries map[string]Entry       `json:"entries"`
	Errors  map[string]ImportError `json:"import_errors"`
}

// Save returns the cursors and, where anything else changed since the last call,
// the rest. They must be stored together.
func (l *Ledger) Save() (cursors, rest []byte, err error) {
	if cursors, err = json.Marshal(l.cursors); err != nil {
		return nil, nil, err
	}
	if !l.changed {
		return cursors, nil, nil
	}
	rest, err = json.Marshal(saved{Version: version, Entries: l.entries, Errors: l.errors})
	return cursors, rest, err
}

// Saved says that what Save returned is stored.
func (l *Ledger) Saved() { l.changed = false }

// Restore reads what Save returned. On an error the ledger is as it was.
func (l *Ledger) Restore(cursors, rest []byte) error {
	var c map[Cursor]time.Time
	if err := json.Unmarshal(cursors, &c); err != nil {
		return fmt.Errorf("cursors: %w", err)
	}
	var s saved
	if err := json.Unmarshal(rest, &s); err != nil {
		return fmt.Errorf("entries: %w", err)
	}
	if s.Version != version {
		return fmt.Errorf("entries: version %d, want %d", s.Version, version)
	}
	fresh := New(l.limit)
	for n, e := range s.Entries {
		if k, ok := decodeKey(n); ok {
			fresh.Put(k, e)
		}
	}
	maps.Copy(fresh.errors, s.Errors)
	maps.Copy(fresh.cursors, c)
	fresh.changed = false
	*l = *fresh
	return nil
}
