package failure_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/classify/failure"
)

const pythonChain = `Traceback (most recent call last):
  File "/usr/lib/python3.12/urllib/request.py", line 1344, in do_open
    h.request(req.get_method(), req.selector)
ConnectionRefusedError: [Errno 111] Connection refused

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/opt/airflow/dags/orders.py", line 31, in fetch
    return session.get(url)
  File "/venv/lib/python3.12/site-packages/requests/api.py", line 73, in get
requests.exceptions.ConnectionError: refused
on two lines

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/venv/lib/python3.12/site-packages/airflow/sdk/execution_time/task_runner.py", line 9, in run
  File "/opt/airflow/dags/orders.py", line 44, in load
RuntimeError: load failed
`

const javaChain = `Exception in thread "main" org.apache.spark.SparkException: Job aborted
	at org.apache.spark.scheduler.DAGScheduler.abort(DAGScheduler.scala:10)
	at com.acme.Load.main(Load.java:12)
Caused by: java.sql.SQLException: Connection is not available,
request timed out after 30000ms.
	at com.zaxxer.hikari.pool.HikariPool.get(HikariPool.java:99)
	at com.acme.Db.open(Db.java:41)
	... 12 more
Caused by: java.net.ConnectException: Connection refused
	at java.base/java.net.Socket.connect(Socket.java:1)
`

func TestRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		in       failure.Text
		types    []string
		raised   []bool
		messages []string
		location string
	}{
		{
			"python chain", failure.Text{Type: "RuntimeError", Message: "load failed", Stacktrace: pythonChain},
			[]string{"RuntimeError", "requests.exceptions.ConnectionError", "ConnectionRefusedError"},
			[]bool{false, false, true},
			[]string{"load failed", "refused\non two lines", "[Errno 111] Connection refused"},
			"/opt/airflow/dags/orders.py:31 in fetch",
		},
		{
			"java chain", failure.Text{Stacktrace: javaChain},
			[]string{"org.apache.spark.SparkException", "java.sql.SQLException", "java.net.ConnectException"},
			[]bool{false, true, true},
			[]string{"Job aborted", "Connection is not available,\nrequest timed out after 30000ms.", "Connection refused"},
			"Db.java:41 in com.acme.Db.open",
		},
		{
			"java inside python", failure.Text{
				Type: "py4j.protocol.Py4JJavaError", Message: "An error occurred while calling o45.save.\n: " + strings.TrimPrefix(javaChain, `Exception in thread "main" `),
			},
			[]string{"py4j.protocol.Py4JJavaError", "org.apache.spark.SparkException", "java.sql.SQLException", "java.net.ConnectException"},
			[]bool{false, true, true, true}, nil,
			"Db.java:41 in com.acme.Db.open",
		},
		{
			"go panic", failure.Text{Stacktrace: "panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:\nruntime.panic()\n\t/usr/local/go/src/runtime/panic.go:3 +0x1\nmain.main()\n\t/src/app/main.go:12 +0x2"},
			[]string{"panic"}, []bool{false}, []string{"runtime error: index out of range [3] with length 3"},
			"/src/app/main.go:12",
		},
		{"class in message", failure.Text{Message: "paramiko.ssh_exception.AuthenticationException: Authentication failed."}, []string{"paramiko.ssh_exception.AuthenticationException"}, []bool{false}, []string{"Authentication failed."}, ""},
		{"plain message", failure.Text{Message: "dial tcp: connection refused"}, []string{""}, []bool{false}, []string{"dial tcp: connection refused"}, ""},
		{"a setting is no class", failure.Text{Message: "status: failed"}, []string{""}, []bool{false}, []string{"status: failed"}, ""},
		{"message without trace", failure.Text{Type: "KeyError", Message: "'a'", Location: "dags/x.py:3 in f"}, []string{"KeyError"}, []bool{false}, []string{"'a'"}, "dags/x.py:3 in f"},
		{"nothing", failure.Text{}, nil, nil, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := failure.Read(tt.in)
			var types, messages []string
			var raised []bool
			for _, l := range f.Chain {
				types, raised, messages = append(types, l.Type), append(raised, l.Raised), append(messages, l.Message)
			}
			assert.Equal(t, tt.types, types)
			assert.Equal(t, tt.raised, raised)
			if tt.messages != nil {
				assert.Equal(t, tt.messages, messages)
			}
			assert.Equal(t, tt.location, f.Error.Location)
			assert.Equal(t, tt.types == nil, f.Empty())
		})
	}
}

func TestLongTracesKeepBothEnds(t *testing.T) {
	t.Parallel()
	trace := "Traceback (most recent call last):\n" + strings.Repeat("  File \"/venv/site-packages/x.py\", line 1, in y\n", 9000) +
		"  File \"/dags/mine.py\", line 7, in mine\nKeyError: 'x'\n"
	f := failure.Read(failure.Text{Stacktrace: trace})
	assert.Equal(t, "KeyError", f.Error.Type)
	assert.Equal(t, "/dags/mine.py:7 in mine", f.Error.Location)
	assert.LessOrEqual(t, len(f.Error.Stacktrace), failure.MaxStack)
	assert.Contains(t, f.Error.Stacktrace, "Traceback")
}

func TestSecretsDoNotPass(t *testing.T) {
	t.Parallel()
	f := failure.Read(failure.Text{
		Type: "OperationalError", Message: "postgres://u:hunter2@db/x refused",
		Stacktrace: "Traceback (most recent call last):\n  File \"/dags/a.py\", line 1, in f\n    connect(password='hunter2')\nOperationalError: postgres://u:hunter2@db/x refused",
	})
	assert.NotContains(t, f.Error.Stacktrace+f.Error.Message, "hunter2")
}

func FuzzRead(f *testing.F) {
	f.Add("RuntimeError", "load failed", pythonChain)
	f.Add("", javaChain, javaChain)
	f.Add("", "panic: x", "panic: x\n\t/a/b.go:1")
	f.Fuzz(func(t *testing.T, typ, message, stack string) {
		got := failure.Read(failure.Text{Type: typ, Message: message, Stacktrace: stack})
		require.LessOrEqual(t, len(got.Chain), failure.MaxChain)
		require.LessOrEqual(t, len(got.Error.Causes), failure.MaxChain)
		for _, s := range []struct {
			text  string
			limit int
		}{{got.Error.Type, failure.MaxType}, {got.Error.Message, failure.MaxMessage}, {got.Error.Stacktrace, failure.MaxStack}, {got.Error.Location, failure.MaxLocation}} {
			require.LessOrEqual(t, len(s.text), s.limit)
			require.True(t, utf8.ValidString(s.text))
		}
	})
}

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		" ": "",
		"requests.exceptions.ReadTimeout: timed out": "requests.exceptions.ReadTimeout",
		"it did not work":               " it did not work",
		"[10:00] start\n" + pythonChain: failure.Read(failure.Text{Stacktrace: pythonChain}).Error.Type,
		javaChain:                       failure.Read(failure.Text{Stacktrace: javaChain}).Error.Type,
		"panic: x":                      "panic",
		"we said panic: the end":        " we said panic: the end",
	} {
		f := failure.Parse(text)
		if rest, message := strings.CutPrefix(want, " "); message {
			assert.Equal(t, rest, f.Error.Message)
		} else {
			assert.Equal(t, want, f.Error.Type, text)
		}
		assert.Equal(t, want == "", f.Empty())
	}
}
