package event

// Base is what every facet has.
type Base struct {
	Producer  string `ol:"_producer"`
	SchemaURL string `ol:"_schemaURL"`
	// Deleted facets of jobs and datasets are taken back.
	Deleted bool `ol:"_deleted"`
}

// RunFacets are the facets of a run. Airflow's own are read leniently: their
// shape changes between versions of its provider.
type RunFacets struct {
	_                    facetSet
	EnvironmentVariables *EnvironmentVariables `ol:"environmentVariables"`
	ErrorMessage         *ErrorMessage         `ol:"errorMessage"`
	ExecutionParameters  *ExecutionParameters  `ol:"executionParameters"`
	ExternalQuery        *ExternalQuery        `ol:"externalQuery"`
	ExtractionError      *ExtractionError      `ol:"extractionError"`
	JobDependencies      *JobDependencies      `ol:"jobDependencies"`
	NominalTime          *NominalTime          `ol:"nominalTime"`
	Parent               *Parent               `ol:"parent"`
	ProcessingEngine     *ProcessingEngine     `ol:"processing_engine"`
	Tags                 *Tags                 `ol:"tags"`
	Test                 *Test                 `ol:"test"`

	Airflow       *Airflow       `ol:"airflow,lenient"`
	AirflowDAGRun *Airflow       `ol:"airflowDagRun,lenient"`
	AirflowMapped *AirflowMapped `ol:"airflow_mappedTask,lenient"`
}

// EnvironmentVariables are variables of the run's environment.
type EnvironmentVariables struct {
	Base
	Variables []struct {
		Name  string `ol:"name"`
		Value string `ol:"value"`
	} `ol:"environmentVariables"`
}

// ErrorMessage is why the run failed.
type ErrorMessage struct {
	Base
	Message             string `ol:"message"`
	ProgrammingLanguage string `ol:"programmingLanguage"`
	StackTrace          string `ol:"stackTrace"`
}

// ExecutionParameters are parameters of the run.
type ExecutionParameters struct {
	Base
	Parameters []struct {
		Key         string `ol:"key"`
		Name        string `ol:"name"`
		Description string `ol:"description"`
		Value       string `ol:"value"`
	} `ol:"parameters"`
}

// ExternalQuery is the ID of a query in another system.
type ExternalQuery struct {
	Base
	ID     string `ol:"externalQueryId"`
	Source string `ol:"source"`
}

// ExtractionError says that the producer could not read lineage from its tasks.
type ExtractionError struct {
	Base
	TotalTasks  int64 `ol:"totalTasks"`
	FailedTasks int64 `ol:"failedTasks"`
	Errors      []struct {
		ErrorMessage string `ol:"errorMessage"`
		StackTrace   string `ol:"stackTrace"`
		Task         string `ol:"task"`
		TaskNumber   int64  `ol:"taskNumber"`
	} `ol:"errors"`
}

// JobDependencies are the jobs before and after this one.
type JobDependencies struct {
	Base
	Upstream    []JobDependency `ol:"upstream"`
	Downstream  []JobDependency `ol:"downstream"`
	TriggerRule string          `ol:"trigger_rule"`
}

// JobDependency is one of them.
type JobDependency struct {
	Job                 Identifier `ol:"job"`
	Run                 RunID      `ol:"run"`
	DependencyType      string     `ol:"dependency_type"`
	SequenceTriggerRule string     `ol:"sequence_trigger_rule"`
	StatusTriggerRule   string     `ol:"status_trigger_rule"`
}

// Identifier names a job or dataset.
type Identifier struct {
	Namespace string `ol:"namespace"`
	Name      string `ol:"name"`
}

// RunID names a run.
type RunID struct {
	RunID string `ol:"runId"`
}

// NominalTime is when the run was due.
type NominalTime struct {
	Base
	Start string `ol:"nominalStartTime"`
	End   string `ol:"nominalEndTime"`
}

// Parent is the run that started this one, and the one at the root.
type Parent struct {
	Base
	Run  RunID      `ol:"run"`
	Job  Identifier `ol:"job"`
	Root *struct {
		Run RunID      `ol:"run"`
		Job Identifier `ol:"job"`
	} `ol:"root"`
}

// ProcessingEngine is what ran the job.
type ProcessingEngine struct {
	Base
	Version        string `ol:"version"`
	Name           string `ol:"name"`
	AdapterVersion string `ol:"openlineageAdapterVersion"`
}

// Tags are key-value labels; Field is set for tags of a dataset's field.
type Tags struct {
	Base
	Tags []struct {
		Key    string `ol:"key"`
		Value  string `ol:"value"`
		Source string `ol:"source"`
		Field  string `ol:"field"`
	} `ol:"tags"`
}

// Test holds the results of tests that the run made.
type Test struct {
	Base
	Tests []struct {
		Name     string `ol:"name"`
		Status   string `ol:"status"`
		Severity string `ol:"severity"`
		Type     string `ol:"type"`
		Described
	} `ol:"tests"`
}

// Airflow is what Airflow's provider adds to its runs. A DAG run has no Task.
type Airflow struct {
	DAG struct {
		ID    string `ol:"dag_id"`
		Owner string `ol:"owner"`
	} `ol:"dag"`
	DAGRun struct {
		DAGID     string `ol:"dag_id"`
		RunID     string `ol:"run_id"`
		StartDate string `ol:"start_date"`
	} `ol:"dagRun"`
	Task struct {
		ID          string `ol:"task_id"`
		Owner       string `ol:"owner"`
		TriggerRule string `ol:"trigger_rule"`
		// Upstream is a list, printed as Python does.
		Upstream string `ol:"upstream_task_ids"`
	} `ol:"task"`
	TaskInstance struct {
		TryNumber int64  `ol:"try_number"`
		MapIndex  *int64 `ol:"map_index"`
		LogURL    string `ol:"log_url"`
	} `ol:"taskInstance"`
}

// AirflowMapped is of a mapped task.
type AirflowMapped struct {
	MapIndex *int64 `ol:"mapIndex"`
}
