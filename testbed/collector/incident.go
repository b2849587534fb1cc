package collector

import "slices"

import "time"

// Incident is what the testbed reads of the collector's JSON. It is written
// from the API's documentation, not from the product's code.
type Incident struct {
	ID           string        `json:"id"`
	State        string        `json:"state"`
	Reason       string        `json:"reason"`
	Detail       string        `json:"detail"`
	Class        string        `json:"class"`
	Confidence   float64       `json:"confidence"`
	Rule         string        `json:"rule"`
	Title        string        `json:"title"`
	Root         Ref           `json:"root"`
	RootRun      *Run          `json:"root_run"`
	Observed     []Ref         `json:"observed"`
	AtRisk       []Ref         `json:"at_risk"`
	Evidence     []Evidence    `json:"evidence"`
	Decision     *Decision     `json:"decision"`
	Steps        []Step        `json:"steps"`
	Verification *Verification `json:"verification"`
	LastGoodRun  string        `json:"last_good_run"`
	Started      time.Time     `json:"started"`
	Detected     time.Time     `json:"detected"`
	Updated      time.Time     `json:"updated"`
	Decided      time.Time     `json:"decided"`
	Acted        time.Time     `json:"acted"`
	Recovered    time.Time     `json:"recovered"`
	Closed       time.Time     `json:"closed"`
}

// Ref names an entity.
type Ref struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Run is a run of a job.
type Run struct {
	ID      string `json:"id"`
	Phase   string `json:"phase"`
	Attempt int    `json:"attempt"`
}

// Evidence is one observation.
type Evidence struct {
	Observation struct {
		Kind   string `json:"kind"`
		Source string `json:"source"`
		Entity Ref    `json:"entity"`
		Run    *Run   `json:"run"`
		Error  *struct {
			Type     string `json:"type"`
			Message  string `json:"message"`
			Location string `json:"location"`
		} `json:"error"`
		Series *struct {
			Metric   string  `json:"metric"`
			Reason   string  `json:"reason"`
			Score    float64 `json:"score"`
			Value    float64 `json:"value"`
			Expected float64 `json:"expected"`
			Lower    float64 `json:"lower"`
			Upper    float64 `json:"upper"`
		} `json:"series"`
		Hypothesis *struct {
			Class      string  `json:"class"`
			Confidence float64 `json:"confidence"`
			Rule       string  `json:"rule"`
			Why        string  `json:"why"`
		} `json:"hypothesis"`
	} `json:"observation"`
	Count int `json:"count"`
}

// Decision is the choice that was made.
type Decision struct {
	At           time.Time `json:"at"`
	Chosen       string    `json:"chosen"`
	Why          string    `json:"why"`
	Policy       string    `json:"policy"`
	Alternatives []struct {
		Name    string   `json:"name"`
		Score   float64  `json:"score"`
		Allowed bool     `json:"allowed"`
		Reasons []string `json:"reasons"`
	} `json:"alternatives"`
}

// Step is one plan and what came of it.
type Step struct {
	PlanID  string    `json:"plan_id"`
	Action  string    `json:"action"`
	Summary string    `json:"summary"`
	Outcome string    `json:"outcome"`
	At      time.Time `json:"at"`
}

// Verification is what must hold before the incident closes.
type Verification struct {
	Since      time.Time     `json:"since"`
	HoldsSince time.Time     `json:"holds_since"`
	Window     time.Duration `json:"window"`
	Conditions []Condition   `json:"conditions"`
}

// Condition is one signal of recovery.
type Condition struct {
	Name   string  `json:"name"`
	Entity Ref     `json:"entity"`
	Holds  bool    `json:"holds"`
	Silent bool    `json:"silent"`
	Detail string  `json:"detail"`
	Owed   float64 `json:"owed"`
	Before float64 `json:"before"`
	Now    float64 `json:"now"`
}

// Concerns reports whether the incident is about the job or dataset, or a part
// of it: its root, or one that was seen in trouble.
func (i *Incident) Concerns(belongs func(Ref) bool) bool {
	if belongs(i.Root) {
		return true
	}
	return slices.ContainsFunc(i.Observed, belongs)
}
