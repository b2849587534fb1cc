package audit

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

const (
	// KeyFile holds the private key, in the form of package note. Only its owner reads it.
	KeyFile = "audit.key"
	// PublicFile holds the key that checkpoints are verified with. Keep a copy elsewhere.
	PublicFile = "audit.pub"

	originPrefix = "otelcol-selfheal/audit/"
)

// ErrTampered: the stored log does not continue the last checkpoint that was signed.
var ErrTampered = errors.New("the audit log was altered")

// Signer signs heads of one log. It is safe for concurrent use.
type Signer struct {
	signer   note.Signer
	verifier note.Verifier
	public   string
}

// OpenSigner reads the key in dir, or makes one where there is none yet (0600). It
// fails when only the public half is left: signing on with another key would hide
// that the log was replaced.
func OpenSigner(dir string) (*Signer, error) {
	path := filepath.Join(dir, KeyFile)
	private, err := os.ReadFile(path) //nolint:gosec // in the state folder
	if errors.Is(err, fs.ErrNotExist) {
		return newSigner(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("read the audit key: %w", err)
	}
	if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("read the audit key: %w", err)
	} else if info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(path, 0o600); err != nil {
			return nil, fmt.Errorf("others can read the audit key %s and it cannot be closed to them: %w", path, err)
		}
	}
	s, err := parse(strings.TrimSpace(string(private)))
	if err != nil {
		return nil, fmt.Errorf("the audit key %s is damaged, restore it from a backup: %w", path, err)
	}
	return s, s.publish(dir)
}

func newSigner(dir string) (*Signer, error) {
	if _, err := os.Stat(filepath.Join(dir, PublicFile)); err == nil {
		return nil, fmt.Errorf("%s is in %s and %s is not: restore it, or move the whole folder away to begin a new log", PublicFile, dir, KeyFile)
	}
	name := make([]byte, 8)
	rand.Read(name) //nolint:errcheck // never fails
	private, _, err := note.GenerateKey(rand.Reader, originPrefix+hex.EncodeToString(name))
	if err != nil {
		return nil, fmt.Errorf("make an audit key: %w", err)
	}
	s, err := parse(private)
	if err != nil {
		return nil, fmt.Errorf("make an audit key: %w", err)
	}
	if err := write(dir, KeyFile, private+"\n", 0o600); err != nil {
		return nil, err
	}
	return s, s.publish(dir)
}

func parse(private string) (*Signer, error) {
	signer, err := note.NewSigner(private)
	if err != nil {
		return nil, errors.New("it is no private key of package note") // the cause may quote the key
	}
	public, err := publicKey(private)
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		return nil, err
	}
	return &Signer{signer: signer, verifier: verifier, public: public}, nil
}

// publish writes the public key where it is missing.
func (s *Signer) publish(dir string) error {
	path := filepath.Join(dir, PublicFile)
	have, err := os.ReadFile(path) //nolint:gosec // in the state folder
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return write(dir, PublicFile, s.public+"\n", 0o644)
	case err != nil:
		return fmt.Errorf("read the public audit key: %w", err)
	case strings.TrimSpace(string(have)) != s.public:
		return fmt.Errorf("%s is not the public half of %s in %s: restore the one that was replaced", PublicFile, KeyFile, dir)
	}
	return nil
}

// write makes a file in one step, synced, so that a crash leaves all of it or none.
func write(dir, name, text string, mode fs.FileMode) (err error) {
	path := filepath.Join(dir, name)
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	f, err := os.CreateTemp(dir, name+".*") // 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(dir)
}

// ReadVerifier reads the public key in dir.
func ReadVerifier(dir string) (note.Verifier, error) {
	path := filepath.Join(dir, PublicFile)
	b, err := os.ReadFile(path) //nolint:gosec // in the state folder
	if err != nil {
		return nil, fmt.Errorf("read the public audit key: %w", err)
	}
	v, err := ParseVerifier(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// ParseVerifier reads a public key in the form that PublicFile has.
func ParseVerifier(text string) (note.Verifier, error) {
	v, err := note.NewVerifier(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("read a public audit key: %w", err)
	}
	return v, nil
}

// Verifier verifies what s signs.
func (s *Signer) Verifier() note.Verifier { return s.verifier }

// PublicKey is the text of PublicFile.
func (s *Signer) PublicKey() string { return s.public }

// Checkpoint signs the head of the log in tx and stores it. Where the last stored
// checkpoint already is of that size it returns that. It fails with ErrTampered
// when the log does not continue the last checkpoint.
func (s *Signer) Checkpoint(tx store.Tx, now time.Time) (store.Checkpoint, error) {
	size, err := tx.AuditSize()
	if err != nil {
		return store.Checkpoint{}, err
	}
	reader := tlog.HashReaderFunc(tx.AuditHashes)
	root, err := tlog.TreeHash(size, reader)
	if err != nil {
		return store.Checkpoint{}, fmt.Errorf("compute the head of the audit log: %w", err)
	}
	last, err := tx.Checkpoints(1)
	if err != nil {
		return store.Checkpoint{}, err
	}
	if len(last) == 1 {
		head, err := openCheckpoint(last[0].Signed, s.verifier)
		if err != nil {
			return store.Checkpoint{}, fmt.Errorf("%w: its last checkpoint: %w", ErrTampered, err)
		}
		if head.N > size {
			return store.Checkpoint{}, fmt.Errorf("%w: it holds %d records, its last checkpoint %d", ErrTampered, size, head.N)
		}
		// The stored nodes only: Verify is what reads every record.
		if old, err := tlog.TreeHash(head.N, reader); err != nil || old != head.Hash {
			return store.Checkpoint{}, fmt.Errorf("%w: its first %d records are not those of its last checkpoint", ErrTampered, head.N)
		}
		if head.N == size && last[0].Size == size {
			return last[0], nil
		}
	}
	signed, err := note.Sign(&note.Note{Text: formatHead(s.signer.Name(), tlog.Tree{N: size, Hash: root})}, s.signer)
	if err != nil {
		return store.Checkpoint{}, fmt.Errorf("sign the head of the audit log: %w", err)
	}
	c := store.Checkpoint{Size: size, Signed: signed, At: now}
	return c, tx.PutCheckpoint(c)
}

// Erase removes the payload of one record and records who did. Proofs of every
// record stay valid.
func Erase(tx store.Tx, index int64, actor string) error {
	if err := tx.EraseAudit(index); err != nil {
		return err
	}
	return tx.AppendAudit(&store.AuditRecord{Actor: actor, Kind: eraseKind, Subject: strconv.FormatInt(index, 10)})
}

// eraseKind of a record says that the payload of the record that is its subject was erased.
const eraseKind = "audit.erase"

// clean is the form in which pipelines keep a checkpoint: a body may have lost the
// newline that ends a note.
func clean(signed []byte) []byte { return append(bytes.TrimSpace(signed), '\n') }
