package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// connection is one connection to the database with its prepared statements. One
// goroutine uses it at a time.
type connection struct {
	conn       *sql.Conn
	statements map[string]*sql.Stmt // by text
}

func connect(db *sql.DB) (*connection, error) {
	conn, err := db.Conn(context.Background())
	if err != nil {
		return nil, err
	}
	return &connection{conn: conn, statements: map[string]*sql.Stmt{}}, nil
}

func (c *connection) stmt(q string) (*sql.Stmt, error) {
	if stmt, ok := c.statements[q]; ok {
		return stmt, nil
	}
	stmt, err := c.conn.PrepareContext(context.Background(), q)
	if err != nil {
		return nil, err
	}
	c.statements[q] = stmt
	return stmt, nil
}

// exec runs a statement of transaction control, which nothing may interrupt.
func (c *connection) exec(q string) error {
	stmt, err := c.stmt(q)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(context.Background())
	return err
}

func (c *connection) close() error {
	if c == nil {
		return nil
	}
	var errs []error
	for _, stmt := range c.statements {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, c.conn.Close())...)
}
