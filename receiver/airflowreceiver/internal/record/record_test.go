package record

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPhase(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]observation.Phase{
		"": "queued", "none": "queued", "scheduled": "queued", "queued": "queued",
		"running": "running", "restarting": "running", "deferred": "running",
		"up_for_retry": "retrying", "up_for_reschedule": "retrying", "success": "succeeded", "failed": "failed",
		"upstream_failed": "upstream_failed", "skipped": "skipped", "removed": "skipped", "?": "other",
	} {
		assert.Equal(t, want, Phase(state), state)
	}
	assert.False(t, Ended("?"))
	assert.False(t, Ended("up_for_retry"))
	assert.True(t, Ended("removed"))
}

func TestAssetDataset(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]Dataset{
		"postgres://h:6/db/s/t":         {"postgres://h:6", "db.s.t"},
		"postgresql://h/db/s/t":         {"postgres://h:5432", "db.s.t"},
		"file:///a/b.csv":               {"file", "/a/b.csv"},
		"sqlite:/x/shop.db/orders":      {"sqlite://", "/x/shop.db.orders"},
		"sqlite:///x/shop.db/orders":    {"sqlite://", "/x/shop.db.orders"},
		"sqlite:///x/shop?table=orders": {"sqlite://", "/x/shop.orders"},
		"sqlite:/x/shop.db":             {"sqlite://", "/x/shop.db"},
		"s3://bucket/key/x":             {"s3://bucket", "key/x"},
		"s3://bucket":                   {"s3://bucket", "/"},
		"orders":                        {"airflow", "orders"},
	} {
		got, ok := AssetDataset(uri, "n")
		assert.True(t, ok, uri)
		assert.Equal(t, want, got, uri)
	}
	got, ok := AssetDataset("", "name")
	assert.True(t, ok)
	assert.Equal(t, Dataset{"airflow", "name"}, got)
	for _, uri := range []string{"postgres:///db", "postgres://h", "sqlite:", "file://", "://", "x:" + strings.Repeat("y", 2000)} {
		_, ok := AssetDataset(uri, "n")
		assert.False(t, ok, uri)
	}
	_, ok = AssetDataset("", "")
	assert.False(t, ok)
}

func TestLastLine(t *testing.T) {
	t.Parallel()
	for trace, want := range map[string][2]string{
		"Traceback:\n  File \"x\"\nValueError: a: b\n":              {"ValueError", "a: b"},
		"Traceback:\n  File \"x\"\npkg.mod.Error: one\ntwo three\n": {"pkg.mod.Error", "one\ntwo three"},
		"KeyboardInterrupt\n":                                       {"KeyboardInterrupt", ""},
		"Timeout, PID: 12":                                          {"", "Timeout, PID: 12"},
		"":                                                          {"", ""},
	} {
		typ, message := lastLine(trace)
		assert.Equal(t, want, [2]string{typ, message}, trace)
	}
}

func TestFailureIsScrubbedAndBounded(t *testing.T) {
	t.Parallel()
	frames := []airflow.Frame{{File: "/opt/venv/lib/python3.12/site-packages/x.py", Line: 1, Function: "lib"}, {File: "/dags/mine.py", Line: 7, Function: "load"}}
	for range 60 {
		frames = append(frames, airflow.Frame{File: "/usr/lib/python3.12/" + strings.Repeat("x", 300), Line: 1, Function: "f"})
	}
	f := NewFailure(airflow.TaskLog{
		Exception: &airflow.Exception{Type: "E" + strings.Repeat("x", 500), Message: "postgres://u:hunter2@h/db " + strings.Repeat("m ", 5000), Frames: frames},
		Lines: []airflow.LogLine{
			{Event: "::group::x"}, {Event: "password=hunter2", Level: "info"}, {Event: strings.Repeat("tail ", 2000), Level: "info"}, {Event: "the end", Level: "info"},
		},
	})
	assert.LessOrEqual(t, len(f.Type), maxType)
	assert.LessOrEqual(t, len(f.Message), maxMessage)
	assert.LessOrEqual(t, len(f.Stacktrace), maxStack)
	assert.LessOrEqual(t, len(f.Tail), maxTail)
	for _, text := range []string{f.Message, f.Stacktrace, f.Tail} {
		assert.NotContains(t, text, "hunter2")
	}
	assert.True(t, strings.HasSuffix(f.Tail, "the end"))
	assert.NotContains(t, f.Tail, "::group::")
	assert.Equal(t, "/dags/mine.py", f.File)
	assert.Equal(t, 7, f.Line)
	assert.Equal(t, "load", f.Function)
	assert.Nil(t, NewFailure(airflow.TaskLog{}))
}

