package airflow

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newTestClient starts a server with the handler and a client with the default
// configuration, changed by edit.
func newTestClient(t *testing.T, h http.HandlerFunc, edit func(*Config)) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	cfg := DefaultConfig()
	cfg.ClientConfig.Endpoint = srv.URL
	cfg.RateLimit, cfg.RateBurst = 1000, 1000
	cfg.Token = "t0"
	if edit != nil {
		edit(&cfg)
	}
	require.NoError(t, cfg.Validate())
	c, err := NewClient(t.Context(), cfg, nil, componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	return c
}

func recorded(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return raw
}

// answer writes a body as Airflow does.
func answer(w http.ResponseWriter, code int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

// play answers one path with a recorded file.
func play(t *testing.T, method, uri, file string, code int) http.HandlerFunc {
	body := recorded(t, file)
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method || r.URL.RequestURI() != uri {
			answer(w, http.StatusTeapot, []byte(`{"detail":"asked for `+r.Method+" "+r.URL.RequestURI()+`"}`))
			return
		}
		if strings.HasSuffix(file, ".ndjson") {
			w.Header().Set("Content-Type", "application/x-ndjson")
		} else {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(code)
		_, _ = w.Write(body)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	type want struct {
		kind                string
		retryable, unclear  bool
		retryAfter          time.Duration
		detail, notInString string
	}
	status := func(code int, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			answer(w, code, []byte(body))
		}
	}
	cases := map[string]struct {
		handler http.HandlerFunc
		edit    func(*Config)
		want    want
	}{
		"refused by name":      {handler: status(404, `{"detail":"The Dag was not found"}`), want: want{kind: "not_found", detail: "The Dag was not found"}},
		"forbidden":            {handler: status(403, `{"detail":"Forbidden"}`), want: want{kind: "forbidden", detail: "Forbidden"}},
		"login refused":        {handler: status(401, `{"detail":"Invalid JWT token"}`), want: want{kind: "unauthorized", detail: "Invalid JWT"}},
		"conflict":             {handler: status(409, string(recorded(t, "trigger_conflict.json"))), want: want{kind: "conflict", detail: "Unique constraint"}},
		"not valid":            {handler: status(422, `{"detail":[{"type":"missing","loc":["body"]}]}`), want: want{kind: "rejected", detail: "missing"}},
		"throttled":            {handler: status(429, `{}`, "Retry-After", "7"), want: want{kind: "throttled", retryable: true, retryAfter: 7 * time.Second, detail: "no explanation"}},
		"throttled for ever":   {handler: status(429, ``, "Retry-After", "99999999999"), want: want{kind: "throttled", retryable: true, retryAfter: maxRetryAfter}},
		"throttled for before": {handler: status(429, ``, "Retry-After", "Mon, 02 Jan 2006 15:04:05 GMT"), want: want{kind: "throttled", retryable: true}},
		"server error":         {handler: status(500, `<html>`), want: want{kind: "server", retryable: true, unclear: true}},
		"gateway":              {handler: status(502, ``), want: want{kind: "server", retryable: true, unclear: true}},
		"redirect to a login":  {handler: status(302, ``, "Location", "https://sso.example/?secret=1"), want: want{kind: "redirect", detail: "endpoint", notInString: "sso"}},
		"a page, not JSON":     {handler: status(200, `<html>`, "Content-Type", "x"), want: want{kind: "malformed", retryable: true, unclear: true}},
		"half of JSON":         {handler: status(200, `{"dag_run_id":"r"`), want: want{kind: "malformed", retryable: true, unclear: true}},
		"two values":           {handler: status(200, `{}{}`), want: want{kind: "malformed", retryable: true, unclear: true}},
		"something else":       {handler: status(200, `{}`), want: want{kind: "malformed", retryable: true, unclear: true}},
		"another type":         {handler: status(200, `[]`), want: want{kind: "malformed", retryable: true, unclear: true}},
		"too large": {
			handler: status(200, `{"dag_run_id":"`+strings.Repeat("x", 2048)+`"}`),
			edit:    func(c *Config) { c.MaxResponseSize = 1024 }, want: want{kind: "too_large", retryable: true, unclear: true, detail: "max_response_size"},
		},
		"hangs": {
			handler: func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() },
			edit:    func(c *Config) { c.ClientConfig.Timeout = 50 * time.Millisecond }, want: want{kind: "timeout", retryable: true, unclear: true},
		},
		"hangs in the answer": {
			handler: func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				answer(w, 200, []byte(`{"dag_`))
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			},
			edit: func(c *Config) { c.ClientConfig.Timeout = 50 * time.Millisecond }, want: want{kind: "timeout", retryable: true, unclear: true},
		},
		"breaks off": {
			handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			want:    want{kind: "unreachable", retryable: true, unclear: true, detail: "no answer"},
		},
		"nobody there": {
			edit: func(c *Config) { c.ClientConfig.Endpoint = "http://127.0.0.1:1" },
			want: want{kind: "unreachable", retryable: true, detail: "not sent"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newTestClient(t, tc.handler, tc.edit)
			_, err := c.TriggerDAGRun(t.Context(), "shop", TriggerRequest{RunID: "r1"})
			require.Error(t, err)
			assert.Equal(t, tc.want.kind, Kind(err), err)
			assert.Equal(t, tc.want.unclear, IsUnclear(err), "unclear: %v", err)
			assert.Equal(t, tc.want.retryable, IsRetryable(err), "retryable: %v", err)
			assert.Equal(t, tc.want.retryAfter, RetryAfter(err))
			assert.Contains(t, err.Error(), "POST /api/v2/dags/shop/dagRuns")
			assert.Contains(t, err.Error(), tc.want.detail)
			if tc.want.notInString != "" {
				assert.NotContains(t, err.Error(), tc.want.notInString)
			}
		})
	}
}

