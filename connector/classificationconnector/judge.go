package classificationconnector

import (
	"strings"

	"github.com/otelcol-selfheal/otelcol-selfheal/connector/classificationconnector/internal/reading"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

type interim struct{}

func newJudge(*Config, func(string)) (reading.Judge, error) { return interim{}, nil }

func (interim) Error(t, m, s string) *observation.Error {
	return &observation.Error{Type: t, Message: m, Stacktrace: s}
}

func (interim) Propose(o *observation.Observation) *observation.Hypothesis {
	if o.Series != nil {
		if o.Series.Metric == "data.dataset.load.rows" {
			return &observation.Hypothesis{Class: "data_quality_breach", Confidence: .85, Rule: "volume"}
		}
		return nil
	}
	if o.Error == nil {
		return nil
	}
	text := strings.ToLower(o.Error.Type + " " + o.Error.Message + " " + o.Error.Stacktrace)
	switch {
	case strings.Contains(text, "503") || strings.Contains(text, "timeout"):
		return &observation.Hypothesis{Class: "transient_failure", Confidence: .9, Rule: "interim"}
	case strings.Contains(text, "keyerror") || strings.Contains(text, "typeerror"):
		return &observation.Hypothesis{Class: "deterministic_bug", Confidence: .9, Rule: "interim"}
	}
	return nil
}
