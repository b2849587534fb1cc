package exception

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const python = `Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/airflow/sdk/runner.py", line 1579, in run
    result = execute()
  File "/opt/dags/orders.py", line 41, in load
    total = rows / 0
ZeroDivisionError: division by zero
`

const java = `org.apache.spark.SparkException: Job aborted
	at org.apache.spark.scheduler.DAGScheduler.abort(DAGScheduler.scala:2672)
	at com.shop.Orders.main(Orders.scala:12)
Caused by: java.lang.IllegalStateException: no such table
	at java.util.List.get(List.java:1)
	at com.shop.Tables.find(Tables.scala:77)
	at com.shop.Orders.load(Orders.scala:30)
`

func TestRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		message, stack string
		want           Exception
	}{
		"python":           {"division by zero", python, Exception{Type: "ZeroDivisionError", Message: "division by zero", Stacktrace: python, File: "/opt/dags/orders.py", Function: "load", Line: 41}},
		"the JVM":          {"Job aborted", java, Exception{Type: "java.lang.IllegalStateException", Message: "Job aborted", Stacktrace: java, File: "Tables.scala", Function: "com.shop.Tables.find", Line: 77}},
		"a message alone":  {"psycopg2.OperationalError: server closed", "", Exception{Type: "psycopg2.OperationalError", Message: "psycopg2.OperationalError: server closed"}},
		"no exception":     {"Task: it went wrong", "", Exception{Message: "Task: it went wrong"}},
		"nothing":          {},
		"only own library": {"x", "Traceback (most recent call last):\n  File \"/usr/lib/python3/x.py\", line 1, in y\nKeyError: 'a'", Exception{Type: "KeyError", Message: "x", Stacktrace: "Traceback (most recent call last):\n  File \"/usr/lib/python3/x.py\", line 1, in y\nKeyError: 'a'"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Read(c.message, c.stack)
			assert.Equal(t, strings.TrimSpace(c.want.Stacktrace), strings.TrimSpace(got.Stacktrace))
			c.want.Stacktrace = got.Stacktrace
			assert.Equal(t, c.want, got)
		})
	}
}

func TestALongStackKeepsBothEndsAndItsCause(t *testing.T) {
	t.Parallel()
	long := "Traceback (most recent call last):\n" + strings.Repeat("  File \"/opt/dags/deep.py\", line 3, in down\n    down()\n", 400) + "RecursionError: too deep\n"
	got := Read("", long)
	assert.LessOrEqual(t, len(got.Stacktrace), MaxStack)
	assert.Equal(t, "RecursionError", got.Type)
	assert.True(t, strings.HasPrefix(got.Stacktrace, "Traceback"))
	assert.Contains(t, got.Stacktrace, "RecursionError: too deep")
}

func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	got := Read("cannot reach http://shop:hunter2@source/orders", "Traceback (most recent call last):\n  File \"/opt/d.py\", line 1, in f\n    x(\"http://shop:hunter2@source\")\nOSError: http://shop:hunter2@source")
	assert.NotContains(t, got.Message+got.Stacktrace, "hunter2")
	assert.Equal(t, "OSError", got.Type)
}