func TestInvalidArgumentsAreNotSent(t *testing.T) {
	t.Parallel()
	c := newTestClient(t, func(http.ResponseWriter, *http.Request) { t.Error("something was sent") }, nil)
	one := []TaskRef{{TaskID: "t", MapIndex: NotMapped}}
	for name, do := range map[string]func() error{
		"every DAG": func() error {
			_, err := c.ClearTaskInstances(t.Context(), "~", ClearRequest{RunID: "r", Tasks: one})
			return err
		},
		"no DAG": func() error {
			_, err := c.ClearTaskInstances(t.Context(), "", ClearRequest{RunID: "r", Tasks: one})
			return err
		},
		"a parent folder": func() error { _, err := c.DAGRun(t.Context(), "..", "r"); return err },
		"every run":       func() error { _, err := c.DAGRun(t.Context(), "d", "~"); return err },
		"no run":          func() error { _, err := c.ClearTaskInstances(t.Context(), "d", ClearRequest{Tasks: one}); return err },
		"no tasks":        func() error { _, err := c.ClearTaskInstances(t.Context(), "d", ClearRequest{RunID: "r"}); return err },
		"tasks and all": func() error {
			_, err := c.ClearTaskInstances(t.Context(), "d", ClearRequest{RunID: "r", Tasks: one, AllTasks: true})
			return err
		},
		"nameless task": func() error {
			_, err := c.ClearTaskInstances(t.Context(), "d", ClearRequest{RunID: "r", Tasks: []TaskRef{{}}})
			return err
		},
		"a run without ID":   func() error { _, err := c.TriggerDAGRun(t.Context(), "d", TriggerRequest{}); return err },
		"a name without end": func() error { _, err := c.DAG(t.Context(), strings.Repeat("x", 2000)); return err },
		"conf that is no JSON": func() error {
			_, err := c.TriggerDAGRun(t.Context(), "d", TriggerRequest{RunID: "r", Conf: map[string]any{"x": func() {}}})
			return err
		},
	} {
		err := do()
		require.Error(t, err, name)
		assert.Equal(t, "invalid", Kind(err), name)
		assert.False(t, IsUnclear(err), name)
		assert.False(t, IsRetryable(err), name)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	for _, refusal := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		t.Run(http.StatusText(refusal), func(t *testing.T) {
			t.Parallel()
			testLogin(t, refusal)
		})
	}
}

// testLogin is about an Airflow that refuses a token that it does not know with
// the status; since 3.0 that is 403.
func testLogin(t *testing.T, refusal int) {
	// Given an Airflow that hands out t1, t2, … and takes only the newest
	var logins atomic.Int64
	valid := func() string { return "t" + string('0'+rune(logins.Load())) }
	handler := func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/auth/token":
			var in map[string]string
			raw, _ := io.ReadAll(r.Body)
			if json.Unmarshal(raw, &in) != nil || in["username"] != "u" || in["password"] != "p" {
				answer(w, 401, []byte(`{"detail":"Invalid credentials"}`))
				return
			}
			logins.Add(1)
			answer(w, 201, []byte(`{"access_token":"`+valid()+`"}`))
		case r.Header.Get("Authorization") != "Bearer "+valid():
			answer(w, refusal, []byte(`{"detail":"Invalid JWT token"}`))
		default:
			answer(w, 200, recorded(t, "version.json"))
		}
	}
	c := newTestClient(t, handler, func(c *Config) { c.Token, c.Username, c.Password = "", "u", "p" })

	// When it is called twice, then one login is enough
	for range 2 {
		v, err := c.Version(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "3.3.2", v)
	}
	assert.EqualValues(t, 1, logins.Load())

	// When the token expires, then it is renewed once
	logins.Add(1)
	_, err := c.Version(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 3, logins.Load())
}

