package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// noRoom is how little free space makes an I/O error one of missing room: quotas
// and some file systems fail in other words than "no space left".
const noRoom = 1 << 20

// explain turns what the driver says into the store's errors.
func (s *Store) explain(what string, err error) error {
	if err == nil {
		return nil
	}
	var e *driver.Error
	switch {
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrNotFound), errors.Is(err, ErrSchema):
		return fmt.Errorf("%s: %w", what, err)
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%s: %w", what, store.ErrNotFound)
	case !errors.As(err, &e):
		return fmt.Errorf("%s: %w", what, err)
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_FULL:
		return fmt.Errorf("%s: %w: free space on the disk of %s, or raise its bound (%w)", what, store.ErrFull, s.dir, err)
	case lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN:
		if free, statErr := freeBytes(s.dir); statErr == nil && free < noRoom {
			return fmt.Errorf("%s: %w: free space on the disk of %s (%w)", what, store.ErrFull, s.dir, err)
		}
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return fmt.Errorf("%s: the database in %s is damaged; restore it from a backup: %w", what, s.dir, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
