package postgresql

import (
	"context"
	"errors"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/scrub"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect"
)

// Explain passes the server's message on only where it can name identifiers
// but no values: see https://www.postgresql.org/docs/current/errcodes-appendix.html.
func (Dialect) Explain(err error) dialect.Failure {
	if server, ok := errors.AsType[*pgconn.PgError](err); ok {
		return explainServer(server)
	}
	// A deadline is a network error too, and is no fault of the network's.
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return dialect.ExplainAny(err)
	}
	var connect *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connect) || errors.As(err, &network) {
		return dialect.Failure{Kind: dialect.Unreachable, Text: scrub.Text(err.Error(), dialect.MaxText)}
	}
	return dialect.ExplainAny(err)
}

func explainServer(e *pgconn.PgError) dialect.Failure {
	switch e.Code {
	case "57014":
		return dialect.Failure{Kind: dialect.Timeout, Text: "the statement ran for longer than query_timeout (SQLSTATE 57014)"}
	case "55P03":
		return dialect.Failure{Kind: dialect.LockTimeout, Text: "another session held a lock on the table for longer than lock_timeout (SQLSTATE 55P03)"}
	}
	text := "SQLSTATE " + e.Code + " (its message is withheld, it can quote values)"
	if len(e.Code) != 5 {
		return dialect.Failure{Kind: dialect.QueryFailed, Text: text}
	}
	kind, open := classify(e.Code)
	// A function of the user's may raise any code with any message.
	if open && e.Where == "" {
		text = scrub.Text(e.Message, dialect.MaxText) + " (SQLSTATE " + e.Code + ")"
	}
	return dialect.Failure{Kind: kind, Text: text}
}

// classify also says whether the message is safe to pass on.
func classify(code string) (kind dialect.Kind, open bool) {
	switch code {
	case "42P01", "3F000":
		return dialect.TableMissing, true
	case "42703":
		return dialect.ColumnMissing, true
	case "42501":
		return dialect.PermissionDenied, true
	case "3D000":
		return dialect.Unreachable, true
	case "XX001", "XX002":
		return dialect.Corrupt, false
	}
	switch code[:2] {
	case "08", "53", "57":
		return dialect.Unreachable, true
	case "28":
		return dialect.AuthenticationFailed, true
	default:
		return dialect.QueryFailed, false
	}
}
