package classificationconnector

import (
	"fmt"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/classify"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/classify/failure"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

// judge is the rules: those that ship with the product, the file's, the config's.
type judge struct{ rules *classify.Set }

func newJudge(cfg *Config, failed func(rule string)) (judge, error) {
	lists := [][]classify.Rule{classify.Default()}
	if cfg.RulesFile != "" {
		fromFile, err := classify.Load(cfg.RulesFile)
		if err != nil {
			return judge{}, fmt.Errorf("rules_file: %w", err)
		}
		lists = append(lists, fromFile)
	}
	rules, err := classify.Compile(append(lists, cfg.Rules)...)
	if err != nil {
		return judge{}, fmt.Errorf("rules: %w", err)
	}
	rules.Failed = failed
	return judge{rules}, nil
}

// Error implements reading.Judge.
func (judge) Error(exceptionType, message, stacktrace string) *observation.Error {
	e := failure.Read(failure.Text{Type: exceptionType, Message: message, Stacktrace: stacktrace}).Error
	return &e
}

// Propose implements reading.Judge.
func (j judge) Propose(o *observation.Observation) *observation.Hypothesis {
	return j.rules.Classify(o, nil)
}
