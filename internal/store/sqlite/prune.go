package sqlite

import (
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
)

func (t *tx) Prune(before time.Time) (int, error) {
	old := nanos(before)
	forget := max(old, nanos(t.store.now().Add(-t.store.bounds.SeenRetention)))
	resolved, suppressed := string(incident.Resolved), string(incident.Suppressed)
	total := 0
	for _, d := range []struct {
		what, q string
		args    []any
	}{
		{"plans of old incidents", `DELETE FROM plan WHERE incident_id IN (SELECT id FROM incident WHERE state IN (?, ?) AND updated < ?)`,
			[]any{resolved, suppressed, old}},
		{"old incidents", `DELETE FROM incident WHERE state IN (?, ?) AND updated < ?`, []any{resolved, suppressed, old}},
		{"old plans", `DELETE FROM plan WHERE status IN (?, ?, ?) AND created < ? AND NOT EXISTS (SELECT 1 FROM incident i WHERE i.id = plan.incident_id)`,
			[]any{string(action.Done), string(action.Void), string(action.Observed), old}},
		{"old facts", `DELETE FROM fact WHERE received < ?`, []any{old}},
		{"history of old facts", `DELETE FROM fact_history WHERE measured < ? AND NOT EXISTS (
			SELECT 1 FROM fact f WHERE f.entity = fact_history.entity AND f.name = fact_history.name)`, []any{old}},
		{"old runs", `DELETE FROM run WHERE received < ?`, []any{old}},
		{"old verdicts", `DELETE FROM anomaly WHERE received < ?`, []any{old}},
		{"old touches", `DELETE FROM touch WHERE heard < ?`, []any{old}},
		{"ended silences", `DELETE FROM silence WHERE ends < ?`, []any{old}},
		{"seen IDs", `DELETE FROM seen WHERE recorded < ?`, []any{forget}},
	} {
		n, err := t.exec("drop "+d.what, d.q, d.args...)
		if err != nil {
			return 0, err
		}
		total += int(n)
	}
	n, err := t.leave(old)
	return total + n, err
}

// leave drops subscribers that no longer ask, which would hold the outbox for ever.
func (t *tx) leave(before int64) (int, error) {
	if err := t.register(); err != nil {
		return 0, err
	}
	gone, err := list(&t.session, "read subscribers", `SELECT name FROM subscriber WHERE asked < ? ORDER BY name`, []any{before},
		func(row func(...any) error) (name string, err error) { return name, row(&name) })
	if err != nil || len(gone) == 0 {
		return 0, err
	}
	for _, name := range gone {
		if _, err := t.exec("drop subscriber "+name, `DELETE FROM subscriber WHERE name = ?`, name); err != nil {
			return 0, err
		}
		t.store.asked.forget(name)
	}
	_, err = t.exec("clear the outbox", `DELETE FROM outbox WHERE sequence <= (SELECT MIN(delivered) FROM subscriber)`)
	return len(gone), err
}
