package dialect

import (
	"context"
	"errors"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/scrub"
)

// MaxText bounds the text of a failure, in bytes.
const MaxText = 512

// ExplainAny explains an error that did not come from the engine itself.
func ExplainAny(err error) Failure {
	var failure Failure
	switch {
	case errors.As(err, &failure):
		return failure
	case errors.Is(err, ErrTableMissing):
		return Failure{TableMissing, ErrTableMissing.Error()}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return Failure{Timeout, "the database did not answer within query_timeout"}
	default:
		return Failure{QueryFailed, scrub.Text(err.Error(), MaxText)}
	}
}
