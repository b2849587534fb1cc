// Package decision chooses what to do about an incident: it lists what could be
// done, asks the policies about each, weighs the chance of success that was
// learned against the risk, and says why. It plans at most one action at a time
// and carries none out.
package decision

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/graph"
	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/policy"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// Settings of the choice.
type Settings struct {
	// BackoffInitial is the wait before the first retry; each further one waits
	// BackoffMultiplier times longer, at most BackoffMax.
	BackoffInitial, BackoffMax time.Duration
	BackoffMultiplier          float64
	// MaxAttempts bounds the actions on one run.
	MaxAttempts int
	// ConfirmPatience is how long to wait for the platform's own word about a
	// failure that only an event told of.
	ConfirmPatience time.Duration
	// UpstreamPatience is how long a late input is waited for.
	UpstreamPatience time.Duration
}

// Input is what is known when choosing.
type Input struct {
	store.Reader
	Graph        *graph.Graph
	Policies     *policy.Set
	Capabilities []action.Capability
	Incident     *incident.Incident
	Plans        []*action.Plan // made for this incident, oldest first
	Now          time.Time
}

// Choice is the outcome. Exactly one of Plan, Wait and Escalate is set.
type Choice struct {
	Decision incident.Decision
	Plan     *action.Plan // without ID
	Wait     bool
	Escalate bool
	Reason   incident.Reason
	Detail   string
}

// Score that an action has to beat: a person's attention costs this much.
const escalateScore = 0.3

// prior chance that one more try helps, by class, as the weight of two observations.
var prior = map[incident.Class]float64{
	incident.TransientFailure:   0.8,
	incident.UpstreamDelay:      0.6,
	incident.DataQualityBreach:  0.6,
	incident.ResourceExhaustion: 0.25,
	incident.CredentialFailure:  0.02,
	incident.DeterministicBug:   0.02,
	incident.Unknown:            0.2,
}

// Decide chooses. An error means that the state could not be read.
func Decide(in Input, set Settings) (Choice, error) {
	d := &decider{Input: in, set: set}
	c, err := d.choose()
	if err != nil {
		return Choice{}, err
	}
	c.Decision.At = in.Now
	c.Decision.Alternatives = d.alternatives
	if c.Decision.Why == "" {
		c.Decision.Why = c.Detail
	}
	switch {
	case c.Wait:
		c.Decision.Chosen = "wait"
	case c.Escalate:
		c.Decision.Chosen = "escalate"
	default:
		c.Decision.Chosen = string(c.Plan.Action)
	}
	c.Decision.InputsHash = d.hash(c.Plan)
	return c, nil
}

type decider struct {
	Input
	set          Settings
	alternatives []incident.Alternative
}

func (d *decider) choose() (Choice, error) {
	t, early, err := d.target()
	if err != nil || early != nil {
		if early != nil {
			d.consider(incident.Alternative{Name: name(*early), Score: escalateScore, Allowed: true, Reasons: []string{early.Detail}})
			return *early, nil
		}
		return Choice{}, err
	}
	if c := d.gate(t); c != nil {
		d.consider(incident.Alternative{Name: string(t.action), Action: t.action, Score: prior[d.Incident.Class], Allowed: false, Reasons: []string{c.Detail}})
		d.consider(incident.Alternative{Name: name(*c), Score: escalateScore, Allowed: true, Reasons: []string{c.Detail}})
		return *c, nil
	}
	return d.weigh(t)
}

func name(c Choice) string {
	if c.Wait {
		return "wait"
	}
	return "escalate"
}

func (d *decider) consider(a incident.Alternative) { d.alternatives = append(d.alternatives, a) }

func wait(r incident.Reason, detail string) *Choice {
	return &Choice{Wait: true, Reason: r, Detail: detail}
}

func escalate(r incident.Reason, detail string) *Choice {
	return &Choice{Escalate: true, Reason: r, Detail: detail}
}

