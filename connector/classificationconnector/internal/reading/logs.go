package reading

import (
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// Logs reads log records.
func (r *Reader) Logs(logs plog.Logs) ([]observation.Observation, Skip) {
	b := r.begin()
	for i := range logs.ResourceLogs().Len() {
		rl := logs.ResourceLogs().At(i)
		for j := range rl.ScopeLogs().Len() {
			records := rl.ScopeLogs().At(j).LogRecords()
			for k := range records.Len() {
				b.log(attributes{records.At(k).Attributes(), rl.Resource().Attributes()}, records.At(k))
			}
		}
	}
	return b.out, b.skip
}

func (b *batch) log(a attributes, r plog.LogRecord) {
	o := observation.Observation{ID: id(a, r), Source: a.source(), Time: at(r, b.now), Polarity: observation.Info}
	switch r.EventName() {
	case vocab.EventIncident, vocab.EventAuditCheckpoint:
		b.skip.Forged++
	case vocab.EventPipelineRun, vocab.EventOpenLineageRun:
		b.run(a, o)
	case vocab.EventPipelineDefinition, vocab.EventOpenLineageJob, vocab.EventOpenLineageDataset:
		b.definition(a, o)
	case vocab.EventSchemaChanged:
		b.schema(a, o)
	case vocab.EventImportError:
		o.Kind, o.Polarity, o.Entity = observation.PlatformState, observation.Problem, a.platform()
		o.Error = b.failure(a)
		o.Attributes = map[string]string{vocab.CodeFilePath: a.str(vocab.CodeFilePath), "event": vocab.EventImportError}
		if o.Error == nil {
			o.Error = &observation.Error{}
		}
		o.Error.Location = a.str(vocab.CodeFilePath)
		b.add(o)
	case vocab.EventImportErrorCleared:
		o.Kind, o.Polarity, o.Entity = observation.PlatformState, observation.Recovery, a.platform()
		o.Error = &observation.Error{Location: a.str(vocab.CodeFilePath)}
		b.add(o)
	default:
		b.other(a, o, r)
	}
}

// id is the record's own, or made of all that it says.
func id(a attributes, r plog.LogRecord) string {
	if v, ok := a.record.Get(uidAttribute); ok && v.AsString() != "" {
		return "log/" + hash(r.EventName(), v.AsString())
	}
	parts := append(flat(a.resource), r.EventName(), r.Timestamp().String(), r.SeverityNumber().String(), r.Body().AsString())
	return "log/" + hash(append(parts, flat(a.record)...)...)
}

func at(r plog.LogRecord, now time.Time) time.Time {
	switch {
	case r.Timestamp() != 0:
		return r.Timestamp().AsTime()
	case r.ObservedTimestamp() != 0:
		return r.ObservedTimestamp().AsTime()
	}
	return now
}

func (b *batch) run(a attributes, o observation.Observation) {
	o.Kind, o.Entity = observation.RunState, a.job()
	phase, known := phases[a.str(vocab.RunState)]
	switch {
	case o.Entity.IsZero():
		b.malformed("no job")
		return
	case !known:
		b.malformed("run state")
		return
	case a.str(vocab.RunID) == "":
		b.malformed("no run")
		return
	}
	run := &observation.Run{
		ID: a.str(vocab.RunID), Phase: phase, Attempt: a.number(vocab.RunAttempt), Confirmed: a.boolean(vocab.RunConfirmed),
		Started: a.time(vocab.RunStartTime), Ended: a.time(vocab.RunEndTime), Paused: a.boolean(vocab.PipelinePaused),
		URL: a.str(vocab.RunURL), Owner: a.str(vocab.PipelineOwner), Target: target(a),
		Inputs: a.datasets(vocab.PipelineInputs), Outputs: a.datasets(vocab.PipelineOutputs),
	}
	o.Run = run
	switch phase {
	case observation.PhaseFailed, observation.PhaseAborted, observation.PhaseUpstream:
		o.Polarity = observation.Problem
		o.Error = b.failure(a)
	case observation.PhaseSucceeded:
		o.Polarity = observation.Recovery
	case observation.PhaseRetrying:
		o.Error = b.failure(a)
	}
	o.Edges = b.edges(a, o)
	b.add(o)
}

var phases = map[string]observation.Phase{
	"queued": observation.PhaseQueued, "running": observation.PhaseRunning, "retrying": observation.PhaseRetrying,
	"succeeded": observation.PhaseSucceeded, "failed": observation.PhaseFailed, "aborted": observation.PhaseAborted,
	"skipped": observation.PhaseSkipped, "upstream_failed": observation.PhaseUpstream, "other": observation.PhaseOther,
}

func (b *batch) failure(a attributes) *observation.Error {
	kind, message, stack := a.str(vocab.ExceptionType), a.text(vocab.ExceptionMessage, maxMessage), a.text(vocab.ExceptionStacktrace, maxStack)
	if kind == "" && message == "" && stack == "" {
		return nil
	}
	e := b.Judge.Error(kind, message, stack)
	if e.Location == "" && a.str(vocab.CodeFilePath) != "" {
		e.Location = a.str(vocab.CodeFilePath)
		if line := a.number(vocab.CodeLineNumber); line > 0 {
			e.Location += ":" + strconv.Itoa(line)
		}
		if f := a.str(vocab.CodeFunctionName); f != "" {
			e.Location += " in " + f
		}
	}
	return e
}

// target is where the platform can be told to act on the run.
func target(a attributes) *observation.Target {
	if a.str(vocab.PlatformKind) != "airflow" || a.str(vocab.AirflowDAGID) == "" {
		return nil
	}
	t := &observation.Target{Kind: "airflow", Instance: a.str(vocab.PlatformInstance), Coordinates: map[string]string{}}
	if t.Instance == "" {
		t.Instance = "default"
	}
	for name, key := range map[string]string{
		vocab.AirflowDAGID: observation.AirflowDAG, vocab.AirflowDAGRunID: observation.AirflowRun, vocab.AirflowTaskID: observation.AirflowTask,
		vocab.AirflowMapIndex: observation.AirflowMapIndex, vocab.AirflowTryNumber: observation.AirflowTry,
	} {
		if v := a.str(name); v != "" {
			t.Coordinates[key] = v
		}
	}
	return t
}

// edges are what a record says about how its job hangs together with others.
func (b *batch) edges(a attributes, o observation.Observation) []entity.Edge {
	var edges []entity.Edge
	add := func(from, to entity.Ref, relation entity.Relation) {
		if !from.IsZero() && !to.IsZero() && from != to {
			edges = append(edges, entity.Edge{From: from, To: to, Relation: relation, Source: o.Source, LastSeen: b.now})
		}
	}
	job := a.job()
	add(a.parent(), job, entity.Contains)
	for _, name := range a.strings(vocab.PipelineUpstream) {
		add(entity.Ref{Kind: entity.Job, Namespace: job.Namespace, Name: name}, job, entity.Precedes)
	}
	for _, ds := range a.datasets(vocab.PipelineInputs) {
		add(ds, job, entity.ReadBy)
	}
	for _, ds := range a.datasets(vocab.PipelineOutputs) {
		add(job, ds, entity.Writes)
	}
	return edges
}

func (b *batch) definition(a attributes, o observation.Observation) {
	o.Kind, o.Entity = observation.Lineage, a.entity()
	if o.Entity.IsZero() {
		b.malformed("no entity")
		return
	}
	o.Edges = b.edges(a, o)
	b.add(o)
}

func (b *batch) schema(a attributes, o observation.Observation) {
	o.Kind, o.Entity = observation.SchemaChange, a.dataset()
	if o.Entity.IsZero() {
		b.malformed("no dataset")
		return
	}
	o.Schema = &observation.SchemaDiff{Added: a.strings(vocab.SchemaAdded), Dropped: a.strings(vocab.SchemaDropped), Retyped: a.strings(vocab.SchemaRetyped)}
	// New columns break nobody who names the columns they read.
	if len(o.Schema.Dropped) > 0 || len(o.Schema.Retyped) > 0 {
		o.Polarity = observation.Problem
	}
	b.add(o)
}

// other is any service's own log: its errors are failures of that service.
func (b *batch) other(a attributes, o observation.Observation, r plog.LogRecord) {
	if r.SeverityNumber() < plog.SeverityNumberError || !b.foreign(a) {
		return
	}
	o.Error = b.failure(a)
	if o.Error == nil {
		o.Error = b.Judge.Error(a.str(vocab.ErrorType), a.body(r), "")
	}
	b.fail(a, o)
}
