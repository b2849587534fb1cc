package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/audit"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/killswitch"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
)

// site is an API that answers with what it is given and remembers what was asked.
type site struct {
	*testing.T
	server *httptest.Server
	state  string
	asked  []string
}

func newSite(t *testing.T, answers map[string]string) *site {
	t.Helper()
	s := &site{T: t, state: t.TempDir()}
	require.NoError(t, os.WriteFile(filepath.Join(s.state, "admin.token"), []byte("secret\n"), 0o600))
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.Equal(t, "Bearer secret", r.Header.Get("Authorization"))
		s.asked = append(s.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
		answer, ok := answers[r.Method+" "+r.URL.Path]
		switch {
		case !ok:
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error":"incident inc-1: not found"}`)
		case answer == "":
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = io.WriteString(w, answer)
		}
	}))
	t.Cleanup(s.server.Close)
	return s
}

func (s *site) run(args ...string) (code int, out, errOut string) {
	var o, e bytes.Buffer
	code = run(s.Context(), append([]string{"--url", s.server.URL, "--directory", s.state}, args...), &o, &e)
	return code, o.String(), e.String()
}

const oneIncident = `{"id":"inc-1","version":3,"state":"resolved","reason":"verified","class":"transient_failure","confidence":0.9,"rule":"http-5xx","title":"orders.extract failed: HTTPError: 503",
 "root":{"kind":"job","namespace":"default","name":"orders.extract"},"started":"2026-01-02T03:04:05Z","detected":"2026-01-02T03:04:07Z","updated":"2026-01-02T03:05:00Z",
 "decision":{"chosen":"airflow.clear_task","policy":"default.retry-transient","why":"passing","alternatives":[{"name":"escalate","score":0.3,"allowed":true,"reasons":["attention"]}]},
 "steps":[{"plan_id":"plan-1","action":"airflow.clear_task","summary":"run it again","outcome":"verified"}],
 "verification":{"conditions":[{"name":"rows_arrived","holds":true,"detail":"orders: 1000 of 1000 rows"}]}}`

func TestIncidents(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"GET /api/v1/incidents": `{"items":[` + oneIncident + `]}`, "GET /api/v1/incidents/inc-1": oneIncident})
	code, out, errOut := s.run("incidents", "--state", "resolved", "--limit", "5")
	assert.Equal(t, 0, code, errOut)
	assert.Contains(t, out, "inc-1")
	assert.Contains(t, out, "orders.extract failed: HTTPError: 503")
	assert.Equal(t, []string{"GET /api/v1/incidents?limit=5&state=resolved"}, s.asked)

	code, out, _ = s.run("incident", "inc-1")
	assert.Equal(t, 0, code)
	for _, want := range []string{"transient_failure, confidence 0.90, rule http-5xx", "weighed", "run it again → verified", "yes rows_arrived: orders: 1000 of 1000 rows", "+2s"} {
		assert.Contains(t, out, want)
	}

	code, out, _ = s.run("incident", "inc-1", "-o", "json")
	assert.Equal(t, 0, code)
	assert.True(t, json.Valid([]byte(out)))

	code, _, errOut = s.run("incident", "inc-2")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errOut, "not found")
}

func TestStatus(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"GET /api/v1/status": `{"heartbeat":"2026-01-02T03:04:05Z","paused":{"by":"ann","at":"2026-01-02T03:04:05Z","reason":"migration"},"state_ok":false,"state_error":"disk full",
		"incidents":{"open":2},"sources":[{"name":"airflow","heard":"2026-01-02T03:04:05Z"}],"executors":[{"name":"remediation","action":"airflow.clear_task","instance":"airflow/default","acting":[],"reachable":false}],
		"covered":{"jobs":3,"datasets":2,"datasets_measured":1,"edges":7},"detector":{"series_ready":5,"series_learning":4,"learning_until":"2026-01-03T00:00:00Z"},"blind_spots":["nothing measures x"]}`})
	code, out, _ := s.run("status")
	assert.Equal(t, 0, code)
	for _, want := range []string{"PAUSED", "by ann", "STATE FAILS", "disk full", "3 jobs, 1 of 2 datasets measured", "5 judged, 4 learning until about 2026-01-03", "observes, does not answer", "nothing measures x"} {
		assert.Contains(t, out, want)
	}
}

