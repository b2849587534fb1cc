package airflowactions

import (
	"errors"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/platform"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
)

// calling says what the failure of a request that changes something means.
func calling(err error) *platform.Error {
	if airflow.IsUnclear(err) {
		return &platform.Error{Kind: platform.Unclear, Wait: airflow.RetryAfter(err), Err: err}
	}
	return refused(err)
}

// reading says what the failure of a request that changes nothing means: where
// the answer does not come or cannot be read, the platform does not answer.
func reading(err error) *platform.Error {
	if airflow.IsUnclear(err) {
		return &platform.Error{Kind: platform.Unreachable, Wait: airflow.RetryAfter(err), Err: err}
	}
	return refused(err)
}

// refused is for requests that certainly had no effect.
func refused(err error) *platform.Error {
	kind := platform.Unreachable
	switch airflow.Kind(err) {
	case "unauthorized":
		kind = platform.Unauthenticated
	case "forbidden":
		kind = platform.Forbidden
		if loginRefused(err) {
			kind = platform.Unauthenticated
		}
	case "not_found":
		kind = platform.Gone
		if notAirflow(err) {
			kind = platform.Unreachable
		}
	case "conflict":
		kind = platform.Conflict
	case "throttled":
		kind = platform.Throttled
	case "rejected", "invalid":
		kind = platform.Refused
	}
	return &platform.Error{Kind: kind, Wait: airflow.RetryAfter(err), Err: err}
}

// loginRefused: Airflow answers 403 also to a token that it cannot read, such as
// one of before its secret was changed, and to a user that may not log in.
func loginRefused(err error) bool {
	e, ok := errors.AsType[*airflow.Error](err)
	return ok && (e.Detail == "Invalid JWT token" || e.Path == "/auth/token")
}

// notAirflow: Airflow's own 404 names what it does not know. One that names
// nothing comes from a proxy or a wrong endpoint, and says nothing of the target.
func notAirflow(err error) bool {
	e, ok := errors.AsType[*airflow.Error](err)
	return ok && (e.Detail == "no explanation" || e.Detail == "Not Found")
}
