package airflowreceiver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/ledger"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/record"
)

// round is one poll.
type round struct {
	*poller
	// ctx ends with the interval; read ends earlier, so that what was read can be delivered.
	ctx, read context.Context
	// server is Airflow's clock as far as it is known.
	server  time.Time
	details int
	// calls counts Airflow's answers; answer is when the last came, or the round began.
	calls   int
	answer  time.Time
	stated  map[string]bool
	trouble []error
	partial bool
	gauges  gauges
}

// poll does one round, before the interval has passed. It reports what was wrong
// and returns it.
func (p *poller) poll(parent context.Context) error {
	began := p.now()
	if began.Before(p.notBefore) {
		p.count(parent, p.telemetry.AirflowPolls, "outcome", "skipped")
		return nil
	}
	ctx, cancel := context.WithTimeout(parent, p.cfg.CollectionInterval)
	defer cancel()
	read, cancelRead := context.WithTimeout(ctx, p.cfg.CollectionInterval*8/10)
	defer cancelRead()
	r := &round{poller: p, ctx: ctx, read: read, server: began, answer: began, stated: map[string]bool{}}
	p.begin(ledger.Runs, began)
	p.begin(ledger.Tasks, began)
	complete := true
	// Tasks come before the runs that fail because of them.
	for _, step := range []func() error{
		r.health, r.dags, r.pools, r.importErrors, r.definitions, r.tasks, r.runs,
	} {
		if err := step(); err != nil {
			complete = false
			if r.fail(err) {
				break
			}
		}
	}
	if err := r.deliverMetrics(); err != nil {
		complete = false
		r.fail(err)
	}
	p.ledger.Prune(r.server.Add(-max(remember, 4*p.cfg.Overlap)))
	if p.ledger.Evicted() > 0 {
		r.bound("tracked")
	}
	if err := p.save(parent); err != nil {
		r.trouble = append(r.trouble, err)
		p.count(parent, p.telemetry.AirflowErrors, "kind", "storage")
	}
	if parent.Err() != nil {
		return nil // shutting down says nothing about Airflow
	}
	outcome := "complete"
	switch {
	case !complete && r.calls == 0:
		outcome = "failed"
	case !complete || r.partial || len(r.trouble) > 0:
		outcome = "partial"
	}
	p.count(parent, p.telemetry.AirflowPolls, "outcome", outcome)
	p.telemetry.AirflowPollDuration.Record(parent, p.now().Sub(began).Seconds())
	p.telemetry.AirflowTracked.Record(parent, int64(p.ledger.Len()))
	err := errors.Join(r.trouble...)
	p.report(parent, err)
	return err
}

// begin sets from when on changes are followed, at the first poll ever, so that an
// Airflow that is down at first loses nothing.
func (p *poller) begin(c ledger.Cursor, now time.Time) {
	if p.ledger.Cursor(c).IsZero() {
		p.ledger.Advance(c, now.Add(-p.cfg.Lookback))
	}
}

// remember is how long what has ended is kept in mind at least.
const remember = 2 * time.Hour

// fail notes an error and says whether the rest of the round is pointless.
func (r *round) fail(err error) (over bool) {
	if errors.Is(err, errBudget) {
		r.bound("details")
		return false
	}
	// Much work is no trouble; one call that took the rest of the time is.
	if r.outOfTime(err) && !isRefused(err) {
		r.bound("deadline")
		return true
	}
	r.trouble = append(r.trouble, err)
	if isRefused(err) {
		r.count(r.ctx, r.telemetry.AirflowErrors, "kind", "refused")
		return true
	}
	kind := airflow.Kind(err)
	r.count(r.ctx, r.telemetry.AirflowErrors, "kind", kind)
	if wait := airflow.RetryAfter(err); wait > 0 {
		r.notBefore = r.now().Add(wait)
		return true
	}
	switch kind {
	case "unreachable", "timeout", "canceled", "unauthorized", "throttled":
		return true
	}
	return false
}

// outOfTime is true where the poll ended because it had much to do, and not
// because Airflow did not answer.
func (r *round) outOfTime(err error) bool {
	return airflow.IsLimited(err) || r.read.Err() != nil && r.now().Sub(r.answer) < r.cfg.CollectionInterval/4
}

