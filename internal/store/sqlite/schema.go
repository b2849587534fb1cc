package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// migrations lead from each schema version to the next; the first makes an empty
// database. Never change one that was released: add another.
//
// Times are nanoseconds since 1970 (0: none), references to entities are in the
// form of entity.Ref.String, doc columns are JSON.
var migrations = []string{`
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE counter (name TEXT PRIMARY KEY, value BIGINT NOT NULL);

CREATE TABLE incident (
	id TEXT PRIMARY KEY, version BIGINT NOT NULL, state TEXT NOT NULL, root TEXT NOT NULL, updated BIGINT NOT NULL, doc TEXT NOT NULL);
CREATE INDEX incident_updated ON incident (updated, id);
CREATE INDEX incident_state ON incident (state, updated);
CREATE INDEX incident_root ON incident (root, updated);

CREATE TABLE plan (
	id TEXT PRIMARY KEY, incident_id TEXT NOT NULL, status TEXT NOT NULL, resource TEXT NOT NULL, created BIGINT NOT NULL, doc TEXT NOT NULL);
CREATE INDEX plan_incident ON plan (incident_id);
CREATE INDEX plan_status ON plan (status, created);
CREATE INDEX plan_resource ON plan (resource, created);
CREATE INDEX plan_created ON plan (created, id);

CREATE TABLE outbox (sequence BIGINT PRIMARY KEY, from_state TEXT NOT NULL, recorded BIGINT NOT NULL, doc TEXT NOT NULL);
CREATE TABLE subscriber (name TEXT PRIMARY KEY, delivered BIGINT NOT NULL, asked BIGINT NOT NULL);

CREATE TABLE seen (id TEXT PRIMARY KEY, recorded BIGINT NOT NULL) WITHOUT ROWID;
CREATE INDEX seen_recorded ON seen (recorded);

CREATE TABLE fact (
	entity TEXT NOT NULL, name TEXT NOT NULL, part TEXT NOT NULL, value DOUBLE PRECISION,
	measured BIGINT NOT NULL, received BIGINT NOT NULL, changed BIGINT NOT NULL,
	PRIMARY KEY (entity, name, part)) WITHOUT ROWID;
CREATE INDEX fact_received ON fact (received);
CREATE TABLE fact_history (
	id INTEGER PRIMARY KEY, entity TEXT NOT NULL, name TEXT NOT NULL, part TEXT NOT NULL, value DOUBLE PRECISION, measured BIGINT NOT NULL);
CREATE INDEX fact_history_of ON fact_history (entity, name, measured, id);

CREATE TABLE run (
	job TEXT NOT NULL, run_id TEXT NOT NULL, received BIGINT NOT NULL, doc TEXT NOT NULL,
	PRIMARY KEY (job, run_id));
CREATE INDEX run_received ON run (job, received, run_id);
CREATE INDEX run_by_id ON run (run_id, received);
CREATE INDEX run_age ON run (received);

CREATE TABLE anomaly (
	entity TEXT NOT NULL, series TEXT NOT NULL, measured BIGINT NOT NULL, received BIGINT NOT NULL, doc TEXT NOT NULL,
	PRIMARY KEY (entity, series));
CREATE INDEX anomaly_received ON anomaly (received);

CREATE TABLE touch (entity TEXT NOT NULL, source TEXT NOT NULL, heard BIGINT NOT NULL, PRIMARY KEY (entity, source)) WITHOUT ROWID;
CREATE INDEX touch_heard ON touch (heard);
CREATE TABLE source (name TEXT PRIMARY KEY, heard BIGINT NOT NULL);

CREATE TABLE edge (
	from_ref TEXT NOT NULL, to_ref TEXT NOT NULL, relation TEXT NOT NULL, source TEXT NOT NULL, last_seen BIGINT NOT NULL,
	PRIMARY KEY (from_ref, to_ref, relation, source)) WITHOUT ROWID;
CREATE INDEX edge_last_seen ON edge (source, last_seen);
CREATE INDEX edge_age ON edge (last_seen);

CREATE TABLE outcome (plan_id TEXT PRIMARY KEY, class TEXT NOT NULL, action TEXT NOT NULL, recorded BIGINT NOT NULL, doc TEXT NOT NULL);
CREATE INDEX outcome_of ON outcome (class, action, recorded);

CREATE TABLE silence (id TEXT PRIMARY KEY, starts BIGINT NOT NULL, ends BIGINT NOT NULL, doc TEXT NOT NULL);
CREATE TABLE users (name TEXT PRIMARY KEY, token_hash BLOB NOT NULL, doc TEXT NOT NULL);

CREATE TABLE audit (
	idx BIGINT PRIMARY KEY, recorded BIGINT NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
	commitment BLOB NOT NULL, hashes BLOB NOT NULL);
CREATE TABLE audit_payload (
	idx BIGINT PRIMARY KEY REFERENCES audit (idx) ON DELETE CASCADE, salt BLOB NOT NULL, data BLOB NOT NULL);
CREATE TABLE checkpoint (size BIGINT PRIMARY KEY, signed BLOB NOT NULL, recorded BIGINT NOT NULL);
`}

// schemaVersion reads the version; 0: an empty database.
func schemaVersion(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, q string, args ...any) *sql.Row
}) (int, error) {
	var tables int
	if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_master WHERE name = 'schema_version'`).Scan(&tables); err != nil {
		return 0, err
	}
	if tables == 0 {
		return 0, nil
	}
	var version int
	err := db.QueryRowContext(ctx, `SELECT version FROM schema_version`).Scan(&version)
	return version, err
}

func checkVersion(version int, readOnly bool) error {
	switch {
	case version > len(migrations):
		return fmt.Errorf("the state has schema version %d, this program knows versions up to %d: use the newer program (%w)", version, len(migrations), ErrSchema)
	case version < len(migrations) && readOnly:
		return fmt.Errorf("the state has schema version %d, this program reads version %d: start the collector of this version once (%w)", version, len(migrations), ErrSchema)
	}
	return nil
}

// migrate brings the schema up to date in one transaction.
func (w *writer) migrate() (err error) {
	ctx := context.Background()
	if _, err := w.conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, e := w.conn.ExecContext(ctx, `ROLLBACK`)
			err = errors.Join(err, e)
		}
	}()
	version, err := schemaVersion(ctx, w.conn)
	if err != nil {
		return err
	}
	if err := checkVersion(version, false); err != nil {
		return err
	}
	if version == 0 {
		if _, err := w.conn.ExecContext(ctx, `CREATE TABLE schema_version (version INTEGER NOT NULL); INSERT INTO schema_version VALUES (0)`); err != nil {
			return err
		}
	}
	for _, m := range migrations[version:] {
		if _, err := w.conn.ExecContext(ctx, m); err != nil {
			return err
		}
	}
	if _, err := w.conn.ExecContext(ctx, `UPDATE schema_version SET version = ?`, len(migrations)); err != nil {
		return err
	}
	_, err = w.conn.ExecContext(ctx, `COMMIT`)
	return err
}
