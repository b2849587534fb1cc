// Package state keeps what the receiver must remember of a table across
// restarts, in an optional storage extension. It holds names, types, counts and
// identifiers of loads, and no value of any other column.
package state

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/load"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/schema"
)

// version of the stored form. State of another version is not read.
const version = 1

// Table is what is remembered of one table. The zero Table has never been seen.
type Table struct {
	Version int `json:"version"`
	// Columns as they were last seen; nil: never.
	Columns []schema.Column `json:"columns,omitempty"`
	Loads   load.Ledger     `json:"loads,omitempty"`
	// Pending changes have not been accepted by the next component yet.
	Pending []Change `json:"pending,omitempty"`
}

// Change is a change of columns that is to be reported.
type Change struct {
	schema.Change
	UID  string    `json:"uid"` // the same however often it is reported
	Hash string    `json:"hash"`
	At   time.Time `json:"at"` // when it was found
}

// Store reads and writes Tables. The zero Store keeps nothing. It is safe for
// concurrent use.
type Store struct {
	Client storage.Client
}

// Load gives the zero Table where there is none.
func (s Store) Load(ctx context.Context, key string) (Table, error) {
	if s.Client == nil {
		return Table{}, nil
	}
	text, err := s.Client.Get(ctx, key)
	if err != nil {
		return Table{}, fmt.Errorf("read state of %s: %w", key, err)
	}
	if text == nil {
		return Table{}, nil
	}
	var t Table
	if err := json.Unmarshal(text, &t); err != nil {
		return Table{}, fmt.Errorf("state of %s is damaged: %w", key, err)
	}
	if t.Version != version {
		return Table{}, fmt.Errorf("state of %s has version %d, want %d", key, t.Version, version)
	}
	return t, nil
}

// Save replaces what was stored.
func (s Store) Save(ctx context.Context, key string, t Table) error {
	if s.Client == nil {
		return nil
	}
	t.Version = version
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if err := s.Client.Set(ctx, key, text); err != nil {
		return fmt.Errorf("write state of %s: %w", key, err)
	}
	return nil
}

// Close closes the client.
func (s Store) Close(ctx context.Context) error {
	if s.Client == nil {
		return nil
	}
	return s.Client.Close(ctx)
}
