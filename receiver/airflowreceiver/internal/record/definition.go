package record

import (
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// Bounds of one definition.
const (
	maxUpstream = 256
	maxDatasets = 128
	maxOwner    = 256
)

// Definition is a DAG or a task of one.
type Definition struct {
	DAG, Task string
	Owner     string
	// Paused is told of DAGs only.
	Paused bool
	// Upstream are the tasks of the same DAG that come directly before it.
	Upstream        []string
	Inputs, Outputs []Dataset
}

// Dataset names a dataset as OpenLineage does.
type Dataset struct{ Namespace, Name string }

// Fingerprint is the same for definitions that say the same.
func (d Definition) Fingerprint() string {
	parts := []string{d.DAG, d.Task, d.Owner, strconv.FormatBool(d.Paused), strconv.Itoa(len(d.Upstream))}
	parts = append(parts, d.Upstream...)
	for _, list := range [][]Dataset{d.Inputs, d.Outputs} {
		parts = append(parts, strconv.Itoa(len(list)))
		for _, s := range list {
			parts = append(parts, s.Namespace, s.Name)
		}
	}
	return uid(parts...)
}

// AddDefinition appends the record of a definition as it was at a time of Airflow's clock.
func (b *Batch) AddDefinition(d Definition, at time.Time) {
	rec := b.add(vocab.EventPipelineDefinition, at, plog.SeverityNumberInfo, d.Fingerprint(), at.UTC().Format(time.RFC3339Nano))
	m := rec.Attributes()
	b.putJob(m, d.DAG, d.Task)
	m.PutStr(vocab.PlatformKind, Kind)
	m.PutStr(vocab.PlatformInstance, b.source.Instance)
	m.PutStr(vocab.AirflowDAGID, d.DAG)
	putText(m, vocab.AirflowTaskID, d.Task)
	putText(m, vocab.PipelineOwner, d.Owner)
	if d.Task == "" {
		m.PutBool(vocab.PipelinePaused, d.Paused)
	}
	if len(d.Upstream) > 0 {
		names := m.PutEmptySlice(vocab.PipelineUpstream)
		for _, u := range d.Upstream[:min(len(d.Upstream), maxUpstream)] {
			names.AppendEmpty().SetStr(JobName(d.DAG, u))
		}
	}
	putDatasets(m, vocab.PipelineInputs, d.Inputs)
	putDatasets(m, vocab.PipelineOutputs, d.Outputs)
}

func putDatasets(m pcommon.Map, key string, list []Dataset) {
	if len(list) == 0 {
		return
	}
	s := m.PutEmptySlice(key)
	for _, d := range list[:min(len(list), maxDatasets)] {
		one := s.AppendEmpty().SetEmptyMap()
		one.PutStr("namespace", d.Namespace)
		one.PutStr("name", d.Name)
	}
}

// Owner makes one text of a list of owners.
func Owner(owners []string) string {
	owners = slices.Clone(owners)
	slices.Sort(owners)
	text := ""
	for _, o := range slices.Compact(owners) {
		if text != "" {
			text += ", "
		}
		text += o
		if len(text) > maxOwner {
			return cut(text, maxOwner)
		}
	}
	return text
}