func TestWhatAFailureSays(t *testing.T) {
	t.Parallel()
	three := 3
	hook := "airflow.task.hooks.airflow.providers.standard.hooks.subprocess.SubprocessHook"
	bash := &airflow.Exception{Type: "AirflowException", Message: "Bash command failed.", Frames: []airflow.Frame{{File: "/lib/python3.12/site-packages/bash.py"}}}
	mine := &airflow.Exception{Type: "ValueError", Message: "mine", Frames: []airflow.Frame{{File: "/dags/mine.py", Line: 1}}}
	for name, tc := range map[string]struct {
		log  airflow.TaskLog
		want Failure
	}{
		"a program that an operator ran": {airflow.TaskLog{Exception: bash, Lines: []airflow.LogLine{
			{Level: "info", Logger: hook, Event: "Running command: ['x']"}, {Level: "info", Logger: hook, Event: "Output:"},
			{Level: "info", Logger: hook, Event: "trying"}, {Level: "info", Logger: hook, Event: "curl: (22) error: 503"},
			{Level: "info", Logger: hook, Event: "Command exited with return code 22"},
		}}, Failure{Type: "AirflowException", Message: "Bash command failed.\ntrying\ncurl: (22) error: 503"}},
		"a program of the task": {airflow.TaskLog{Lines: []airflow.LogLine{
			{Level: "info", Logger: "task.stdout", Event: "bye"}, {Level: "error", Logger: "task", Event: "Task exited", ExitCode: &three},
		}}, Failure{Message: "Task exited (exit code 3)\nbye"}},
		"killed": {airflow.TaskLog{Lines: []airflow.LogLine{
			{Level: "critical", Logger: "task", Event: "Process terminated by signal.", Signal: "SIGKILL"},
		}}, Failure{Message: "Process terminated by signal. (SIGKILL)"}},
		"an exception of one's own, whose output does not matter": {airflow.TaskLog{Exception: mine, Lines: []airflow.LogLine{
			{Level: "info", Logger: "task.stdout", Event: "debug 503"},
		}}, Failure{Type: "ValueError", Message: "mine", File: "/dags/mine.py", Line: 1}},
		"a group": {airflow.TaskLog{Exception: &airflow.Exception{Type: "ExceptionGroup", Message: "two", Group: []airflow.Exception{{Type: "A", Message: "a"}, {Type: "B", Message: "b"}}}},
			Failure{Type: "ExceptionGroup", Message: "two\nA: a\nB: b"}},
	} {
		got := NewFailure(tc.log)
		require.NotNil(t, got, name)
		assert.Equal(t, tc.log.Exception != nil, got.Stacktrace != "", name)
		got.Stacktrace, got.Tail = "", ""
		assert.Equal(t, tc.want, *got, name)
	}
	assert.Nil(t, NewFailure(airflow.TaskLog{Lines: []airflow.LogLine{{Event: "/logs/x.log"}, {Level: "info", Logger: "airflow.dag_processing.x", Event: "DAG bundles loaded"}}}))
}

func TestUserFrameOfACause(t *testing.T) {
	t.Parallel()
	f := NewFailure(airflow.TaskLog{Exception: &airflow.Exception{
		Type: "A", Frames: []airflow.Frame{{File: "<frozen x>"}, {File: `C:\py\Lib\site-packages\x.py`}},
		Causes: []airflow.Exception{{Type: "B", Frames: []airflow.Frame{{File: "mine.py", Line: 2}}}},
	}})
	assert.Equal(t, "mine.py", f.File)
}

func TestUIDs(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	add := func(s Source, r Run) string {
		b := s.NewBatch(time.Unix(1, 0))
		b.AddRun(r)
		v, ok := b.Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().Get(uidAttribute)
		require.True(t, ok)
		return v.Str()
	}
	one := Run{DAG: "d", RunID: "r", Task: "t", MapIndex: -1, Phase: "failed", Try: 1, Attempt: 1, Event: "e"}
	for _, r := range []Run{
		one, {DAG: "d", RunID: "r", Phase: "failed", Event: "e"}, {DAG: "d", RunID: "r", Task: "t", Phase: "failed", Try: 1, Attempt: 1, Event: "e"},
		{DAG: "d", RunID: "r", Task: "t", MapIndex: -1, Phase: "failed", Try: 2, Attempt: 2, Event: "e"},
		{DAG: "d", RunID: "r", Task: "t", MapIndex: -1, Phase: "succeeded", Try: 1, Attempt: 1, Event: "e"},
		{DAG: "d", RunID: "r", Task: "t", MapIndex: -1, Phase: "failed", Try: 1, Attempt: 1, Event: "f"},
	} {
		u := add(Source{Instance: "a"}, r)
		assert.False(t, seen[u], r)
		seen[u] = true
	}
	assert.True(t, seen[add(Source{Instance: "a"}, one)], "the same at any time")
	assert.False(t, seen[add(Source{Instance: "b"}, one)], "another installation")
	assert.NotEqual(t, uid("ab", "c"), uid("a", "bc"))
}

func TestOwner(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "a, b", Owner([]string{"b", "a", "b"}))
	assert.Empty(t, Owner(nil))
	assert.LessOrEqual(t, len(Owner([]string{strings.Repeat("ä", 500)})), maxOwner)
}

func TestDefinitionIsBounded(t *testing.T) {
	t.Parallel()
	d := Definition{DAG: "d", Task: "t", Upstream: make([]string, 1000), Inputs: make([]Dataset, 1000)}
	b := Source{}.NewBatch(time.Unix(1, 0))
	b.AddDefinition(d, time.Unix(1, 0))
	m := b.Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes()
	up, _ := m.Get(vocab.PipelineUpstream)
	assert.Equal(t, maxUpstream, up.Slice().Len())
	in, _ := m.Get(vocab.PipelineInputs)
	assert.Equal(t, maxDatasets, in.Slice().Len())
	other := d
	other.Paused = true
	assert.NotEqual(t, d.Fingerprint(), other.Fingerprint())
}

func FuzzFailure(f *testing.F) {
	f.Add("ValueError", "password=x", "a\nb", "/dags/x.py")
	f.Fuzz(func(t *testing.T, typ, message, tail, file string) {
		fail := NewFailure(airflow.TaskLog{
			Exception: &airflow.Exception{Type: typ, Message: message, Frames: []airflow.Frame{{File: file}}},
			Lines:     []airflow.LogLine{{Event: tail, Level: "error"}},
		})
		if fail == nil {
			return
		}
		if len(fail.Message) > maxMessage || len(fail.Stacktrace) > maxStack || len(fail.Tail) > maxTail || len(fail.Type) > maxType {
			t.Errorf("too long: %+v", fail)
		}
		b := Source{}.NewBatch(time.Unix(1, 0))
		b.AddRun(Run{DAG: "d", RunID: "r", Failure: fail})
	})
}
