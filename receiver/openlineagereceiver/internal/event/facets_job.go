package event

import "go.opentelemetry.io/collector/pdata/pcommon"

// JobFacets are the facets of a job.
type JobFacets struct {
	_                  facetSet
	Documentation      *Documentation      `ol:"documentation"`
	JobType            *JobType            `ol:"jobType"`
	Lineage            *JobLineage         `ol:"lineage"`
	Ownership          *Ownership          `ol:"ownership"`
	SQL                *SQL                `ol:"sql"`
	SourceCode         *SourceCode         `ol:"sourceCode"`
	SourceCodeLocation *SourceCodeLocation `ol:"sourceCodeLocation"`
	Tags               *Tags               `ol:"tags"`
}

// Documentation of a job or dataset.
type Documentation struct {
	Base
	Description string `ol:"description"`
	ContentType string `ol:"contentType"`
}

// JobType says what kind of job it is.
type JobType struct {
	Base
	ProcessingType  string `ol:"processingType"`
	Integration     string `ol:"integration"`
	JobType         string `ol:"jobType"`
	EmissionPattern *struct {
		EventTrigger     string `ol:"eventTrigger"`
		EventContentMode string `ol:"eventContentMode"`
		WindowDuration   int64  `ol:"windowDuration"`
	} `ol:"emissionPattern"`
}

// Ownership of a job or dataset.
type Ownership struct {
	Base
	Owners []struct {
		Name string `ol:"name"`
		Type string `ol:"type"`
	} `ol:"owners"`
}

// SQL is the query of the job.
type SQL struct {
	Base
	Query   string `ol:"query"`
	Dialect string `ol:"dialect"`
}

// SourceCode is the code of the job.
type SourceCode struct {
	Base
	Language string `ol:"language"`
	Code     string `ol:"sourceCode"`
}

// SourceCodeLocation is where the code is kept.
type SourceCodeLocation struct {
	Base
	Type        string `ol:"type"`
	URL         string `ol:"url"`
	RepoURL     string `ol:"repoUrl"`
	Path        string `ol:"path"`
	Version     string `ol:"version"`
	Tag         string `ol:"tag"`
	Branch      string `ol:"branch"`
	PullRequest string `ol:"pullRequestNumber"`
}

// JobLineage is lineage that a job declares between jobs and datasets.
type JobLineage struct {
	Base
	Entries []LineageEntry `ol:"entries"`
}

// LineageEntry is a target with what it is made of. Type is DATASET or JOB.
type LineageEntry struct {
	Identifier
	Type   string                  `ol:"type"`
	RunID  string                  `ol:"runId"`
	Inputs []LineageInput          `ol:"inputs"`
	Fields map[string]LineageField `ol:"fields"`
}

// LineageField is one field of the target.
type LineageField struct {
	Inputs []LineageInput `ol:"inputs"`
}

// LineageInput is one source. Type is DATASET or JOB.
type LineageInput struct {
	Identifier
	Type            string           `ol:"type"`
	Field           string           `ol:"field"`
	RunID           string           `ol:"runId"`
	Transformations []Transformation `ol:"transformations"`
}

// Transformation is how a source becomes part of the target.
type Transformation struct {
	Type        string `ol:"type"`
	Subtype     string `ol:"subtype"`
	Description string `ol:"description"`
	Masking     bool   `ol:"masking"`
}

// Described is what tests and assertions say beside their result.
type Described struct {
	Description string        `ol:"description"`
	Expected    string        `ol:"expected"`
	Actual      string        `ol:"actual"`
	Content     string        `ol:"content"`
	ContentType string        `ol:"contentType"`
	Params      pcommon.Value `ol:"params"`
}
