// Package schema compares the columns of a table at two times.
package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// Column is one column as its engine names and types it.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Change lists what is different. Names and types only.
type Change struct {
	// Added has "name type" for each new column, in the order of the table.
	Added []string `json:"added,omitempty"`
	// Dropped has the name of each column that is gone, in its old order.
	Dropped []string `json:"dropped,omitempty"`
	// Retyped has "name: old type -> new type" for each column of another type.
	Retyped []string `json:"retyped,omitempty"`
}

// IsZero reports whether nothing changed but, at most, the order.
func (c Change) IsZero() bool {
	return len(c.Added) == 0 && len(c.Dropped) == 0 && len(c.Retyped) == 0
}

// Compare says what became of the columns of old.
func Compare(old, current []Column) Change {
	was := make(map[string]string, len(old))
	for _, c := range old {
		was[c.Name] = c.Type
	}
	is := make(map[string]struct{}, len(current))
	var change Change
	for _, c := range current {
		is[c.Name] = struct{}{}
		before, known := was[c.Name]
		switch {
		case !known:
			change.Added = append(change.Added, label(c))
		case before != c.Type:
			change.Retyped = append(change.Retyped, c.Name+": "+before+" -> "+c.Type)
		}
	}
	for _, c := range old {
		if _, ok := is[c.Name]; !ok {
			change.Dropped = append(change.Dropped, c.Name)
		}
	}
	return change
}

// A column of SQLite may have no type.
func label(c Column) string {
	if c.Type == "" {
		return c.Name
	}
	return c.Name + " " + c.Type
}

// Hash is the SHA-256 of names and types in order, in hex. Lengths are hashed
// too, so that no name can pose as a name and a type.
func Hash(columns []Column) string {
	var text []byte
	for _, c := range columns {
		for _, part := range [...]string{c.Name, c.Type} {
			text = strconv.AppendInt(text, int64(len(part)), 10)
			text = append(text, ':')
			text = append(text, part...)
		}
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
