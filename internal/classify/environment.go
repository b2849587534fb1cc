package classify

import (
	"strings"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/classify/failure"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

// Environment is what a rule's condition may ask about. All texts are in lower
// case. What an observation does not tell is empty or zero.
type Environment struct {
	// Kind is the observation's kind: run_state, anomaly, assertion, schema_change, platform_state, failure, …
	Kind string `expr:"kind"`
	// Source is who observed it: airflow, openlineage, dataquality, anomaly_detection, otlp.
	Source string `expr:"source"`
	// Platform is the kind of platform that ran the job, such as airflow.
	Platform string `expr:"platform"`

	Error     Error     `expr:"error"`
	Run       Run       `expr:"run"`
	Entity    Entity    `expr:"entity"`
	Anomaly   Anomaly   `expr:"anomaly"`
	Schema    Schema    `expr:"schema"`
	Assertion Assertion `expr:"assertion"`
	// Attributes are the observation's further facts.
	Attributes map[string]string `expr:"attributes"`
}

// Error is one exception of a failure's chain; the rules see the chain link by link.
type Error struct {
	// Type is the class without its package; FullType with it.
	Type     string `expr:"type"`
	FullType string `expr:"full_type"`
	Message  string `expr:"message"`
	// Text is type and message, for conditions that do not care which it is in.
	Text string `expr:"text"`
	// Names spells out the class and the names of errors in the message, such as
	// "no such bucket" for NoSuchBucket and NO_SUCH_BUCKET.
	Names string `expr:"names"`
	// Causes are the classes, without packages, of what caused it.
	Causes   []string `expr:"causes"`
	Location string   `expr:"location"`
	// Cause is true for a link that something else wraps.
	Cause bool `expr:"is_cause"`
	// HTTPStatus is 400 to 599, 0 where no status is told.
	HTTPStatus int `expr:"http_status"`
	// SQLState is five characters in lower case; SQLClass the first two of them.
	SQLState string `expr:"sqlstate"`
	SQLClass string `expr:"sqlclass"`
	// MySQLCode, Errno and ExitCode are 0 where none is told; exit codes of signals are above 128.
	MySQLCode int `expr:"mysql_code"`
	Errno     int `expr:"errno"`
	ExitCode  int `expr:"exit_code"`
	// Signal is the number of the signal that ended a process.
	Signal int `expr:"signal"`
	// Program is true for the classes that only a mistake in the program raises,
	// whatever words the message has.
	Program bool `expr:"is_program_error"`
}

// Run is the run that the observation is about.
type Run struct {
	Phase     string `expr:"state"`
	Attempt   int    `expr:"attempt"`
	Confirmed bool   `expr:"confirmed"`
	Paused    bool   `expr:"paused"`
}

// Entity is what the observation is about.
type Entity struct {
	Kind      string `expr:"kind"`
	Namespace string `expr:"namespace"`
	Name      string `expr:"name"`
}

// Anomaly is a detector's verdict.
type Anomaly struct {
	Metric   string  `expr:"metric"`
	Reason   string  `expr:"reason"`
	Active   bool    `expr:"active"`
	Score    float64 `expr:"score"`
	Value    float64 `expr:"value"`
	Expected float64 `expr:"expected"`
	Lower    float64 `expr:"lower"`
	Upper    float64 `expr:"upper"`
}

// Schema is how columns changed.
type Schema struct {
	Added   []string `expr:"added"`
	Dropped []string `expr:"dropped"`
	Retyped []string `expr:"retyped"`
}

// Assertion is the result of a data-quality check.
type Assertion struct {
	Name    string `expr:"name"`
	Column  string `expr:"column"`
	Success bool   `expr:"success"`
}

// context fills everything but the error.
func context(o *observation.Observation) Environment {
	e := Environment{
		Kind: string(o.Kind), Source: o.Source, Attributes: o.Attributes,
		Entity: Entity{string(o.Entity.Kind), o.Entity.Namespace, o.Entity.Name},
	}
	if r := o.Run; r != nil {
		e.Run = Run{string(r.Phase), r.Attempt, r.Confirmed, r.Paused}
		if r.Target != nil {
			e.Platform = r.Target.Kind
		}
	}
	if s := o.Series; s != nil {
		e.Anomaly = Anomaly{s.Metric, s.Reason, s.Active, s.Score, s.Value, s.Expected, s.Lower, s.Upper}
	}
	if d := o.Schema; d != nil {
		e.Schema = Schema{d.Added, d.Dropped, d.Retyped}
	}
	if a := o.Assertion; a != nil {
		e.Assertion = Assertion{a.Name, a.Column, a.Success}
	}
	return e
}

// describe makes the i-th link of a chain what rules see.
func describe(chain []failure.Link, i int, location string) Error {
	l := chain[i]
	full := strings.ToLower(l.Type)
	said := clip(l.Message, max(maxRuled/len(chain), minRuled))
	message := strings.ToLower(said)
	e := Error{
		Type: failure.Short(full), FullType: full, Message: message, Text: strings.TrimSpace(full + ": " + message),
		Names: names(failure.Short(l.Type), said), Location: location, Cause: i > 0,
	}
	for _, c := range chain[i+1:] {
		e.Causes = append(e.Causes, failure.Short(strings.ToLower(c.Type)))
	}
	e.HTTPStatus = httpStatus(message)
	e.SQLState = sqlState(full, message)
	if e.SQLState != "" {
		e.SQLClass = e.SQLState[:2]
	}
	if strings.IndexByte(message, '(') >= 0 {
		e.MySQLCode = number(mysqlCode, message)
	}
	if strings.Contains(message, "errno") {
		e.Errno = number(errno, message)
	}
	e.ExitCode, e.Signal = exit(message)
	e.Program = programErrors[e.Type] || ofTheJVM(full)
	return e
}

// maxRuled bounds how much of the messages of a chain the rules read, in bytes;
// minRuled is what each link has of it at least.
const (
	maxRuled = 1 << 10
	minRuled = 256
)

// clip keeps the head and the tail of a message, where what matters is said.
func clip(message string, n int) string {
	if len(message) <= n {
		return message
	}
	tail := n / 3
	return strings.ToValidUTF8(message[:n-tail]+"\n"+message[len(message)-tail:], "")
}
