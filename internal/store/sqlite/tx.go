package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

var (
	errOver  = errors.New("the transaction is over; do not keep it after fn has returned")
	errWrite = errors.New("a View does not write")
)

// tx is one View or Update. The methods for writing fail in a View.
type tx struct{ session }

var _ store.Tx = (*tx)(nil)

// session runs statements of one transaction.
type session struct {
	store *Store
	ctx   context.Context // of the caller
	*connection
	writes bool
	over   bool
	broken error    // a statement failed: nothing of the transaction may stay
	undo   []func() // put objects of the caller back as they were
	after  []func() // run once the transaction is durable
}

func (s *session) restore() {
	for _, put := range slices.Backward(s.undo) {
		put()
	}
	s.undo = nil
}

// check says why no further statement may run, and gives the context for it. A
// writer's statements are never interrupted: SQLite would answer by dropping the
// whole transaction, with the Updates of others in it.
func (s *session) check() (context.Context, error) {
	switch {
	case s.over:
		return nil, errOver
	case s.broken != nil:
		return nil, s.broken
	}
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	if s.writes {
		return context.WithoutCancel(s.ctx), nil
	}
	return s.ctx, nil
}

func (s *session) fail(what string, err error) error {
	err = s.store.explain(what, err)
	if s.writes {
		s.broken = err
	}
	return err
}

// exec runs a statement that writes and returns how many rows it changed.
func (s *session) exec(what, q string, args ...any) (int64, error) {
	if !s.writes {
		return 0, fmt.Errorf("%s: %w", what, errWrite)
	}
	ctx, err := s.check()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	stmt, err := s.stmt(q)
	if err != nil {
		return 0, s.fail(what, err)
	}
	res, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, s.fail(what, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, s.fail(what, err)
	}
	return n, nil
}

// one reads one row; store.ErrNotFound where there is none.
func (s *session) one(what, q string, args []any, into ...any) error {
	ctx, err := s.check()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	stmt, err := s.stmt(q)
	if err != nil {
		return s.fail(what, err)
	}
	err = stmt.QueryRowContext(ctx, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w", what, store.ErrNotFound)
	}
	if err != nil {
		return s.fail(what, err)
	}
	return nil
}

// list reads all rows of a fixed query.
func list[T any](s *session, what, q string, args []any, scan func(row func(...any) error) (T, error)) ([]T, error) {
	ctx, err := s.check()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	stmt, err := s.stmt(q)
	if err != nil {
		return nil, s.fail(what, err)
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, s.fail(what, err)
	}
	return collect(s, what, rows, scan)
}

// search is list for a query whose text depends on the filter.
func search[T any](s *session, what, q string, args []any, scan func(row func(...any) error) (T, error)) ([]T, error) {
	ctx, err := s.check()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	rows, err := s.conn.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, s.fail(what, err)
	}
	return collect(s, what, rows, scan)
}

func collect[T any](s *session, what string, rows *sql.Rows, scan func(row func(...any) error) (T, error)) ([]T, error) {
	defer rows.Close() //nolint:errcheck // Err tells
	var all []T
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, s.fail(what, err)
		}
		all = append(all, v)
	}
	if err := rows.Err(); err != nil {
		return nil, s.fail(what, err)
	}
	return all, nil
}

// document reads a row that is one JSON document.
func document[T any](row func(...any) error) (T, error) {
	var v T
	var doc []byte
	if err := row(&doc); err != nil {
		return v, err
	}
	err := json.Unmarshal(doc, &v)
	return v, err
}

func pointer[T any](row func(...any) error) (*T, error) {
	v, err := document[T](row)
	return &v, err
}

func decode[T any](s *session, what string, doc []byte) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(doc, v); err != nil {
		return nil, s.fail(what, err)
	}
	return v, nil
}

// encode writes a document. Numbers that JSON has no word for are refused.
func encode(what string, v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("%s: write it as JSON: %w", what, err)
	}
	return string(b), nil
}

// nanos is the form of a time in a column. Times that do not fit are drawn to the
// nearest that does.
func nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.Year() < 1679:
		return math.MinInt64
	case t.Year() > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// number is the form of a value in a column: NULL stands for not a number.
func number(v float64) any {
	if math.IsNaN(v) {
		return nil
	}
	return v
}

func fromNumber(v sql.NullFloat64) float64 {
	if !v.Valid {
		return math.NaN()
	}
	return v.Float64
}

// ref is the form of an entity in a column that is matched or listed.
func ref(what string, e entity.Ref) (string, error) {
	if err := e.Validate(); err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return e.String(), nil
}

func marks(n int) string { return "(?" + strings.Repeat(", ?", n-1) + ")" }

// where builds the condition of a filter.
type where struct {
	terms []string
	args  []any
}

func (w *where) add(term string, args ...any) {
	w.terms = append(w.terms, term)
	w.args = append(w.args, args...)
}

func (w *where) String() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}
