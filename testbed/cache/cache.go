// Package cache keeps what platforms install in folders that git ignores, each
// named by a hash of the lock that it was made from.
package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Root finds the checkout: the nearest folder above the working directory that
// holds builder-config.yaml.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "builder-config.yaml")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no checkout of otelcol-selfheal here: run from inside it")
		}
		dir = parent
	}
}

// Hash is a short hash of the files and words that an installation depends on.
func Hash(files []string, words ...string) (string, error) {
	h := sha256.New()
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("read a lock: %w", err)
		}
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return "", fmt.Errorf("read the lock %s: %w", path, err)
		}
	}
	for _, w := range words {
		fmt.Fprintf(h, "\x00%s", w)
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

// Once fills the folder unless it was filled completely before. Two processes
// that want the same folder wait for each other; a half-filled one is begun again.
func Once(folder string, fill func() error) error {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return fmt.Errorf("create the cache: %w", err)
	}
	lock, err := os.OpenFile(folder+".lock", os.O_CREATE|os.O_RDWR, 0o644) //nolint:gosec // an empty file
	if err != nil {
		return fmt.Errorf("lock the cache: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", folder, err)
	}
	complete := filepath.Join(folder, ".complete")
	if _, err := os.Stat(complete); err == nil {
		return nil
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("empty a half-filled folder: %w", err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("create %s: %w", folder, err)
	}
	if err := fill(); err != nil {
		return err
	}
	return os.WriteFile(complete, nil, 0o644) //nolint:gosec // an empty file
}
