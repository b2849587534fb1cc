// Code generated from vocabulary.yaml by internal/vocab/gen. DO NOT EDIT.

package vocab

// Attributes of resources, points, records and spans.
const (
	// ServiceName: Always set by our receivers: the platform installation or database.
	ServiceName = "service.name"
	// ErrorType: Short machine-readable kind of an error.
	ErrorType = "error.type"
	// ExceptionType: Class of the exception that failed the run.
	ExceptionType = "exception.type"
	// ExceptionMessage: Its message, scrubbed, at most 2 KiB.
	ExceptionMessage = "exception.message"
	// ExceptionStacktrace: Its stack trace, scrubbed, at most 8 KiB.
	ExceptionStacktrace = "exception.stacktrace"
	// CodeFilePath: File of the innermost frame in the user's own code.
	CodeFilePath = "code.file.path"
	// CodeLineNumber: Its line.
	CodeLineNumber = "code.line.number"
	// CodeFunctionName: Its function.
	CodeFunctionName = "code.function.name"
	// DBSystemName: postgresql, sqlite, ….
	DBSystemName = "db.system.name"
	// DataSourceName: Who observed this: openlineage, airflow, dataquality.
	DataSourceName = "data.source.name"
	// PipelineNamespace: Namespace of the job, as OpenLineage names it.
	PipelineNamespace = "data.pipeline.namespace"
	// PipelineName: Name of the job; dag_id or dag_id.task_id for Airflow.
	PipelineName = "data.pipeline.name"
	// PipelineKind: dag, task or job.
	PipelineKind = "data.pipeline.kind"
	// PipelineParentNamespace: Namespace of the job that contains this one.
	PipelineParentNamespace = "data.pipeline.parent.namespace"
	// PipelineParentName: Name of the job that contains this one.
	PipelineParentName = "data.pipeline.parent.name"
	// PipelineUpstream: Names of the jobs of the same namespace that must succeed before this one.
	PipelineUpstream = "data.pipeline.upstream"
	// PipelineOwner: Who owns the job.
	PipelineOwner = "data.pipeline.owner"
	// PipelinePaused: True when a person has paused the job.
	PipelinePaused = "data.pipeline.paused"
	// PipelineInputs: Datasets that the run read: a slice of maps with namespace and name.
	PipelineInputs = "data.pipeline.inputs"
	// PipelineOutputs: Datasets that the run wrote: a slice of maps with namespace and name.
	PipelineOutputs = "data.pipeline.outputs"
	// RunID: Joins what several sources say of one run: dag_id/dag_run_id[/task_id[/map_index]] for Airflow, else OpenLineage's runId.
	RunID = "data.pipeline.run.id"
	// RunState: queued, running, retrying, succeeded, failed, aborted, skipped, upstream_failed or other.
	RunState = "data.pipeline.run.state"
	// RunAttempt: Number of the try, from 1.
	RunAttempt = "data.pipeline.run.attempt"
	// RunConfirmed: True when the platform itself was asked; an event alone does not know whether the platform will retry.
	RunConfirmed = "data.pipeline.run.confirmed"
	// RunStartTime: RFC 3339.
	RunStartTime = "data.pipeline.run.start_time"
	// RunEndTime: RFC 3339.
	RunEndTime = "data.pipeline.run.end_time"
	// RunURL: Page of the run on its platform.
	RunURL = "data.pipeline.run.url"
	// RunTiming: How far a span's ends can be trusted: exact, start_unknown, clocks_disagree or unfinished.
	RunTiming = "data.pipeline.run.timing"
	// OpenLineageRunID: runId of the OpenLineage event; on Airflow each try has one of its own.
	OpenLineageRunID = "openlineage.run.id"
	// PlatformKind: airflow, …: who runs the job.
	PlatformKind = "data.platform.kind"
	// PlatformInstance: Which installation; receivers and actions share this name.
	PlatformInstance = "data.platform.instance"
	// PlatformComponent: Part of a platform: scheduler, dag_processor, triggerer, ….
	PlatformComponent = "data.platform.component"
	// PlatformPoolName: Name of a pool.
	PlatformPoolName = "data.platform.pool.name"
	// AirflowDAGID: Airflow's dag_id.
	AirflowDAGID = "airflow.dag.id"
	// AirflowDAGRunID: Airflow's dag_run_id.
	AirflowDAGRunID = "airflow.dag_run.id"
	// AirflowTaskID: Airflow's task_id.
	AirflowTaskID = "airflow.task.id"
	// AirflowMapIndex: Index of a mapped task, -1 where it is not mapped.
	AirflowMapIndex = "airflow.task.map_index"
	// AirflowTryNumber: Airflow's try_number.
	AirflowTryNumber = "airflow.task.try_number"
	// DatasetNamespace: Namespace of the dataset, as OpenLineage names it.
	DatasetNamespace = "data.dataset.namespace"
	// DatasetName: Name of the dataset.
	DatasetName = "data.dataset.name"
	// DatasetLoadID: Which load a per-load fact is of; a timestamp or number, never free text.
	DatasetLoadID = "data.dataset.load.id"
	// QualityAssertion: Name of a data-quality check.
	QualityAssertion = "data.quality.assertion"
	// QualityColumn: Column that the check is about.
	QualityColumn = "data.quality.column"
	// QualitySuccess: Whether the check passed.
	QualitySuccess = "data.quality.success"
	// QualitySeverity: What a failed check means to its author: error or warn.
	QualitySeverity = "data.quality.severity"
	// QualityQuantile: Which quantile of a column a value is, such as 0.5.
	QualityQuantile = "data.quality.quantile"
	// SchemaAdded: Columns that are new, name and type.
	SchemaAdded = "data.schema.added"
	// SchemaDropped: Columns that are gone.
	SchemaDropped = "data.schema.dropped"
	// SchemaRetyped: Columns of another type than before.
	SchemaRetyped = "data.schema.retyped"
	// SchemaHash: Hash of names and types in order.
	SchemaHash = "data.schema.hash"
	// AnomalyMetric: Name of the metric that a verdict is about.
	AnomalyMetric = "selfheal.anomaly.metric"
	// AnomalyReason: spike, drop, level_shift, trend, shape, season, gap, flatline.
	AnomalyReason = "selfheal.anomaly.reason"
	// AnomalyUnit: Unit of the metric that a verdict is about.
	AnomalyUnit = "selfheal.anomaly.unit"
	// IncidentID: ID of the incident.
	IncidentID = "selfheal.incident.id"
	// IncidentTransition: <incident>/<sequence>: the same for every delivery of one transition.
	IncidentTransition = "selfheal.incident.transition"
	// IncidentState: State after the transition.
	IncidentState = "selfheal.incident.state"
	// IncidentReason: Why it stands there, from a closed list.
	IncidentReason = "selfheal.incident.reason"
	// IncidentClass: Kind of trouble.
	IncidentClass = "selfheal.incident.class"
	// IncidentConfidence: 0 to 1.
	IncidentConfidence = "selfheal.incident.confidence"
	// IncidentRoot: Root cause: kind:namespace/name.
	IncidentRoot = "selfheal.incident.root"
	// IncidentRule: Rule that decided the class.
	IncidentRule = "selfheal.incident.rule"
	// PlanID: ID of the plan.
	PlanID = "selfheal.plan.id"
	// ActionType: What is done, <platform>.<verb>.
	ActionType = "selfheal.action.type"
)

