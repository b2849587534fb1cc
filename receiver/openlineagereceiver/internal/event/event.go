package event

import (
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
)

// Kind is one of the three kinds of events.
type Kind int

// The kinds. The JSON has no discriminator: an event with a run and a job is of
// a run, one with a job alone is of a job, one with a dataset is of a dataset.
const (
	OfRun Kind = iota + 1
	OfJob
	OfDataset
)

// Event is one OpenLineage event.
type Event struct {
	Kind Kind
	// UID is the same for the same event, whatever the order of its keys and the white space.
	UID  UID
	Time time.Time
	// Body is the whole event, unknown facets included; an OTLP map.
	Body pcommon.Value

	EventTime string    `ol:"eventTime"`
	Producer  string    `ol:"producer"`
	SchemaURL string    `ol:"schemaURL"`
	Type      string    `ol:"eventType"` // empty where the sender left it out
	Run       *Run      `ol:"run"`
	Job       *Job      `ol:"job"`
	Inputs    []Dataset `ol:"inputs"`
	Outputs   []Dataset `ol:"outputs"`
	Dataset   *Dataset  `ol:"dataset"`
}

// Run is one run of a job.
type Run struct {
	ID     string    `ol:"runId"` // a UUID is in lower case
	Facets RunFacets `ol:"facets"`
}

// Job is what runs.
type Job struct {
	Identifier
	Facets JobFacets `ol:"facets"`
}

// Dataset is what a run reads and writes.
type Dataset struct {
	Identifier
	Facets DatasetFacets `ol:"facets"`
	Input  InputFacets   `ol:"inputFacets"`
	Output OutputFacets  `ol:"outputFacets"`
}

// Event types of runs.
const (
	Start    = "START"
	Running  = "RUNNING"
	Complete = "COMPLETE"
	Fail     = "FAIL"
	Abort    = "ABORT"
	Other    = "OTHER"
)

// Ended reports whether the event ends its run.
func (e *Event) Ended() bool {
	return e.Type == Complete || e.Type == Fail || e.Type == Abort
}

// Read reads one event. Every error is a *FieldError.
func Read(data []byte, limits Limits) (*Event, error) {
	e := &Event{Body: pcommon.NewValueEmpty()}
	if err := parse(data, limits, e.Body); err != nil {
		return nil, err
	}
	var b binder
	if err := b.bind(e.Body, reflect.ValueOf(e).Elem()); err != nil {
		return nil, err
	}
	if err := e.check(limits); err != nil {
		return nil, err
	}
	e.UID = uid(e.Body)
	return e, nil
}

func (e *Event) check(limits Limits) error {
	body := e.Body.Map()
	for _, key := range []string{"eventTime", "producer", "schemaURL"} {
		if v, ok := body.Get(key); !ok || v.Type() == pcommon.ValueTypeEmpty {
			return &FieldError{Field: key, Reason: "is required"}
		}
	}
	var err error
	if e.Time, err = ParseTime(e.EventTime); err != nil {
		return &FieldError{Field: "eventTime", Reason: "is not an RFC 3339 date and time with a zone"}
	}
	if y := e.Time.Year(); y < 1970 || y > 2261 {
		return &FieldError{Field: "eventTime", Reason: "is before 1970 or after 2261"}
	}
	switch e.Type {
	case "", Start, Running, Complete, Fail, Abort, Other:
	default:
		return &FieldError{Field: "eventType", Reason: "is none of START, RUNNING, COMPLETE, ABORT, FAIL, OTHER"}
	}
	if err := e.classify(); err != nil {
		return err
	}
	return e.checkDatasets(limits)
}

func (e *Event) classify() error {
	switch {
	case e.Run != nil:
		e.Kind = OfRun
		if e.Job == nil {
			return &FieldError{Field: "job", Reason: "is required beside run"}
		}
		if err := checkRunID("run.runId", &e.Run.ID); err != nil {
			return err
		}
		if e.Run.ID == "" {
			return &FieldError{Field: "run.runId", Reason: "is required"}
		}
		if p := e.Run.Facets.Parent; p != nil {
			if err := checkRunID("run.facets.parent.run.runId", &p.Run.RunID); err != nil {
				return err
			}
			if p.Root != nil {
				if err := checkRunID("run.facets.parent.root.run.runId", &p.Root.Run.RunID); err != nil {
					return err
				}
			}
		}
	case e.Job != nil && e.Dataset != nil:
		return &FieldError{Field: "dataset", Reason: "stands beside job: an event is of a job or of a dataset"}
	case e.Job != nil:
		e.Kind = OfJob
	case e.Dataset != nil:
		e.Kind = OfDataset
	default:
		return &FieldError{Reason: "has neither run and job, nor job, nor dataset"}
	}
	if e.Job != nil {
		return e.checkName("job", e.Job.Identifier)
	}
	return nil
}

func (e *Event) checkDatasets(limits Limits) error {
	if n := len(e.Inputs) + len(e.Outputs); n > limits.Datasets {
		field := "inputs"
		if len(e.Outputs) > len(e.Inputs) {
			field = "outputs"
		}
		return &FieldError{Field: field, Reason: "inputs and outputs hold " + strconv.Itoa(n) + " datasets, more than " +
			strconv.Itoa(limits.Datasets) + " (limits::datasets)"}
	}
	if e.Dataset != nil {
		if err := e.checkName("dataset", e.Dataset.Identifier); err != nil {
			return err
		}
	}
	for _, side := range []struct {
		key  string
		list []Dataset
	}{{"inputs", e.Inputs}, {"outputs", e.Outputs}} {
		for i := range side.list {
			if err := e.checkName(side.key, side.list[i].Identifier, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkName wants a name, and a namespace that is stated though it may be empty.
func (e *Event) checkName(key string, id Identifier, index ...int) error {
	v, _ := e.Body.Map().Get(key)
	field := key
	if len(index) > 0 {
		v = v.Slice().At(index[0])
		field += "[" + strconv.Itoa(index[0]) + "]"
	}
	if v.Type() != pcommon.ValueTypeMap {
		return &FieldError{Field: field, Reason: "want an object, got null"}
	}
	if ns, ok := v.Map().Get("namespace"); !ok || ns.Type() != pcommon.ValueTypeStr {
		return &FieldError{Field: field + ".namespace", Reason: "is required"}
	}
	if id.Name == "" {
		return &FieldError{Field: field + ".name", Reason: "is required"}
	}
	if len(id.Namespace) > entity.MaxNameLength {
		return tooLong(field + ".namespace")
	}
	if len(id.Name) > entity.MaxNameLength {
		return tooLong(field + ".name")
	}
	return nil
}

func tooLong(field string) error {
	return &FieldError{Field: field, Reason: "is longer than " + strconv.Itoa(entity.MaxNameLength) + " bytes"}
}

// ParseTime reads a date and time with a zone as RFC 3339 has them; seconds may
// be missing, as Java's ZonedDateTime leaves them out when they are zero.
func ParseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Parse("2006-01-02T15:04Z07:00", s)
	}
	return t, nil
}

// checkRunID bounds a run ID. A UUID is put into lower case, so that all who
// name the run agree; the schema wants UUIDs, but senders exist that have others.
func checkRunID(field string, id *string) error {
	if len(*id) > entity.MaxNameLength {
		return tooLong(field)
	}
	if lower := strings.ToLower(*id); isUUID(lower) {
		*id = lower
	}
	return nil
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}
