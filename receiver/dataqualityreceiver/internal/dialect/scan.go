package dialect

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/load"
)

// Statement is the one statement that measures a table. Parts whose columns
// cannot be used are left out and come back as failures; the rest stands.
func Statement(d Dialect, t Table, shape Shape, window int) (string, []Failure) {
	var failures []Failure
	find := func(key, name string) (Column, bool) {
		if name == "" {
			return Column{}, false
		}
		c, ok := shape.Column(name)
		if !ok {
			failures = append(failures, Failure{ColumnMissing, fmt.Sprintf("%s: the table has no column %q", key, name)})
		}
		return c, ok
	}
	q := query{table: d.Reference(t), zoned: "NULL", local: "NULL", size: d.Size(shape), duplicates: "NULL", window: window}
	if c, ok := find("timestamp_column", t.Timestamp); ok {
		zoned, local, err := d.Newest(c)
		if err != nil {
			failures = append(failures, Failure{ColumnUnsuitable, "timestamp_column: " + err.Error()})
		} else {
			q.zoned, q.local, q.timed = zoned, local, true
		}
	}
	if c, ok := find("load_column", t.Load); ok {
		q.load, q.loadType = d.Quote(c.Name), d.LoadType(c, "newest.id")
	}
	keys := make([]string, 0, len(t.Key))
	for _, name := range t.Key {
		if c, ok := find("key", name); ok {
			keys = append(keys, d.Quote(c.Name))
		}
	}
	// A load column that is missing must not turn the check of the newest loads
	// into one of the whole table.
	if len(keys) > 0 && len(keys) == len(t.Key) && (t.Load == "") == (q.load == "") {
		q.duplicates = q.duplicated(keys)
	}
	return q.text(), failures
}

type query struct {
	table, load, loadType string
	zoned, local          string
	size, duplicates      string
	timed                 bool
	window                int
}

// text has one row for each of the newest loads, and at least one row. Without
// a load column it has one row. Every row repeats the totals.
func (q query) text() string {
	if q.load == "" {
		return "SELECT count(*), " + q.zoned + ", " + q.local + ", " + q.size + ", " + q.duplicates +
			", NULL, NULL, NULL FROM " + q.table
	}
	// The newest load is the one with the newest row, so that a load that ran
	// again counts as new. Without times it is the one with the greatest ID.
	rank := "id"
	if q.timed {
		rank = "coalesce(CASE WHEN zoned > local THEN zoned ELSE local END, zoned)"
	}
	return "WITH loads AS MATERIALIZED (SELECT " + q.load + " AS id, count(*) AS n, " + q.zoned + " AS zoned, " + q.local + " AS local FROM " + q.table + " GROUP BY 1)" +
		", newest AS MATERIALIZED (SELECT id, n, " + rank + " AS ord FROM loads WHERE id IS NOT NULL ORDER BY ord DESC NULLS LAST, id DESC LIMIT " + strconv.Itoa(q.window) + ")" +
		", totals AS (SELECT CAST(coalesce(sum(n), 0) AS bigint) AS n, max(zoned) AS zoned, max(local) AS local FROM loads)" +
		" SELECT totals.n, totals.zoned, totals.local, " + q.size + ", " + q.duplicates + ", CAST(newest.id AS text), " + q.loadType + ", newest.n" +
		" FROM totals LEFT JOIN newest ON 1 = 1 ORDER BY newest.ord NULLS FIRST, newest.id"
}

// duplicated counts the rows beyond the first of each key, among the newest
// loads where there are loads. As for a unique constraint, a key with a NULL in
// it equals no other.
func (q query) duplicated(keys []string) string {
	where := strings.Join(keys, " IS NOT NULL AND ") + " IS NOT NULL"
	if q.load != "" {
		where += " AND " + q.load + " IN (SELECT id FROM newest)"
	}
	return "(SELECT CAST(coalesce(sum(n - 1), 0) AS bigint) FROM (SELECT count(*) AS n FROM " + q.table + " WHERE " + where +
		" GROUP BY " + strings.Join(keys, ", ") + " HAVING count(*) > 1) AS duplicated)"
}

// UnixSeconds is an SQL expression that reads number, a Unix time, in the unit
// that its magnitude tells: seconds below 10^11, milliseconds below 10^14,
// microseconds below 10^17, else nanoseconds.
func UnixSeconds(number string) string {
	return "CASE WHEN abs(" + number + ") < 1e11 THEN " + number + " WHEN abs(" + number + ") < 1e14 THEN " + number + " / 1e3" +
		" WHEN abs(" + number + ") < 1e17 THEN " + number + " / 1e6 ELSE " + number + " / 1e9 END"
}

// Read runs a Statement.
func Read(ctx context.Context, q Querier, statement string) (Measurement, error) {
	rows, err := q.QueryContext(ctx, statement)
	if err != nil {
		return Measurement{}, err
	}
	defer func() { _ = rows.Close() }()
	var m Measurement
	found := false
	for rows.Next() {
		var id *string
		var kind, n *int64
		if err := rows.Scan(&m.Rows, &m.Zoned, &m.Local, &m.Size, &m.Duplicates, &id, &kind, &n); err != nil {
			return Measurement{}, err
		}
		found = true
		if id != nil && kind != nil && n != nil {
			m.Loads = append(m.Loads, Load{ID: *id, Type: load.Type(*kind), Rows: *n})
		}
	}
	if err := rows.Err(); err != nil {
		return Measurement{}, err
	}
	// An aggregate always has a row; none must never become a count of 0.
	if !found {
		return Measurement{}, Failure{QueryFailed, "the database returned no row for an aggregate"}
	}
	return m, nil
}
