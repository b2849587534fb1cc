// Package airflowfake answers as Airflow 3.3.2 was recorded to, for the few
// requests that actions need, and can be told to answer wrongly.
package airflowfake

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/conformance"
)

//go:embed testdata
var recorded embed.FS

// Task is a task instance of the one run that there is at the start.
type Task struct {
	ID       int // of the instance; a clear gives it another
	State    string
	Try      int
	Clears   int
	MapIndex int // -1: not mapped
}

// Server is one Airflow with one DAG, heal_flaky, and one run of it, r1, in which
// the task load failed and after did not run because of it. Lock Mu to change it.
type Server struct {
	URL string

	Mu     sync.Mutex
	Paused bool
	Stale  bool
	Tasks  map[string]*Task
	Runs   map[string]int // how often a run of this ID was made
	// Login, where set, is the status that every request is refused with.
	Login   int
	Changes []map[string]any // bodies of the requests that would change something

	script []conformance.Answer
	seen   func(done bool)
	down   bool
	nextID int
	http   *httptest.Server
}

// Names of what is in it.
const (
	DAG   = "heal_flaky"
	Run   = "r1"
	Load  = "load"
	After = "after"
)

// New starts one; it ends with the test.
func New(t testing.TB) *Server {
	s := &Server{
		Tasks: map[string]*Task{
			Load:  {ID: 1, State: "failed", Try: 1, MapIndex: -1},
			After: {ID: 2, State: "upstream_failed", MapIndex: -1},
		},
		Runs:   map[string]int{Run: 1},
		nextID: 3,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v2/dags", s.read(s.dags))
	mux.HandleFunc("GET /api/v2/dags/{dag}", s.read(s.dag))
	mux.HandleFunc("GET /api/v2/dags/{dag}/dagRuns/{run}", s.read(s.run))
	mux.HandleFunc("GET /api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}", s.read(s.task))
	mux.HandleFunc("GET /api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/{index}", s.read(s.task))
	mux.HandleFunc("POST /api/v2/dags/{dag}/clearTaskInstances", s.change(s.clear))
	mux.HandleFunc("POST /api/v2/dags/{dag}/dagRuns", s.change(s.trigger))
	s.http = httptest.NewServer(mux)
	s.URL = s.http.URL
	t.Cleanup(s.http.Close)
	return s
}

// Script says how the next requests that change something are dealt with.
func (s *Server) Script(answers []conformance.Answer, seen func(done bool)) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.script, s.seen = answers, seen
}

// Down breaks every connection.
func (s *Server) Down(down bool) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.down = down
}

// answer is a status and a body.
type answer struct {
	status int
	body   []byte
}

// record is a recorded answer, with some fields set.
func record(status int, name string, set map[string]any) answer {
	raw, err := recorded.ReadFile("testdata/" + name + ".json")
	if err != nil {
		panic(err)
	}
	if set == nil {
		return answer{status, raw}
	}
	return encoded(status, merged(raw, set))
}

func merged(raw []byte, set map[string]any) map[string]any {
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		panic(err)
	}
	maps.Copy(m, set)
	return m
}

func encoded(status int, v any) answer {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return answer{status, raw}
}

func (a answer) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// read serves what changes nothing.
func (s *Server) read(f func(r *http.Request) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.Mu.Lock()
		if s.down {
			s.Mu.Unlock()
			panic(http.ErrAbortHandler)
		}
		a := f(r)
		switch s.Login {
		case http.StatusUnauthorized:
			a = record(s.Login, "token_missing", nil)
		case http.StatusForbidden:
			a = record(s.Login, "token_invalid", nil)
		}
		s.Mu.Unlock()
		a.write(w)
	}
}

// change serves what changes something, as the script says.
func (s *Server) change(f func(r *http.Request, body map[string]any) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			encoded(http.StatusUnprocessableEntity, map[string]any{"detail": err.Error()}).write(w)
			return
		}
		s.Mu.Lock()
		if s.down {
			s.Mu.Unlock()
			panic(http.ErrAbortHandler)
		}
		how, seen := conformance.Confirm, s.seen
		if len(s.script) > 0 {
			how, s.script = s.script[0], s.script[1:]
		}
		s.Changes = append(s.Changes, body)
		s.Mu.Unlock()
		if seen != nil {
			seen(false)
		}
		var a answer
		if how.Does() {
			s.Mu.Lock()
			a = f(r, body)
			s.Mu.Unlock()
			if seen != nil {
				seen(true)
			}
		}
		misanswer(w, r, how, a)
	}
}

// misanswer answers a, or what how makes of it.
func misanswer(w http.ResponseWriter, r *http.Request, how conformance.Answer, a answer) {
	switch how {
	case conformance.Confirm:
		a.write(w)
	case conformance.FailBefore, conformance.FailAfter:
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
	case conformance.HangBefore, conformance.HangAfter:
		<-r.Context().Done()
	case conformance.BreakBefore, conformance.BreakAfter:
		panic(http.ErrAbortHandler)
	case conformance.HalfAfter:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		_, _ = w.Write(a.body[:len(a.body)/2])
		panic(http.ErrAbortHandler)
	case conformance.NonsenseAfter:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"task_instances": 7, "dag_run_id": []}`))
	case conformance.Throttle:
		w.Header().Set("Retry-After", "7")
		encoded(http.StatusTooManyRequests, map[string]any{"detail": "slow down"}).write(w)
	case conformance.Unauthorized:
		record(http.StatusUnauthorized, "token_missing", nil).write(w)
	}
}

// instanceID makes an ID that looks like Airflow's.
func instanceID(n int) string { return fmt.Sprintf("01a20ca3-3389-71c6-8acb-%012d", n) }