// Event names of log records.
const (
	// EventOpenLineageRun: An OpenLineage RunEvent; the body is the event as it came.
	EventOpenLineageRun = "openlineage.run"
	// EventOpenLineageJob: An OpenLineage JobEvent.
	EventOpenLineageJob = "openlineage.job"
	// EventOpenLineageDataset: An OpenLineage DatasetEvent.
	EventOpenLineageDataset = "openlineage.dataset"
	// EventPipelineRun: State of a run as its platform tells it.
	EventPipelineRun = "data.pipeline.run"
	// EventPipelineDefinition: A job, what contains it and what must precede it.
	EventPipelineDefinition = "data.pipeline.definition"
	// EventImportError: A job definition that its platform cannot load.
	EventImportError = "data.platform.import_error"
	// EventImportErrorCleared: It loads again.
	EventImportErrorCleared = "data.platform.import_error.cleared"
	// EventSchemaChanged: Columns of a dataset changed.
	EventSchemaChanged = "data.schema.changed"
	// EventIncident: A transition of an incident.
	EventIncident = "selfheal.incident"
	// EventAuditCheckpoint: A signed checkpoint of the audit log.
	EventAuditCheckpoint = "selfheal.audit.checkpoint"
)

// Metrics that are facts about their entity.
const (
	// FactRows: Rows in the dataset.
	FactRows = "data.dataset.rows"
	// FactLoadRows: Rows of one load, by data.dataset.load.id; sent when the load is complete and when it changed.
	FactLoadRows = "data.dataset.load.rows"
	// FactSize: Bytes in the dataset.
	FactSize = "data.dataset.size"
	// FactFiles: Files of the dataset.
	FactFiles = "data.dataset.files"
	// FactUpdated: Unix time at which the dataset last changed.
	FactUpdated = "data.dataset.updated"
	// FactInputRows: Rows that one run read from the dataset.
	FactInputRows = "data.dataset.input.rows"
	// FactInputSize: Bytes that one run read from the dataset.
	FactInputSize = "data.dataset.input.size"
	// FactInputFiles: Files that one run read from the dataset.
	FactInputFiles = "data.dataset.input.files"
	// FactOutputRows: Rows that one run wrote to the dataset.
	FactOutputRows = "data.dataset.output.rows"
	// FactOutputSize: Bytes that one run wrote to the dataset.
	FactOutputSize = "data.dataset.output.size"
	// FactOutputFiles: Files that one run wrote to the dataset.
	FactOutputFiles = "data.dataset.output.files"
	// FactDuplicates: Rows whose key an earlier row of the newest loads has already.
	FactDuplicates = "data.dataset.duplicates"
	// FactColumns: Columns of the dataset.
	FactColumns = "data.dataset.columns"
	// FactStaleness: Age of the newest row on the observer's clock.
	FactStaleness = "data.staleness.age"
	// FactNewest: Unix time of the newest row.
	FactNewest = "data.dataset.newest"
	// FactAssertion: 1 when a check passed, 0 when it failed.
	FactAssertion = "data.quality.assertion.success"
	// FactRunDuration: How long a run took, when it ended.
	FactRunDuration = "data.pipeline.run.duration"
	// FactLateness: How long a scheduled run is overdue.
	FactLateness = "data.pipeline.lateness"
	// FactHeartbeat: Time since a platform's component gave a sign of life.
	FactHeartbeat = "data.platform.heartbeat.age"
	// FactImportErrors: Job definitions that their platform cannot load.
	FactImportErrors = "data.platform.import_errors"
	// FactPoolSlots: Size of a pool.
	FactPoolSlots = "data.platform.pool.slots"
	// FactPoolRunning: Slots of a pool that running tasks hold.
	FactPoolRunning = "data.platform.pool.running_slots"
	// FactPoolOpen: Free slots of a pool.
	FactPoolOpen = "data.platform.pool.open_slots"
	// FactPoolQueued: Tasks that wait for a slot.
	FactPoolQueued = "data.platform.pool.queued_slots"
	// FactDetectorReady: Series that a detector judges.
	FactDetectorReady = "selfheal.detector.series.ready"
	// FactDetectorLearning: Series that a detector still learns.
	FactDetectorLearning = "selfheal.detector.series.learning"
	// FactDetectorUntil: Unix time when the last of those is expected to be judged; 0 where none is learning.
	FactDetectorUntil = "selfheal.detector.learning.until"
)

