// Package sqlite is the embedded engine of the store: one SQLite file in a folder
// that one process owns. Writers take turns on one connection and share a sync
// where they queue; readers have connections and snapshots of their own.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // registers the driver

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

const (
	// FileName of the database in the state folder.
	FileName = "state.db"

	readerConnections = 8
	busyTimeout       = 5 * time.Second
)

var (
	// ErrReadOnly: the store was opened for reading.
	ErrReadOnly = errors.New("the state is open for reading only")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrLocked: another process has the state folder.
	ErrLocked = errors.New("in use by another process")
	// ErrSchema: the state was written by a version that this one cannot read.
	ErrSchema = errors.New("unknown schema version")
)

var _ store.Store = (*Store)(nil)

// Options of a store. The zero value is ready to use.
type Options struct {
	// ReadOnly opens without the lock and without writing, also while another process
	// has the folder. The folder and its database must exist.
	ReadOnly bool
	// Now is the clock; time.Now where it is nil.
	Now func() time.Time
	// Bounds limit what is kept.
	Bounds store.Bounds
	// MaxBytes bounds the database file, rounded up to whole pages; 0: only the disk
	// does. At the bound every write fails with store.ErrFull.
	MaxBytes int64
}

// Store is the state in one folder.
type Store struct {
	dir      string
	readOnly bool
	now      func() time.Time
	bounds   store.Bounds

	lock    *lock
	readers *sql.DB
	idle    chan *connection // of readers; nil: not made yet

	writer  *sql.DB
	turn    chan struct{} // holds one token while an Update runs
	waiting atomic.Int64  // Updates that wait for the turn
	w       writer        // under turn

	asked   subscribers
	inserts inserts
	closed  chan struct{}
	closing sync.Once
}

// Open opens the state in dir, which it creates (0700) unless it opens for reading
// only. It fails with ErrLocked while another process has the folder, and with
// ErrSchema when a newer version wrote it.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{dir: dir, readOnly: o.ReadOnly, now: o.Now, bounds: withDefaults(o.Bounds), turn: make(chan struct{}, 1),
		closed: make(chan struct{}), idle: make(chan *connection, readerConnections)}
	for range readerConnections {
		s.idle <- nil
	}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	if o.ReadOnly {
		err = s.openReadOnly()
	} else {
		err = s.open(o.MaxBytes)
	}
	if err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

func (s *Store) open(maxBytes int64) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("create the state folder: %w", err)
	}
	var err error
	if s.lock, err = takeLock(s.dir); err != nil {
		return err
	}
	path := filepath.Join(s.dir, FileName)
	// SQLite gives its other files the permissions of the database.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // in the state folder
	if err != nil {
		return fmt.Errorf("open the state: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("open the state: %w", err)
	}
	if s.writer, err = sql.Open("sqlite", dsn(path, "rwc", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "journal_size_limit(67108864)")); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	s.writer.SetMaxOpenConns(1)
	if err := s.w.connect(s.writer, maxBytes); err != nil {
		return s.explain("open "+path, err)
	}
	if err := s.w.migrate(); err != nil {
		return s.explain("prepare "+path, err)
	}
	if err := syncFolder(s.dir); err != nil {
		return fmt.Errorf("sync the state folder: %w", err)
	}
	return s.openReaders(dsn(path, "rw", "query_only(1)"))
}

func (s *Store) openReadOnly() error {
	path := filepath.Join(s.dir, FileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no state in %s: has the collector run with this folder?", s.dir)
	} else if err != nil {
		return fmt.Errorf("open the state: %w", err)
	}
	err := s.openReaders(dsn(path, "ro", "query_only(1)"))
	if err == nil || errors.Is(err, ErrSchema) {
		return err
	}
	// A copy on a medium that cannot be written, where no index of the log can be made.
	if info, e := os.Stat(path + "-wal"); e == nil && info.Size() > 0 {
		return err
	}
	if e := s.readers.Close(); e != nil {
		return errors.Join(err, e)
	}
	return s.openReaders(dsn(path, "ro", "query_only(1)") + "&immutable=1")
}

func (s *Store) openReaders(dsn string) error {
	var err error
	if s.readers, err = sql.Open("sqlite", dsn); err != nil {
		return fmt.Errorf("open the state in %s: %w", s.dir, err)
	}
	s.readers.SetMaxOpenConns(readerConnections)
	s.readers.SetMaxIdleConns(readerConnections)
	version, err := schemaVersion(context.Background(), s.readers)
	if err != nil {
		return s.explain("read the schema version of the state in "+s.dir, err)
	}
	return checkVersion(version, true)
}

func dsn(path, mode string, pragmas ...string) string {
	q := url.Values{"mode": {mode}, "_txlock": {"deferred"}}
	q.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()))
	for _, p := range pragmas {
		q.Add("_pragma", p)
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// Dir is the state folder.
func (s *Store) Dir() string { return s.dir }

// View runs fn on a snapshot. Eight run at a time; a View inside of a View takes two
// of these places.
func (s *Store) View(ctx context.Context, fn func(store.Reader) error) (err error) {
	what := "read the state in " + s.dir
	if err := ctx.Err(); err != nil {
		return err
	}
	var c *connection
	select {
	case c = <-s.idle:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return fmt.Errorf("%s: %w", what, ErrClosed)
	}
	defer func() { s.idle <- c }()
	if s.isClosed() {
		return fmt.Errorf("%s: %w", what, ErrClosed)
	}
	if c == nil {
		if c, err = connect(s.readers); err != nil {
			return s.explain(what, err)
		}
	}
	if err := c.exec(`BEGIN`); err != nil {
		err = errors.Join(err, c.close())
		c = nil // the next one gets a new connection
		return s.explain(what, err)
	}
	t := &tx{session: session{store: s, ctx: ctx, connection: c}}
	defer func() {
		t.over = true
		if e := c.exec(`ROLLBACK`); e != nil {
			_ = c.close() // the rollback has told
			c = nil
			err = errors.Join(err, s.explain(what, e))
		}
	}()
	return fn(t)
}

// Close waits for Views and the Update under way and releases the folder. Further
// calls do nothing.
func (s *Store) Close() error {
	first := false
	s.closing.Do(func() {
		first = true
		close(s.closed)
	})
	if !first {
		return nil
	}
	s.turn <- struct{}{} // kept: no Update runs any more
	s.w.commit(s)
	return s.release()
}

func (s *Store) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

func (s *Store) release() error {
	var errs []error
	if s.readers != nil {
		for range cap(s.idle) {
			errs = append(errs, (<-s.idle).close())
		}
		errs = append(errs, s.readers.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.w.close(), s.writer.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.release())
	}
	return errors.Join(errs...)
}
