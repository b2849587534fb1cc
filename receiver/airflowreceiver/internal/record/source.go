package record

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/scrub"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// Kind is data.platform.kind and data.source.name of everything that comes from Airflow.
const Kind = "airflow"

// uidAttribute makes an event the same however often it is sent.
const uidAttribute = "log.record.uid"

// Source says whose records these are.
type Source struct {
	// Instance is the name of the installation, Namespace that of its jobs.
	Instance, Namespace string
	// WebURL is the base of links to Airflow's pages; no links where it is empty.
	WebURL string
	// Scope and Version name the instrumentation scope.
	Scope, Version string
}

// ServiceName is service.name of an installation.
func ServiceName(instance string) string { return Kind + "/" + instance }

// Batch collects records of one source.
type Batch struct {
	Logs   plog.Logs
	source Source
	scope  plog.ScopeLogs
	// Observed is the receiver's clock when the batch was begun.
	observed pcommon.Timestamp
	counts   map[string]int
}

// NewBatch begins a batch at the receiver's time.
func (s Source) NewBatch(now time.Time) *Batch {
	b := &Batch{Logs: plog.NewLogs(), source: s, observed: pcommon.NewTimestampFromTime(now), counts: map[string]int{}}
	rl := b.Logs.ResourceLogs().AppendEmpty()
	res := rl.Resource().Attributes()
	res.PutStr(vocab.ServiceName, ServiceName(s.Instance))
	res.PutStr(vocab.DataSourceName, Kind)
	res.PutStr(vocab.PlatformKind, Kind)
	res.PutStr(vocab.PlatformInstance, s.Instance)
	b.scope = rl.ScopeLogs().AppendEmpty()
	b.scope.Scope().SetName(s.Scope)
	b.scope.Scope().SetVersion(s.Version)
	return b
}

// Counts tells how many records of each event the batch has.
func (b *Batch) Counts() map[string]int { return b.counts }

// Len is the number of records.
func (b *Batch) Len() int { return b.scope.LogRecords().Len() }

// add appends a record. The identity is what makes it the same event.
func (b *Batch) add(event string, at time.Time, severity plog.SeverityNumber, identity ...string) plog.LogRecord {
	r := b.scope.LogRecords().AppendEmpty()
	r.SetEventName(event)
	r.SetTimestamp(Timestamp(at))
	r.SetObservedTimestamp(b.observed)
	r.SetSeverityNumber(severity)
	r.SetSeverityText(strings.ToUpper(severity.String()))
	r.Attributes().PutStr(uidAttribute, uid(append([]string{event, b.source.Instance}, identity...)...))
	b.counts[event]++
	return r
}

// uid hashes parts that are told apart by their lengths.
func uid(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Timestamp converts a time that came from outside; one that OTLP cannot hold
// becomes 0, which means unknown.
func Timestamp(t time.Time) pcommon.Timestamp {
	if !Plausible(t) {
		return 0
	}
	return pcommon.NewTimestampFromTime(t)
}

// Plausible is true of times that a run may have.
func Plausible(t time.Time) bool { return t.Year() >= 1971 && t.Year() <= 2261 }

// Word makes a short text from outside fit for an error or a log of our own.
func Word(s string) string { return scrub.Text(s, 64) }

func putTime(m pcommon.Map, key string, t time.Time) {
	if Plausible(t) {
		m.PutStr(key, t.UTC().Format(time.RFC3339Nano))
	}
}

// JobName is the name of a DAG or, with a task, of the task.
func JobName(dag, task string) string {
	if task == "" {
		return dag
	}
	return dag + "." + task
}

// putJob writes what names a job and its parent.
func (b *Batch) putJob(m pcommon.Map, dag, task string) {
	m.PutStr(vocab.PipelineNamespace, b.source.Namespace)
	m.PutStr(vocab.PipelineName, JobName(dag, task))
	if task == "" {
		m.PutStr(vocab.PipelineKind, "dag")
		return
	}
	m.PutStr(vocab.PipelineKind, "task")
	m.PutStr(vocab.PipelineParentNamespace, b.source.Namespace)
	m.PutStr(vocab.PipelineParentName, dag)
}

// link is the page of a run, made as Airflow's own links are.
func (s Source) link(r Run) string {
	if s.WebURL == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString(strings.TrimRight(s.WebURL, "/") + "/dags/" + url.PathEscape(r.DAG) + "/runs/" + url.PathEscape(r.RunID))
	if r.Task != "" {
		b.WriteString("/tasks/" + url.PathEscape(r.Task))
		if r.MapIndex >= 0 {
			b.WriteString("/mapped/" + strconv.Itoa(r.MapIndex))
		}
		if r.Try > 0 {
			b.WriteString("?try_number=" + strconv.Itoa(r.Try))
		}
	}
	return b.String()
}
