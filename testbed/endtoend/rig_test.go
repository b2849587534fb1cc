package endtoend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/collector"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/process"
)

// figures are what was measured; they end up in build/endtoend.json.
var figures struct {
	sync.Mutex
	of map[string]any
}

func note(t *testing.T, what string, value any) {
	t.Helper()
	t.Logf("%s: %v", what, value)
	figures.Lock()
	defer figures.Unlock()
	if figures.of == nil {
		figures.of = map[string]any{}
	}
	figures.of[what] = value
}

func TestMain(m *testing.M) {
	process.Watchdog()
	if os.Getenv("SELFHEAL_ENDTOEND") == "" {
		fmt.Println("the built programs are not tested: make test-endtoend does it")
		os.Exit(0)
	}
	code := m.Run()
	if err := errors.Join(process.EndAll(), writeFigures()); err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

func writeFigures() error {
	data, err := json.MarshalIndent(figures.of, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, "build", "endtoend.json"), append(data, '\n'), 0o600)
}

const root = "../.."

func program(t *testing.T, env, name string) string {
	t.Helper()
	path := os.Getenv(env)
	if path == "" {
		path = filepath.Join(root, "build", name)
	}
	path, err := filepath.Abs(path)
	must(t, err)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: build it with make build build-slim, or set %s", err, env)
	}
	return path
}

func full(t *testing.T) string {
	t.Helper()
	return program(t, "SELFHEAL_COLLECTOR", "otelcol-selfheal")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a program to its end and returns its exit code and all that it said.
func run(t *testing.T, path string, env []string, args ...string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Dir = append(os.Environ(), env...), t.TempDir()
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s %s does not end:\n%s", path, strings.Join(args, " "), out)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// setup is one collector with what is around it.
type setup struct {
	*collector.Collector
	sink                   *sink
	otlp, lineage          string
	folder, log, cli, text string
}

// options change the configuration of a setup.
type options struct {
	state      string // folder of the state, where it is not a new one
	reliable   string // further keys of the reliability extension, indented by four
	receivers  string
	exporters  string // further ones, indented by two
	extensions string
	metrics    string // further receivers in the pipeline of metrics, ", x"
	logs       string
	incidents  string // further exporters
	services   string // further extensions
	level      string
	env        []string
}

func port(t *testing.T) int {
	t.Helper()
	p, err := process.Port()
	must(t, err)
	return p
}

func newSetup(t *testing.T, o options) *setup {
	t.Helper()
	folder := t.TempDir()
	if o.state == "" {
		o.state = filepath.Join(folder, "state")
	}
	if o.level == "" {
		o.level = "info"
	}
	s := &setup{sink: startSink(t), folder: folder, cli: program(t, "SELFHEAL_CLI", "selfheal")}
	api, otlp, lineage := port(t), port(t), port(t)
	s.otlp, s.lineage = fmt.Sprintf("http://127.0.0.1:%d", otlp), fmt.Sprintf("http://127.0.0.1:%d", lineage)
	s.text = fmt.Sprintf(`
receivers:
  openlineage:
    endpoint: 127.0.0.1:%d
  otlp:
    protocols: {http: {endpoint: "127.0.0.1:%d"}}
%sconnectors:
  classification:
exporters:
  otlp_http:
    endpoint: %s
    compression: none
    sending_queue: {enabled: false}
    retry_on_failure: {enabled: false}
%sextensions:
%s  reliability:
    directory: %s
    http: {endpoint: "127.0.0.1:%d"}
    settle: 0s
    checkpoint_interval: 1s
%sservice:
  extensions: [reliability%s]
  telemetry:
    logs: {level: %s}
    metrics: {level: none}
  pipelines:
    metrics: {receivers: [otlp, openlineage%s], exporters: [classification, otlp_http]}
    logs: {receivers: [otlp, openlineage%s], exporters: [classification, otlp_http]}
    traces: {receivers: [openlineage], exporters: [classification, otlp_http]}
    logs/incidents: {receivers: [classification], exporters: [otlp_http%s]}
`, lineage, otlp, o.receivers, s.sink.url, o.exporters, o.extensions, o.state, api, o.reliable, o.services, o.level, o.metrics, o.logs, o.incidents)
	config := filepath.Join(folder, "collector.yaml")
	must(t, os.WriteFile(config, []byte(s.text), 0o600))
	s.Collector = collector.New("collector", full(t), config, o.state, folder, fmt.Sprintf("http://127.0.0.1:%d", api), o.env...)
	s.log = filepath.Join(folder, "collector.log")
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

func start(t *testing.T, o options) *setup {
	t.Helper()
	s := newSetup(t, o)
	s.up(t)
	return s
}

// up starts the collector and returns when it listens everywhere; the API is the first to.
func (s *setup) up(t *testing.T) {
	t.Helper()
	must(t, s.Start(within(t, 30*time.Second)))
	for _, url := range []string{s.lineage, s.otlp} {
		eventually(t, "it listens at "+url, func() bool {
			_, _, err := send(t.Context(), url, "text/plain", "", nil)
			return err == nil
		})
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// operate runs the operator's command on the setup's state folder and API.
func (s *setup) operate(t *testing.T, args ...string) (int, string) {
	t.Helper()
	return run(t, s.cli, []string{"SELFHEAL_URL=" + s.API, "SELFHEAL_DIRECTORY=" + s.State}, args...)
}

// eventually waits until done says so.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("it does not come: %s", what)
}

// send posts a body and returns status and answer.
func send(ctx context.Context, url, contentType, encoding string, body []byte) (int, string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", contentType)
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(answer), err
}

func (s *setup) event(ctx context.Context, body string) (int, string, error) {
	return send(ctx, s.lineage+"/api/v1/lineage", "application/json", "", []byte(body))
}

// failure is the event of a failed run of the job, which writes a table of its name.
func failure(job, message string) string {
	text, err := json.Marshal(message)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return fmt.Sprintf(`{"eventType":"FAIL","eventTime":%q,"producer":"https://example.com/p",
"schemaURL":"https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
"run":{"runId":"run-of-%[2]s","facets":{"errorMessage":{"_producer":"https://example.com/p","_schemaURL":"https://example.com/s","message":%[3]s,"programmingLanguage":"python"}}},
"job":{"namespace":"endtoend","name":%[2]q},"inputs":[],"outputs":[{"namespace":"postgres://db:5432","name":"d.s.%[2]s"}]}`,
		time.Now().UTC().Format(time.RFC3339Nano), job, text)
}

// fails sends the event and waits for the incident.
func (s *setup) fails(t *testing.T, job, message string) collector.Incident {
	t.Helper()
	code, answer, err := s.event(t.Context(), failure(job, message))
	must(t, err)
	if code != http.StatusOK {
		t.Fatalf("the event is answered %d %s", code, answer)
	}
	i, err := s.Await(within(t, 20*time.Second), "an incident about "+job, func(i *collector.Incident) bool {
		return i.Concerns(func(r collector.Ref) bool { return r.Name == job })
	})
	must(t, err)
	return i
}
