package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// maxBatch bounds the Updates that one sync makes durable.
const maxBatch = 256

// errAborted: SQLite gave the whole transaction up because of a failed statement.
var errAborted = errors.New("the transaction was given up")

// writer is the one connection that writes. The holder of the turn owns it.
type writer struct {
	*connection
	open *batch // the transaction under way; nil: none
}

// batch is one transaction of the database: several Updates that are made durable
// together, each isolated from the failure of another by a savepoint.
type batch struct {
	members int
	undo    []func() // put objects of callers back as they were
	after   []func() // run once it is durable
	done    chan struct{}
	err     error // after done
}

func (w *writer) connect(db *sql.DB, maxBytes int64) error {
	ctx := context.Background()
	var err error
	if w.connection, err = connect(db); err != nil {
		return err
	}
	if maxBytes <= 0 {
		return nil
	}
	var page int64
	if err := w.conn.QueryRowContext(ctx, `PRAGMA page_size`).Scan(&page); err != nil {
		return err
	}
	_, err = w.conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA max_page_count = %d`, (maxBytes+page-1)/page))
	return err
}

// Update runs fn in its turn. Updates that queue behind it are made durable by the
// same sync; each of them returns only after that.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	if s.readOnly {
		return fmt.Errorf("write to the state in %s: %w", s.dir, ErrReadOnly)
	}
	if err := s.takeTurn(ctx); err != nil {
		return err
	}
	b, err := s.join(ctx, fn)
	if err != nil {
		return err
	}
	if b == nil {
		return nil
	}
	select {
	case <-b.done:
	case s.turn <- struct{}{}:
		// Everyone who queued before us has joined by now. Whoever holds the turn while the
		// batch is open may finish it.
		if s.w.open == b {
			s.w.commit(s)
		}
		<-s.turn
	}
	<-b.done
	return b.err
}

func (s *Store) takeTurn(ctx context.Context) error {
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.isClosed() {
		return fmt.Errorf("write to the state in %s: %w", s.dir, ErrClosed)
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.isClosed() {
		<-s.turn
		return fmt.Errorf("write to the state in %s: %w", s.dir, ErrClosed)
	}
	return nil
}

// join runs fn as a member of the open batch and gives the turn back. It returns
// the batch to wait for.
func (s *Store) join(ctx context.Context, fn func(store.Tx) error) (*batch, error) {
	w := &s.w
	kept := false
	t := &tx{session: session{store: s, ctx: ctx, connection: w.connection, writes: true}}
	defer func() {
		// Not kept also when fn panics.
		if !kept {
			w.forget(s, t)
		}
		<-s.turn
	}()
	if err := w.begin(); err != nil {
		return nil, s.explain("write to the state in "+s.dir, err)
	}
	err := fn(t)
	if err == nil {
		err = t.broken
	}
	if err == nil {
		err = ctx.Err()
	}
	t.over = true
	if err != nil {
		return nil, err
	}
	if w.open.members > 0 {
		if err := w.exec(`RELEASE member`); err != nil {
			return nil, s.explain("write to the state in "+s.dir, err)
		}
	}
	kept = true
	b := w.open
	b.members++
	b.undo = append(b.undo, t.undo...)
	b.after = append(b.after, t.after...)
	if s.waiting.Load() == 0 || b.members >= maxBatch {
		w.commit(s)
	}
	return b, nil
}

// begin opens a transaction, or a savepoint in the one that is open.
func (w *writer) begin() error {
	if w.open != nil {
		return w.exec(`SAVEPOINT member`)
	}
	if err := w.exec(`BEGIN IMMEDIATE`); err != nil {
		return err
	}
	w.open = &batch{done: make(chan struct{})}
	return nil
}

// forget takes back what t did and leaves the other members of the batch alone.
func (w *writer) forget(s *Store, t *tx) {
	t.over = true
	t.restore()
	if w.open == nil {
		return
	}
	if w.open.members == 0 {
		w.rollback(nil)
		return
	}
	if err := errors.Join(w.exec(`ROLLBACK TO member`), w.exec(`RELEASE member`)); err != nil {
		cause := t.broken
		if cause == nil {
			cause = err
		}
		w.rollback(s.explain("write to the state in "+s.dir, fmt.Errorf("%w: %w", errAborted, cause)))
	}
}

// commit makes the open batch durable and tells its members.
func (w *writer) commit(s *Store) {
	if w.open == nil {
		return
	}
	if err := w.exec(`COMMIT`); err != nil {
		w.rollback(s.explain("write to the state in "+s.dir, err))
		return
	}
	b := w.open
	w.open = nil
	for _, f := range b.after {
		f()
	}
	close(b.done)
}

// rollback drops the open batch; its members are told err.
func (w *writer) rollback(err error) {
	// Fails when SQLite has rolled back by itself, which it does for some errors.
	_ = w.exec(`ROLLBACK`)
	b := w.open
	w.open = nil
	for _, put := range slices.Backward(b.undo) {
		put()
	}
	b.err = err
	close(b.done)
}
