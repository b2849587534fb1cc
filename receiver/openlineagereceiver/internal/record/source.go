// Package record makes a log record of each event.
package record

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/exception"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/runs"
)

// SourceName is data.source.name of all that this receiver says.
const SourceName = "openlineage"

// Source is who speaks, as the config names it.
type Source struct {
	Service  string // service.name
	Instance string // data.platform.instance
}

// Describe fills a resource's attributes. Platform may be empty.
func (s *Source) Describe(attrs pcommon.Map, platform string) {
	attrs.PutStr(vocab.ServiceName, s.Service)
	attrs.PutStr(vocab.DataSourceName, SourceName)
	if platform != "" {
		attrs.PutStr(vocab.PlatformKind, platform)
		attrs.PutStr(vocab.PlatformInstance, s.Instance)
	}
}

// PutRun adds who a run is; not its state.
func PutRun(attrs pcommon.Map, r *runs.Run) {
	attrs.PutStr(vocab.PipelineNamespace, r.Job.Namespace)
	attrs.PutStr(vocab.PipelineName, r.Job.Name)
	attrs.PutStr(vocab.PipelineKind, r.JobKind)
	if parent := parentOf(r); parent.Name != "" {
		attrs.PutStr(vocab.PipelineParentNamespace, parent.Namespace)
		attrs.PutStr(vocab.PipelineParentName, parent.Name)
	}
	attrs.PutStr(vocab.RunID, r.JoinID())
	attrs.PutStr(vocab.OpenLineageRunID, r.ID)
	putText(attrs, vocab.PipelineOwner, r.Owner)
	putText(attrs, vocab.RunURL, r.URL)
	putList(attrs, vocab.PipelineUpstream, r.Upstream)
	a := r.Airflow
	if a == nil {
		return
	}
	attrs.PutStr(vocab.AirflowDAGID, a.DAG)
	attrs.PutStr(vocab.AirflowDAGRunID, a.Run)
	if a.Task != "" {
		attrs.PutStr(vocab.AirflowTaskID, a.Task)
		attrs.PutInt(vocab.AirflowMapIndex, a.MapIndex)
	}
	if a.Try > 0 {
		attrs.PutInt(vocab.RunAttempt, a.Try)
		attrs.PutInt(vocab.AirflowTryNumber, a.Try)
	}
}

// parentOf is what the parent facet says; without one the DAG of a task.
func parentOf(r *runs.Run) event.Identifier {
	if r.Parent.Name == "" && r.Airflow != nil && r.Airflow.Task != "" {
		return event.Identifier{Namespace: r.Job.Namespace, Name: r.Airflow.DAG}
	}
	return r.Parent
}

// PutDatasets adds a slice of {namespace, name} maps, nothing where there are none.
func PutDatasets(attrs pcommon.Map, key string, list []event.Identifier) {
	if len(list) == 0 {
		return
	}
	s := attrs.PutEmptySlice(key)
	s.EnsureCapacity(len(list))
	for _, d := range list {
		m := s.AppendEmpty().SetEmptyMap()
		m.EnsureCapacity(2)
		m.PutStr("namespace", d.Namespace)
		m.PutStr("name", d.Name)
	}
}

// PutException adds exception.* and, where it can be told, code.*.
func PutException(attrs pcommon.Map, e exception.Exception) {
	putText(attrs, vocab.ExceptionType, e.Type)
	putText(attrs, vocab.ExceptionMessage, e.Message)
	putText(attrs, vocab.ExceptionStacktrace, e.Stacktrace)
	putText(attrs, vocab.CodeFilePath, e.File)
	putText(attrs, vocab.CodeFunctionName, e.Function)
	if e.Line > 0 {
		attrs.PutInt(vocab.CodeLineNumber, e.Line)
	}
}

func putText(attrs pcommon.Map, key, value string) {
	if value != "" {
		attrs.PutStr(key, value)
	}
}

func putList(attrs pcommon.Map, key string, values []string) {
	if len(values) == 0 {
		return
	}
	s := attrs.PutEmptySlice(key)
	s.EnsureCapacity(len(values))
	for _, v := range values {
		s.AppendEmpty().SetStr(v)
	}
}
