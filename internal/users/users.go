// Package users keeps the named local users: each has a role and a random
// token, of which only the hash is stored.
package users

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// FirstFile holds name and token of the user that is made at first start.
const FirstFile = "admin.token"

const prefix = "selfheal_"

var (
	// ErrUnknown: no user has this token.
	ErrUnknown = errors.New("unknown token")
	// ErrInvalid: the name or role cannot be used; the text says why.
	ErrInvalid = errors.New("invalid user")
)

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// ranks orders the roles: each holds the rights of those before it.
var ranks = []store.Role{store.Viewer, store.Operator, store.Admin}

// May reports whether a user of role has may do what needs role needs.
func May(has, needs store.Role) bool {
	return slices.Index(ranks, has) >= slices.Index(ranks, needs) && slices.Contains(ranks, has)
}

// Add makes a user and returns the token, which nothing keeps: the caller shows
// it once. A name that exists gets a new token and role; the old token ends.
func Add(tx store.Tx, by, name string, role store.Role, now time.Time) (token string, err error) {
	if !validName.MatchString(name) {
		return "", fmt.Errorf("%w: name %q: use up to 64 of a-z, 0-9, dot, dash and underscore", ErrInvalid, name)
	}
	if !slices.Contains(ranks, role) {
		return "", fmt.Errorf("%w: role %q is none of viewer, operator, admin", ErrInvalid, role)
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return "", err
	}
	token = prefix + base64.RawURLEncoding.EncodeToString(secret)
	if err := tx.PutUser(store.User{Name: name, Role: role, TokenHash: hash(token), Created: now}); err != nil {
		return "", err
	}
	return token, record(tx, by, "user.add", name, fmt.Sprintf(`{"role":%q}`, role), now)
}

// Disable ends a user's token. The last enabled admin cannot be disabled.
func Disable(tx store.Tx, by, name string, now time.Time) error {
	all, err := tx.Users()
	if err != nil {
		return err
	}
	admins := 0
	var found *store.User
	for _, u := range all {
		if u.Role == store.Admin && !u.Disabled {
			admins++
		}
		if u.Name == name {
			found = &u
		}
	}
	switch {
	case found == nil:
		return fmt.Errorf("user %s: %w", name, store.ErrNotFound)
	case found.Role == store.Admin && !found.Disabled && admins == 1:
		return fmt.Errorf("%w: %s is the last admin", ErrInvalid, name)
	}
	found.Disabled, found.TokenHash = true, nil
	if err := tx.PutUser(*found); err != nil {
		return err
	}
	return record(tx, by, "user.disable", name, "{}", now)
}

func record(tx store.Tx, by, kind, name, data string, now time.Time) error {
	return tx.AppendAudit(&store.AuditRecord{At: now, Actor: "user:" + by, Kind: kind, Subject: name, Data: []byte(data)})
}

// Authenticate returns the user that a token belongs to.
func Authenticate(r store.Reader, token string) (store.User, error) {
	if !strings.HasPrefix(token, prefix) {
		return store.User{}, ErrUnknown
	}
	all, err := r.Users()
	if err != nil {
		return store.User{}, err
	}
	// A hash of 256 random bits cannot be guessed bit by bit, so comparing hashes leaks nothing.
	h := hash(token)
	for _, u := range all {
		if !u.Disabled && bytes.Equal(u.TokenHash, h) {
			return u, nil
		}
	}
	return store.User{}, ErrUnknown
}

func hash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// First makes the user "admin" where there is none yet, and writes its token to
// a file that only its owner can read. It returns the file's path, empty where
// nothing was made.
func First(ctx context.Context, s store.Store, dir string, now time.Time) (path string, err error) {
	path = filepath.Join(dir, FirstFile)
	made := false
	err = s.Update(ctx, func(tx store.Tx) error {
		all, err := tx.Users()
		if err != nil || len(all) > 0 {
			return err
		}
		token, err := Add(tx, "engine", "admin", store.Admin, now)
		if err != nil {
			return err
		}
		made = true
		// The file is there before the user is: a token without a user can do nothing.
		return write(path, token+"\n")
	})
	if err != nil {
		return "", fmt.Errorf("make the first user: %w", err)
	}
	if !made {
		return "", nil
	}
	return path, nil
}

func write(path, content string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // the operator names the folder
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	return errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close())
}