// FactMetrics lists them all.
var FactMetrics = [...]string{FactRows, FactLoadRows, FactSize, FactFiles, FactUpdated, FactInputRows, FactInputSize, FactInputFiles, FactOutputRows, FactOutputSize, FactOutputFiles, FactDuplicates, FactColumns, FactStaleness, FactNewest, FactAssertion, FactRunDuration, FactLateness, FactHeartbeat, FactImportErrors, FactPoolSlots, FactPoolRunning, FactPoolOpen, FactPoolQueued, FactDetectorReady, FactDetectorLearning, FactDetectorUntil}

// Metrics that the detector adds beside a series.
const (
	// VerdictScore: Surprise: −log10 of the tail probability.
	VerdictScore = "selfheal.anomaly.score"
	// VerdictValue: Value that was scored (a rate for counters).
	VerdictValue = "selfheal.anomaly.value"
	// VerdictExpected: Value that was expected.
	VerdictExpected = "selfheal.anomaly.expected"
	// VerdictLower: Lower end of the band.
	VerdictLower = "selfheal.anomaly.lower"
	// VerdictUpper: Upper end of the band.
	VerdictUpper = "selfheal.anomaly.upper"
	// VerdictActive: 1 while the series is anomalous, 0 once when it recovers.
	VerdictActive = "selfheal.anomaly.active"
)

// VerdictMetrics lists them all.
var VerdictMetrics = [...]string{VerdictScore, VerdictValue, VerdictExpected, VerdictLower, VerdictUpper, VerdictActive}
