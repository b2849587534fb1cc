// Package audit is the tamper-evident log of what was decided and done: a Merkle
// tree over canonical records, in the manner of Certificate Transparency (RFC 6962,
// golang.org/x/mod/sumdb/tlog), whose heads are signed as checkpoints (C2SP
// tlog-checkpoint, golang.org/x/mod/sumdb/note). The store commits a record, the
// nodes of the tree that it completes and the row that it tells of together.
package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// leaf is what is hashed into the tree. Its keys are in alphabetical order.
type leaf struct {
	Actor      string `json:"actor"`
	At         string `json:"at"`
	Commitment []byte `json:"commitment"`
	Index      int64  `json:"index"`
	Kind       string `json:"kind"`
	Subject    string `json:"subject"`
}

// Leaf returns the canonical form of r, which the tree is built over: JSON without
// spaces, keys in alphabetical order, the time in UTC with as many digits as it
// needs. The payload is in it only through its commitment.
func Leaf(r store.AuditRecord) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(leaf{
		Actor:      r.Actor,
		At:         r.At.UTC().Format(time.RFC3339Nano),
		Commitment: r.Commitment,
		Index:      r.Index,
		Kind:       r.Kind,
		Subject:    r.Subject,
	})
	if err != nil {
		return nil, fmt.Errorf("audit: write record %d as JSON: %w", r.Index, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// SaltSize is the length of a record's random salt in bytes. It keeps short
// payloads from being guessed from their commitment after they were erased.
const SaltSize = 16

// Commit returns the commitment to a payload: SHA-256 over salt and data.
func Commit(salt, data []byte) []byte {
	h := sha256.New()
	h.Write(salt)
	h.Write(data)
	return h.Sum(nil)
}