func TestTheKillSwitchWorksWithoutTheCollector(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.server.Close()
	code, _, errOut := s.run("pause", "--reason", "migration")
	assert.Equal(t, 0, code, errOut)
	require.NotNil(t, killswitch.Read(s.state))
	assert.Equal(t, "migration", killswitch.Read(s.state).Reason)
	code, _, _ = s.run("resume")
	assert.Equal(t, 0, code)
	assert.Nil(t, killswitch.Read(s.state))
}

func TestTheKillSwitchFromAnotherMachine(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"POST /api/v1/pause": "", "POST /api/v1/resume": ""})
	token := filepath.Join(s.state, "admin.token")
	s.state = filepath.Join(s.state, "elsewhere")
	code, _, errOut := s.run("pause", "--reason", "migration", "--token-file", token)
	assert.Equal(t, 0, code, errOut)
	code, _, _ = s.run("resume", "--token-file", token)
	assert.Equal(t, 0, code)
	assert.Equal(t, []string{`POST /api/v1/pause {"reason":"migration"}`, "POST /api/v1/resume"}, s.asked)
}

func TestSilences(t *testing.T) {
	t.Parallel()
	silence := `{"id":"sil-1","match":"job:*","start":"2026-01-02T03:04:05Z","end":"2026-01-02T04:04:05Z","by":"ann","comment":"c"}`
	s := newSite(t, map[string]string{"POST /api/v1/silences": silence, "GET /api/v1/silences": `{"items":[` + silence + `]}`, "DELETE /api/v1/silences/sil-1": ""})
	code, out, _ := s.run("silence", "add", "job:*", "--for", "2h", "--comment", "c")
	assert.Equal(t, 0, code)
	assert.Contains(t, out, "sil-1 until")
	code, out, _ = s.run("silence", "list")
	assert.Equal(t, 0, code)
	assert.Contains(t, out, "ann")
	code, _, _ = s.run("silence", "end", "sil-1")
	assert.Equal(t, 0, code)
}

func TestUsersWorkOnTheFolderWhileTheCollectorIsDown(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.server.Close()
	code, out, errOut := s.run("user", "add", "ann", "--role", "admin")
	assert.Equal(t, 0, code, errOut)
	assert.True(t, strings.HasPrefix(out, "selfheal_"), out)
	code, out, _ = s.run("user", "list")
	assert.Equal(t, 0, code)
	assert.Contains(t, out, "ann")
	code, _, errOut = s.run("user", "disable", "ann")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errOut, "last admin")
}

func TestAuditVerify(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.server.Close()
	key, err := audit.OpenSigner(s.state)
	require.NoError(t, err)
	for _, name := range []string{"ann", "bob"} {
		code, _, errOut := s.run("user", "add", name, "--role", "admin")
		require.Equal(t, 0, code, errOut)
	}
	file, err := sqlite.Open(s.state, sqlite.Options{})
	require.NoError(t, err)
	var head store.Checkpoint
	require.NoError(t, file.Update(t.Context(), func(tx store.Tx) (err error) {
		head, err = key.Checkpoint(tx, time.Now())
		return err
	}))
	require.NoError(t, file.Close())

	elsewhere := filepath.Join(t.TempDir(), "head")
	require.NoError(t, os.WriteFile(elsewhere, head.Signed, 0o600))
	code, out, errOut := s.run("audit", "verify", "--checkpoint", elsewhere, "--public-key", key.PublicKey())
	assert.Equal(t, 0, code, errOut)
	assert.Contains(t, out, "the log is intact")
	assert.Contains(t, out, "1 kept elsewhere agree")

	db, err := sql.Open("sqlite", filepath.Join(s.state, sqlite.FileName))
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "UPDATE audit SET actor = 'user:mallory' WHERE idx = 0")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	code, out, errOut = s.run("audit", "verify")
	assert.Equal(t, exitTampered, code)
	assert.Contains(t, out, "PROBLEM")
	assert.Contains(t, errOut, "first at record 0")

	code, _, _ = s.run("audit", "verify", "--public-key", "nonsense")
	assert.Equal(t, exitUsage, code)
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for _, args := range [][]string{
		{"incidents", "--colour"}, {"incident"}, {"pause"}, {"close", "inc-1"}, {"silence"}, {"silence", "nothing"},
		{"status", "--output", "xml"}, {"silence", "add", "job:*"}, {"user"}, {"audit"}, {"nothing"},
	} {
		code, _, errOut := s.run(args...)
		assert.Equal(t, exitUsage, code, "%v: %s", args, errOut)
	}
	s.server.Close()
	code, _, errOut := s.run("status")
	assert.Equal(t, exitUnreachable, code)
	assert.Contains(t, errOut, "does not answer")
}
