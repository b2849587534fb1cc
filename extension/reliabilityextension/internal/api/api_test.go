package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/engine"
	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/policy"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/killswitch"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/users"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

type signer struct{}

func (signer) Checkpoint(tx store.Tx, at time.Time) (store.Checkpoint, error) {
	size, err := tx.AuditSize()
	c := store.Checkpoint{Size: size, Signed: []byte("head"), At: at}
	return c, errors.Join(err, tx.PutCheckpoint(c))
}

// site is a running API whose every answer is checked against openapi.yaml.
type site struct {
	*testing.T
	dir     string
	handler http.Handler
	engine  *engine.Engine
	tokens  map[store.Role]string
	doc     *openapi3.T
}

func newSite(t *testing.T) *site {
	t.Helper()
	x := &site{T: t, dir: t.TempDir(), tokens: map[store.Role]string{"": ""}}
	s, err := sqlite.Open(x.dir, sqlite.Options{Now: func() time.Time { return now }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	policies, err := policy.Compile(policy.Defaults())
	require.NoError(t, err)
	x.engine, err = engine.New(t.Context(), engine.Options{Store: s, Signer: signer{}, Dir: x.dir, Policies: policies, MaxEdges: 100, Logger: zap.NewNop(),
		Now: func() time.Time { return now }, Settings: engine.Settings{MaxActive: 10, MaxEvidence: 10, IgnoreOlder: time.Hour, Hops: 3}})
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
		for _, r := range []store.Role{store.Viewer, store.Operator, store.Admin} {
			token, err := users.Add(tx, "test", string(r), r, now)
			require.NoError(t, err)
			x.tokens[r] = token
		}
		return nil
	}))
	x.handler = New(Options{Engine: x.engine, Store: s, PublicKey: "selfheal+1234+key", Now: func() time.Time { return now }, Heartbeat: func() time.Time { return now }, Logger: zap.NewNop()})
	x.doc, err = openapi3.NewLoader().LoadFromData(description)
	require.NoError(t, err)
	require.NoError(t, x.doc.Validate(context.Background()))
	return x
}

func (x *site) call(role store.Role, method, path, body string) (int, string) {
	x.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(x.Context(), method, "http://127.0.0.1:8419"+path, reader)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token := x.tokens[role]; token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	x.handler.ServeHTTP(w, r)

	router, err := gorillamux.NewRouter(x.doc)
	require.NoError(x, err)
	route, params, err := router.FindRoute(r)
	require.NoError(x, err, "%s %s is not in openapi.yaml", method, path)
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
	}
	require.NoError(x, openapi3filter.ValidateResponse(x.Context(), in), "%s %s: %s", method, path, w.Body.String())
	return w.Code, w.Body.String()
}

func (x *site) trouble() string {
	x.Helper()
	require.NoError(x, x.engine.Observe(x.Context(), []observation.Observation{{ID: "1", Kind: observation.RunState, Polarity: observation.Problem, Source: "airflow",
		Entity: entity.Ref{Kind: entity.Job, Namespace: "default", Name: "d.t"}, Time: now, Run: &observation.Run{ID: "d/r/t", Phase: observation.PhaseFailed, Confirmed: true}}}))
	_, body := x.call(store.Viewer, "GET", "/api/v1/incidents", "")
	var got struct{ Items []struct{ ID string } }
	require.NoError(x, json.Unmarshal([]byte(body), &got))
	require.Len(x, got.Items, 1)
	return got.Items[0].ID
}

func TestEveryRouteAsksWhoIsThere(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	id := x.trouble()
	for _, tc := range []struct {
		method, path, body string
		needs              store.Role
		code               int
	}{
		{"GET", "/api/v1/status", "", store.Viewer, 200},
		{"GET", "/api/v1/incidents?state=open&limit=5&since=2026-01-01T00:00:00Z", "", store.Viewer, 200},
		{"GET", "/api/v1/incidents/" + id, "", store.Viewer, 200},
		{"GET", "/api/v1/silences", "", store.Viewer, 200},
		{"POST", "/api/v1/silences", `{"match":"job:*","end":"2026-01-02T04:00:00Z","comment":"c"}`, store.Operator, 200},
		{"POST", "/api/v1/pause", `{"reason":"r"}`, store.Operator, 204},
		{"POST", "/api/v1/resume", "", store.Operator, 204},
		{"POST", "/api/v1/incidents/" + id + "/close", `{"comment":"c"}`, store.Operator, 204},
		{"GET", "/api/v1/users", "", store.Admin, 200},
		{"POST", "/api/v1/users", `{"name":"ann","role":"viewer"}`, store.Admin, 200},
		{"DELETE", "/api/v1/users/ann", "", store.Admin, 204},
		{"GET", "/api/v1/audit?from=1", "", store.Admin, 200},
	} {
		code, _ := x.call("", tc.method, tc.path, tc.body)
		assert.Equal(t, 401, code, tc.path)
		for _, role := range []store.Role{store.Viewer, store.Operator} {
			if users.May(role, tc.needs) {
				continue
			}
			code, body := x.call(role, tc.method, tc.path, tc.body)
			assert.Equal(t, 403, code, tc.path)
			assert.Contains(t, body, "needs "+string(tc.needs))
		}
		code, body := x.call(tc.needs, tc.method, tc.path, tc.body)
		assert.Equal(t, tc.code, code, "%s: %s", tc.path, body)
	}
}

func TestBadRequestsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	for _, tc := range []struct {
		method, path, body, want string
		code                     int
	}{
		{"GET", "/api/v1/incidents?state=broken", "", `state \"broken\" is none of`, 400},
		{"GET", "/api/v1/incidents?limit=0", "", "limit", 400},
		{"GET", "/api/v1/incidents?since=yesterday", "", "since", 400},
		{"GET", "/api/v1/incidents/inc-none", "", "not found", 404},
		{"POST", "/api/v1/incidents/inc-none/close", `{"comment":"x"}`, "not found", 404},
		{"POST", "/api/v1/silences", `{"match":"*","end":"2026-01-02T04:00:00Z","comment":"c","colour":1}`, "colour", 400},
		{"POST", "/api/v1/silences", `{"match":"[","end":"2026-01-02T04:00:00Z","comment":"c"}`, "not a pattern", 400},
		{"POST", "/api/v1/silences", `{"match":"*","end":"2026-01-01T04:00:00Z","comment":"c"}`, "has passed", 400},
		{"POST", "/api/v1/silences", `{"match":"*","end":"2026-01-02T04:00:00Z"}`, "needs a comment", 400},
		{"POST", "/api/v1/pause", `{"reason":"` + strings.Repeat("x", maxBody) + `"}`, "longer than", 413},
		{"POST", "/api/v1/pause", `{}`, "say why", 400},
		{"POST", "/api/v1/users", `{"name":"A b","role":"viewer"}`, "use up to 64", 400},
		{"DELETE", "/api/v1/users/nobody", "", "not found", 404},
		{"DELETE", "/api/v1/silences/none", "", "not found", 404},
		{"GET", "/api/v1/audit?from=-1", "", "from", 400},
		{"GET", "/api/v1/audit/checkpoint", "", "not found", 404},
	} {
		code, body := x.call(store.Admin, tc.method, tc.path, tc.body)
		assert.Equal(t, tc.code, code, "%s %s: %s", tc.method, tc.path, body)
		assert.Contains(t, body, tc.want)
	}
}

func TestWhatIsDoneHolds(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.call(store.Operator, "POST", "/api/v1/pause", `{"reason":"migration"}`)
	assert.Equal(t, &killswitch.Pulled{By: "operator", At: now, Reason: "migration"}, killswitch.Read(x.dir))
	_, body := x.call(store.Viewer, "GET", "/api/v1/status", "")
	assert.Contains(t, body, `"reason":"migration"`)
	assert.Contains(t, body, "no remediation exporter is there")
	x.call(store.Operator, "POST", "/api/v1/resume", "")
	assert.Nil(t, killswitch.Read(x.dir))

	_, body = x.call(store.Operator, "POST", "/api/v1/silences", `{"match":"job:*","end":"2026-01-02T04:00:00Z","comment":"c"}`)
	var silence store.Silence
	require.NoError(t, json.Unmarshal([]byte(body), &silence))
	assert.Equal(t, "operator", silence.By)
	code, _ := x.call(store.Operator, "DELETE", "/api/v1/silences/"+silence.ID, "")
	assert.Equal(t, 204, code)

	require.NoError(t, x.engine.Checkpoint(t.Context()))
	_, body = x.call(store.Viewer, "GET", "/api/v1/audit/checkpoint", "")
	assert.Contains(t, body, `"signed":"head"`)
	_, body = x.call(store.Admin, "GET", "/api/v1/audit", "")
	for _, kind := range []string{"engine.start", "user.add", "killswitch.on", "killswitch.off", "silence.add", "silence.end"} {
		assert.Contains(t, body, kind)
	}
	_, body = x.call(store.Admin, "GET", "/api/v1/audit", "")
	assert.Contains(t, body, "audit.read")
	assert.NotContains(t, body, x.tokens[store.Admin])
}