func TestWhatAUserMayNotDoAsksForNoLogin(t *testing.T) {
	t.Parallel()
	var logins, calls atomic.Int64
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/auth/token" {
			logins.Add(1)
			answer(w, 201, []byte(`{"access_token":"t"}`))
			return
		}
		calls.Add(1)
		answer(w, 403, []byte(`{"detail":"Forbidden"}`))
	}, func(c *Config) { c.Token, c.Username, c.Password = "", "u", "p" })
	_, err := c.Version(t.Context())
	assert.True(t, IsForbidden(err), "%v", err)
	assert.EqualValues(t, 1, logins.Load())
	assert.EqualValues(t, 1, calls.Load())
}

func TestATokenThatIsNeverTakenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	var logins, calls atomic.Int64
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/auth/token" {
			answer(w, 201, []byte(`{"access_token":"t`+string('0'+rune(logins.Add(1)))+`"}`))
			return
		}
		calls.Add(1)
		answer(w, 403, []byte(`{"detail":"Invalid JWT token"}`))
	}, func(c *Config) { c.Token, c.Username, c.Password = "", "u", "p" })
	_, err := c.Version(t.Context())
	assert.True(t, IsForbidden(err), "%v", err)
	assert.EqualValues(t, 2, logins.Load())
	assert.EqualValues(t, 2, calls.Load())
}

func TestCloseEndsIdleConnections(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{}, 1)
	srv := httptest.NewUnstartedServer(play(t, "GET", "/api/v2/version", "version.json", 200))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			ended <- struct{}{}
		}
	}
	srv.Start()
	defer srv.Close()
	cfg := DefaultConfig()
	cfg.ClientConfig.Endpoint, cfg.Token = srv.URL, "t"
	// What wraps the transport must not hide it
	cfg.ClientConfig.Headers.Set("X-Team", "data")
	c, err := NewClient(t.Context(), cfg, nil, componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	_, err = c.Version(t.Context())
	require.NoError(t, err)
	assert.Empty(t, ended)

	c.Close()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the connection is still there")
	}
	assert.Empty(t, cfg.ClientConfig.Middlewares)
}

func TestRefusedLoginIsNotRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	var logins atomic.Int64
	c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
		logins.Add(1)
		answer(w, 401, []byte(`{"detail":"Invalid credentials"}`))
	}, func(c *Config) { c.Token, c.Username, c.Password = "", "u", "wrong" })
	clock := time.Unix(1_800_000_000, 0)
	c.now = func() time.Time { return clock }

	for range 3 {
		_, err := c.Version(t.Context())
		require.Error(t, err)
		assert.True(t, IsUnauthorized(err))
		assert.False(t, IsUnclear(err))
		assert.NotContains(t, err.Error(), "wrong")
	}
	assert.EqualValues(t, 1, logins.Load())
	clock = clock.Add(loginPause)
	_, err := c.Version(t.Context())
	require.Error(t, err)
	assert.EqualValues(t, 2, logins.Load())
}

func TestFailedLoginLeavesNothingUnclear(t *testing.T) {
	t.Parallel()
	c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 503, nil) },
		func(c *Config) { c.Token, c.Username, c.Password = "", "u", "p" })
	_, err := c.TriggerDAGRun(t.Context(), "d", TriggerRequest{RunID: "r"})
	require.Error(t, err)
	assert.True(t, IsRetryable(err))
	assert.False(t, IsUnclear(err))
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	c := newTestClient(t, play(t, "GET", "/api/v2/version", "version.json", 200), func(c *Config) { c.RateLimit, c.RateBurst = 0.001, 1 })
	_, err := c.Version(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = c.Version(ctx)
	require.Error(t, err)
	assert.Contains(t, err.Error(), "rate_limit")
	assert.True(t, IsLimited(err))
	assert.Equal(t, "limited", Kind(err))
	assert.False(t, IsUnclear(err))
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	for key, edit := range map[string]func(*Config){
		"endpoint":              func(c *Config) { c.ClientConfig.Endpoint = "" },
		"endpoint: must be":     func(c *Config) { c.ClientConfig.Endpoint = "localhost:8080" },
		"endpoint: must not":    func(c *Config) { c.ClientConfig.Endpoint = "http://u:secret@h" },
		"endpoint: must not h":  func(c *Config) { c.ClientConfig.Endpoint = "http://h?x=1" },
		"timeout":               func(c *Config) { c.ClientConfig.Timeout = 0 },
		"username and password": func(c *Config) { c.Username = "u" },
		"token":                 func(c *Config) { c.Token, c.Username, c.Password = "t", "u", "p" },
		"rate_limit":            func(c *Config) { c.RateLimit = 0 },
		"rate_burst":            func(c *Config) { c.RateBurst = 0 },
		"max_response_size":     func(c *Config) { c.MaxResponseSize = 0 },
	} {
		cfg := DefaultConfig()
		cfg.ClientConfig.Endpoint = "http://localhost:8080"
		require.NoError(t, cfg.Validate())
		edit(&cfg)
		require.ErrorContains(t, cfg.Validate(), key)
		assert.NotContains(t, cfg.Validate().Error(), "secret")
	}
}