func isRefused(err error) bool {
	var e refused
	return errors.As(err, &e)
}

// bound notes that a limit held something back.
func (r *round) bound(name string) {
	r.partial = true
	r.count(r.ctx, r.telemetry.AirflowBounds, "bound", name)
}

func (p *poller) count(ctx context.Context, c metric.Int64Counter, key, value string) {
	c.Add(ctx, 1, metric.WithAttributes(attribute.String(key, value)))
}

// got notes an answer of Airflow.
func (r *round) got() {
	r.calls++
	r.answer = r.now()
}

// answered notes an answer of Airflow and its clock.
func (r *round) answered(at time.Time) time.Time {
	r.got()
	if record.Plausible(at) {
		r.server = at
	}
	return r.server
}

// detail takes one from the round's budget of single requests.
func (r *round) detail() error {
	if r.details >= r.cfg.MaxDetails {
		return errBudget
	}
	r.details++
	return nil
}

// deliver hands records on. An error means that none is delivered.
func (r *round) deliver(b *record.Batch) error {
	if r.logs == nil || b.Len() == 0 {
		return nil
	}
	n := b.Len()
	err := r.logs.ConsumeLogs(r.ctx, b.Logs)
	switch {
	case err == nil:
		for event, count := range b.Counts() {
			r.telemetry.AirflowRecords.Add(r.ctx, int64(count), metric.WithAttributes(attribute.String("event", event)))
		}
	case consumererror.IsPermanent(err):
		r.telemetry.AirflowRecordsDropped.Add(r.ctx, int64(n))
		r.set.Logger.Error("The pipeline refused records for good", zap.Int("records", n), zap.Error(err))
	default:
		return refused{err}
	}
	return nil
}

// list is a list that is read over several polls where it is long.
type list struct {
	// began is Airflow's clock at the first page; after continues the list.
	began time.Time
	after string
}

func (p *poller) list(name string) *list {
	if p.lists[name] == nil {
		p.lists[name] = &list{}
	}
	return p.lists[name]
}

// walk reads a list on from where it stopped and hands its pages to take. It says
// whether the end was reached; a page that take did not take comes again.
func walk[T any](r *round, l *list, pages func(after string) pageSeq[T], take func([]T) error) (done bool, err error) {
	resumed := l.after != ""
	n := 0
	for page, err := range pages(l.after) {
		if err != nil {
			if resumed && n == 0 && !airflow.IsRetryable(err) && !airflow.IsUnauthorized(err) {
				*l = list{} // Airflow no longer knows the place
			}
			return false, err
		}
		at := r.answered(page.ServerTime)
		if l.began.IsZero() {
			l.began = at
		}
		if err := take(page.Items); err != nil {
			return false, err
		}
		l.after = page.Next
		if n++; n >= r.cfg.MaxPages && page.Next != "" {
			r.bound("pages")
			return false, nil
		}
	}
	return true, nil
}

type pageSeq[T any] func(yield func(airflow.Page[T], error) bool)

// all reads a short list whole; incomplete is true where max_pages cut it off.
func all[T any](r *round, bound string, pages pageSeq[T]) (items []T, incomplete bool, err error) {
	n := 0
	for page, err := range pages {
		if err != nil {
			return nil, false, err
		}
		r.answered(page.ServerTime)
		items = append(items, page.Items...)
		if n++; n >= r.cfg.MaxPages && page.Next != "" {
			r.bound(bound)
			return items, true, nil
		}
	}
	return items, false, nil
}

// maxName is the longest name that is believed, in bytes; Airflow's have 250 characters.
const maxName = 1000

// badNames notes rows that cannot be told about.
func (r *round) badNames(names ...string) bool {
	for _, n := range names {
		if n == "" || len(n) > maxName {
			r.count(r.ctx, r.telemetry.AirflowErrors, "kind", "malformed")
			return true
		}
	}
	return false
}

func heartbeatTrouble(part string, age, threshold time.Duration) error {
	return fmt.Errorf("airflow's %s gave no sign of life for %s (heartbeat_threshold is %s)", part, age.Round(time.Second), threshold)
}