// gate holds back what no policy should be asked about.
func (d *decider) gate(t target) *Choice {
	i := d.Incident
	switch i.Class {
	case incident.DeterministicBug:
		return escalate(incident.ReasonNotRetryable, "it fails the same way every time: "+cause(i))
	case incident.CredentialFailure:
		return escalate(incident.ReasonNotRetryable, "an identity was refused, a retry cannot help: "+cause(i))
	case incident.ResourceExhaustion:
		return escalate(incident.ReasonNotRetryable, "a resource is used up, a retry would use it up again: "+cause(i))
	case incident.Unknown:
		return escalate(incident.ReasonUnknownClass, "nothing tells what kind of failure this is: "+cause(i))
	case incident.UpstreamDelay:
		return d.upstream(t)
	}
	return nil
}

// cause is what a person wants to read first.
func cause(i *incident.Incident) string {
	for _, e := range i.Evidence {
		if err := e.Observation.Error; err != nil && e.Observation.Entity == i.Root && (err.Type != "" || err.Message != "") {
			text := err.Type
			if err.Message != "" {
				text += ": " + err.Message
			}
			if err.Location != "" {
				text += " at " + err.Location
			}
			return bounded(text, 300)
		}
	}
	return i.Title
}

func bounded(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}

// weigh asks whether the one action that fits is possible, allowed and worth its risk.
func (d *decider) weigh(t target) (Choice, error) {
	i := d.Incident
	tried := d.count(t, begun)
	alt := incident.Alternative{Name: string(t.action), Action: t.action}
	p, why, err := d.chance(t)
	if err != nil {
		return Choice{}, err
	}
	radius := len(i.Observed) + len(i.AtRisk)
	risk := 0.05 + 0.25*math.Min(1, float64(radius)/500)
	alt.Score = p - risk
	alt.Reasons = append(alt.Reasons, why, fmt.Sprintf("%d entities downstream, risk %.2f", radius, risk))

	reject := func(c *Choice) (Choice, error) {
		alt.Reasons = append(alt.Reasons, c.Detail)
		d.consider(alt)
		d.consider(incident.Alternative{Name: name(*c), Score: escalateScore, Allowed: true, Reasons: []string{c.Detail}})
		return *c, nil
	}
	if tried >= d.set.MaxAttempts {
		return reject(escalate(incident.ReasonExhausted, fmt.Sprintf("%d actions on this run have not helped: %s", tried, cause(i))))
	}
	if changed := d.count(t, voided); changed >= 3*d.set.MaxAttempts {
		return reject(escalate(incident.ReasonExhausted, fmt.Sprintf("the run was not as expected %d times, nothing was sent: %s", changed, cause(i))))
	}
	can := slices.IndexFunc(d.Capabilities, func(c action.Capability) bool {
		return c.Action == t.action && c.Platform == t.address.Kind && c.Instance == t.address.Instance
	})
	if can < 0 {
		// Who only observes has no exporter, and still wants to know what would be done.
		alt.Reasons = append(alt.Reasons, fmt.Sprintf("no remediation exporter offers it on %s %q", t.address.Kind, t.address.Instance))
	}
	facts := policy.Facts{
		Action: string(t.action), Class: string(i.Class), Confidence: i.Confidence,
		Kind: string(i.Root.Kind), Namespace: i.Root.Namespace, Name: i.Root.Name, Resource: t.resource.String(),
		Platform: t.address.Kind, Instance: t.address.Instance, Owner: i.Owner,
		Attempt: tried + 1, BlastRadius: radius, Confirmed: t.confirmed,
	}
	facts.SetTime(d.Now)
	verdict := d.Policies.Evaluate(facts)
	switch {
	case verdict.Err != nil:
		c, err := reject(escalate(incident.ReasonPolicyError, verdict.Err.Error()))
		c.Decision.Policy = verdict.Policy
		return c, err
	case verdict.Effect != policy.Allow:
		c, err := reject(escalate(incident.ReasonPolicyDenied, fmt.Sprintf("policy %s: %s for %s", verdict.Policy, verdict.Effect, t.action)))
		c.Decision.Policy = verdict.Policy
		return c, err
	case alt.Score < escalateScore:
		c, err := reject(escalate(incident.ReasonExhausted, "experience says that it will not help: "+why))
		c.Decision.Policy = verdict.Policy
		return c, err
	}
	alt.Allowed = true
	delay := d.backoff(t, tried)
	alt.Reasons = append(alt.Reasons, "allowed by policy "+verdict.Policy)
	d.consider(alt)
	d.consider(incident.Alternative{Name: "escalate", Score: escalateScore, Allowed: true, Reasons: []string{"a person's attention is worth " + strconv.FormatFloat(escalateScore, 'g', -1, 64)}})
	d.consider(incident.Alternative{Name: "wait", Score: 0, Allowed: true, Reasons: []string{"the platform will not try again by itself"}})
	c := Choice{
		Plan: &action.Plan{
			IncidentID: i.ID, Action: t.action, Target: t.address, Resource: t.resource, Expect: t.expect,
			NotBefore: d.Now.Add(delay), Created: d.Now, Status: action.Pending, Summary: t.summary,
		},
		Reason: incident.ReasonBackoff,
		Detail: t.summary,
	}
	c.Decision.Policy = verdict.Policy
	c.Decision.Why = fmt.Sprintf("%s (confidence %.2f): %s; %s", i.Class, i.Confidence, t.summary, why)
	if delay > 0 {
		c.Detail += " in " + delay.Round(time.Second).String()
	}
	return c, nil
}

