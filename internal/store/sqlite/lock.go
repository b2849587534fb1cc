package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// lockName is the file that the owner of the folder holds locked. It stays there:
// removing it would let two processes lock two files of one name.
const lockName = "lock"

type lock struct{ file *os.File }

func takeLock(dir string) (*lock, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // in the state folder
	if err != nil {
		return nil, fmt.Errorf("lock the state folder: %w", err)
	}
	busy, err := lockFile(f)
	if err != nil {
		holder := make([]byte, 32)
		n, _ := f.ReadAt(holder, 0) // short: the file holds less than that
		_ = f.Close()               // nothing was written
		if !busy {
			return nil, fmt.Errorf("lock the state folder %s: %w", dir, err)
		}
		who := ""
		if pid, e := strconv.Atoi(strings.TrimSpace(string(holder[:n]))); e == nil {
			who = fmt.Sprintf(" (process %d)", pid)
		}
		return nil, fmt.Errorf("the state folder %s is %w%s: stop it, or give this one a folder of its own", dir, ErrLocked, who)
	}
	l := &lock{file: f}
	if err := l.sign(); err != nil {
		return nil, errors.Join(fmt.Errorf("write the lock of the state folder %s: %w", dir, err), l.release())
	}
	return l, nil
}

// sign leaves our process ID for whoever is refused.
func (l *lock) sign() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func (l *lock) release() error {
	return errors.Join(l.file.Truncate(0), unlockFile(l.file), l.file.Close())
}
