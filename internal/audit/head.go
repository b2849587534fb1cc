package audit

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// formatHead writes a tree head as the text of a C2SP tlog-checkpoint
// (https://c2sp.org/tlog-checkpoint): origin, size, root.
func formatHead(origin string, t tlog.Tree) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, t.N, t.Hash)
}

func parseHead(text, origin string) (tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return tlog.Tree{}, errors.New("it is no checkpoint: origin, size and root want a line each")
	}
	if lines[0] != origin {
		return tlog.Tree{}, fmt.Errorf("it is of the log %q, not %q", lines[0], origin)
	}
	n, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || n < 0 || lines[1] != strconv.FormatInt(n, 10) {
		return tlog.Tree{}, fmt.Errorf("%q is no size of a tree", lines[1])
	}
	h, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("%q is no root of a tree", lines[2])
	}
	return tlog.Tree{N: n, Hash: h}, nil
}

// openCheckpoint verifies a signed checkpoint and reads it.
func openCheckpoint(signed []byte, v note.Verifier) (tlog.Tree, error) {
	n, err := note.Open(clean(signed), note.VerifierList(v))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("it is not signed by %s: %w", v.Name(), err)
	}
	return parseHead(n.Text, v.Name())
}

// publicKey derives the public form of a private key of package note, which is
// "PRIVATE+KEY+name+hash+base64(1 || seed)".
func publicKey(private string) (string, error) {
	parts := strings.SplitN(private, "+", 5)
	if len(parts) != 5 {
		return "", errors.New("it has not the parts of a private key")
	}
	raw, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return "", errors.New("it holds no Ed25519 seed")
	}
	public := ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey)
	return note.NewEd25519VerifierKey(parts[2], public)
}
