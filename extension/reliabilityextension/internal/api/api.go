// Package api is the HTTP interface to the reliability extension: what people
// and their tools can see of incidents and state, and the few things that they
// can do. Every request needs a user's token; the description is openapi.yaml.
package api

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/engine"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/users"
)

//go:embed openapi.yaml
var description []byte

const (
	maxBody  = 64 << 10
	maxItems = 1000
)

// Options are what the API needs.
type Options struct {
	Engine    *engine.Engine
	Store     store.Store
	PublicKey string // verifies the audit log's checkpoints
	Now       func() time.Time
	Heartbeat func() time.Time
	Logger    *zap.Logger
}

type server struct{ Options }

// New returns the handler.
func New(o Options) http.Handler {
	s := &server{o}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(description)
	})
	route := func(pattern string, needs store.Role, h handler) { mux.Handle(pattern, s.authorised(needs, h)) }
	route("GET /api/v1/status", store.Viewer, s.status)
	route("GET /api/v1/incidents", store.Viewer, s.incidents)
	route("GET /api/v1/incidents/{id}", store.Viewer, s.incident)
	route("POST /api/v1/incidents/{id}/close", store.Operator, s.closeIncident)
	route("GET /api/v1/silences", store.Viewer, s.silences)
	route("POST /api/v1/silences", store.Operator, s.addSilence)
	route("DELETE /api/v1/silences/{id}", store.Operator, s.endSilence)
	route("POST /api/v1/pause", store.Operator, s.pause)
	route("POST /api/v1/resume", store.Operator, s.resume)
	route("GET /api/v1/users", store.Admin, s.users)
	route("POST /api/v1/users", store.Admin, s.addUser)
	route("DELETE /api/v1/users/{name}", store.Admin, s.disableUser)
	route("GET /api/v1/audit", store.Admin, s.audit)
	route("GET /api/v1/audit/checkpoint", store.Viewer, s.checkpoint)
	return mux
}

type request struct {
	*http.Request
	user store.User
}

// handler answers with a value that becomes JSON, or with an error.
type handler func(r request) (any, error)

// invalid is a request that cannot be carried out as it is.
type invalid struct{ error }

func invalidf(format string, args ...any) error { return invalid{fmt.Errorf(format, args...)} }

func (s *server) authorised(needs store.Role, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		u, err := s.who(r)
		switch {
		case errors.Is(err, users.ErrUnknown):
			w.Header().Set("WWW-Authenticate", `Bearer realm="selfheal"`)
			s.fail(w, http.StatusUnauthorized, "a user's token is needed: Authorization: Bearer <token>")
			return
		case err != nil:
			s.answer(w, nil, err)
			return
		case !users.May(u.Role, needs):
			s.fail(w, http.StatusForbidden, fmt.Sprintf("%s is %s, this needs %s", u.Name, u.Role, needs))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		out, err := h(request{r, u})
		s.answer(w, out, err)
	})
}

func (s *server) who(r *http.Request) (u store.User, err error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return u, users.ErrUnknown
	}
	err = s.Store.View(r.Context(), func(rd store.Reader) error {
		u, err = users.Authenticate(rd, strings.TrimSpace(token))
		return err
	})
	return u, err
}

func (s *server) answer(w http.ResponseWriter, out any, err error) {
	var bad invalid
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil && out == nil:
		w.WriteHeader(http.StatusNoContent)
	case err == nil:
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(out); err != nil {
			s.Logger.Debug("an answer could not be sent", zap.Error(err))
		}
	case errors.As(err, &tooLarge):
		s.fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", maxBody))
	case errors.As(err, &bad), errors.Is(err, engine.ErrInvalid), errors.Is(err, users.ErrInvalid):
		s.fail(w, http.StatusBadRequest, err.Error())
	case errors.Is(err, store.ErrNotFound):
		s.fail(w, http.StatusNotFound, err.Error())
	case errors.Is(err, context.Canceled):
	default:
		s.Logger.Warn("a request failed", zap.Error(err))
		s.fail(w, http.StatusServiceUnavailable, "the state cannot be used now: "+err.Error())
	}
}

func (s *server) fail(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text})
}

// decode reads a JSON body whose every field is known.
func decode(r request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return err
		}
		return invalidf("the body is not what openapi.yaml says: %w", err)
	}
	return nil
}