// backoff waits before a retry; a rerun of a load that came through needs none.
// A plan that found the world changed is no try, but the next one waits longer too.
func (d *decider) backoff(t target, tried int) time.Duration {
	tried += d.count(t, voided)
	if d.Incident.Class == incident.DataQualityBreach && tried == 0 {
		return 0
	}
	wait := float64(d.set.BackoffInitial) * math.Pow(d.set.BackoffMultiplier, float64(tried))
	return time.Duration(math.Min(wait, float64(d.set.BackoffMax)))
}

// begun: an executor began to act on the plan. voided: it found the world
// changed, and sent nothing.
func begun(p *action.Plan) bool  { return p.Intent != nil && p.Status != action.Void }
func voided(p *action.Plan) bool { return p.Status == action.Void && p.Result != nil }

// count counts the plans for the same run that are of a kind.
func (d *decider) count(t target, kind func(*action.Plan) bool) int {
	n := 0
	for _, p := range d.Plans {
		if kind(p) && sameRun(p.Target, t.address) {
			n++
		}
	}
	return n
}

func sameRun(a, b observation.Target) bool {
	for _, k := range []string{observation.AirflowDAG, observation.AirflowRun, observation.AirflowTask, observation.AirflowMapIndex} {
		if a.Coordinates[k] != b.Coordinates[k] {
			return false
		}
	}
	return a.Kind == b.Kind && a.Instance == b.Instance
}

// chance is the mean of a Beta distribution: the class's prior worth two
// observations, then outcomes of the same class and action, those of the same
// resource counted in full and others a tenth.
func (d *decider) chance(t target) (p float64, why string, err error) {
	outcomes, err := d.Outcomes(d.Incident.Class, t.action)
	if err != nil {
		return 0, "", err
	}
	good, all := 2*prior[d.Incident.Class], 2.0
	here, worked := 0, 0
	for _, o := range outcomes {
		weight := 0.1
		if o.Resource == t.resource {
			weight = 1
			here++
		}
		all += weight
		if o.Verified {
			good += weight
			if o.Resource == t.resource {
				worked++
			}
		}
	}
	p = good / all
	return p, fmt.Sprintf("chance %.2f (it helped here %d of %d times, %d outcomes in all)", p, worked, here, len(outcomes)), nil
}

// hash binds a decision to what it was made from.
func (d *decider) hash(p *action.Plan) string {
	ids := make([]string, 0, len(d.Incident.Evidence))
	for _, e := range d.Incident.Evidence {
		ids = append(ids, e.Observation.ID)
	}
	raw, err := json.Marshal(struct {
		Evidence []string
		Class    incident.Class
		Root     entity.Ref
		Plan     *action.Plan
		Policies string
	}{ids, d.Incident.Class, d.Incident.Root, p, d.Policies.Hash()})
	if err != nil {
		panic("decision: a stored type must have a JSON form: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
