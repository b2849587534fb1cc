package audit

import (
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// Proof shows to whoever holds the public key that a record is in the log, without
// the rest of the log.
type Proof struct {
	Index      int64       `json:"index"`
	Leaf       string      `json:"leaf"`           // as Leaf writes it
	Salt       []byte      `json:"salt,omitempty"` // with Data, opens the commitment in the leaf
	Data       []byte      `json:"data,omitempty"`
	Path       []tlog.Hash `json:"path"`       // RFC 6962 audit path
	Checkpoint string      `json:"checkpoint"` // signed, of a tree that holds the record
}

// Prove proves that a record is in the log, under the newest stored checkpoint. It
// fails with store.ErrNotFound where there is no such record, or none that is signed.
func Prove(r store.Reader, index int64, verifier note.Verifier) (Proof, error) {
	what := fmt.Sprintf("prove audit record %d", index)
	records, err := r.Audit(index, 1)
	if err != nil {
		return Proof{}, err
	}
	if len(records) == 0 || records[0].Index != index {
		return Proof{}, fmt.Errorf("%s: %w", what, store.ErrNotFound)
	}
	last, err := r.Checkpoints(1)
	if err != nil {
		return Proof{}, err
	}
	if len(last) == 0 || last[0].Size <= index {
		return Proof{}, fmt.Errorf("%s: no checkpoint covers it yet: %w", what, store.ErrNotFound)
	}
	leaf, err := Leaf(records[0])
	if err != nil {
		return Proof{}, err
	}
	path, err := tlog.ProveRecord(last[0].Size, index, tlog.HashReaderFunc(r.AuditHashes))
	if err != nil {
		return Proof{}, fmt.Errorf("%s: %w", what, err)
	}
	p := Proof{Index: index, Leaf: string(leaf), Salt: records[0].Salt, Data: records[0].Data, Path: path, Checkpoint: string(last[0].Signed)}
	if err := p.Verify(verifier); err != nil {
		return Proof{}, fmt.Errorf("%s: %w: %w", what, ErrTampered, err)
	}
	return p, nil
}

// Verify reports whether p holds under the public key.
func (p Proof) Verify(verifier note.Verifier) error {
	head, err := openCheckpoint([]byte(p.Checkpoint), verifier)
	if err != nil {
		return fmt.Errorf("the checkpoint: %w", err)
	}
	if err := tlog.CheckRecord(p.Path, head.N, head.Hash, p.Index, tlog.RecordHash([]byte(p.Leaf))); err != nil {
		return fmt.Errorf("the path does not lead from the record to the checkpoint: %w", err)
	}
	var l leaf
	if err := json.Unmarshal([]byte(p.Leaf), &l); err != nil {
		return fmt.Errorf("the record: %w", err)
	}
	if l.Index != p.Index {
		return fmt.Errorf("the record says that it is number %d", l.Index)
	}
	if p.Salt == nil {
		return nil // the payload was erased, or is not shown
	}
	if string(Commit(p.Salt, p.Data)) != string(l.Commitment) {
		return errors.New("the payload is not the one that the record commits to")
	}
	return nil
}
