package openlineagereceiver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"go.opentelemetry.io/collector/consumer/consumererror"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/metadata"
)

// Paths of OpenLineage's HTTP API.
const (
	pathSingle = "/api/v1/lineage"
	pathBatch  = "/api/v1/lineage/batch"
)

// handler answers as OpenLineage's OpenAPI description says.
type handler struct {
	sink        *sink
	limits      event.Limits
	batchEvents int
	slots       chan struct{} // one for each request being handled
}

func newHandler(s *sink, cfg *Config) http.Handler {
	h := &handler{
		sink: s,
		limits: event.Limits{
			Depth: cfg.Limits.Depth, StringBytes: cfg.Limits.StringBytes, Keys: cfg.Limits.Keys,
			Values: cfg.Limits.Values, Datasets: cfg.Limits.Datasets,
		},
		batchEvents: cfg.Limits.BatchEvents,
		slots:       make(chan struct{}, cfg.MaxRequestsInFlight),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathSingle, h.bounded(h.single))
	mux.HandleFunc("POST "+pathBatch, h.bounded(h.batch))
	return mux
}

// problem is the body of an answer that is no success.
type problem struct {
	Error string `json:"error"`
	// Field is the path of the JSON field that is wrong.
	Field     string `json:"field,omitempty"`
	Retriable bool   `json:"retriable"`
}

// result is the body of a batch's answer that is not all success.
type result struct {
	Status  string   `json:"status"`
	Summary summary  `json:"summary"`
	Failed  []failed `json:"failed_events"`
}

type summary struct {
	Received     int `json:"received"`
	Successful   int `json:"successful"`
	Failed       int `json:"failed"`
	Retriable    int `json:"retriable"`
	NonRetriable int `json:"non_retriable"`
}

type failed struct {
	Index     int    `json:"index"`
	Reason    string `json:"reason"`
	Retriable bool   `json:"retriable"`
}

// bounded holds the number of requests, and so their memory, and reads the body.
func (h *handler) bounded(next func(http.ResponseWriter, *http.Request, []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case h.slots <- struct{}{}:
			defer func() { <-h.slots }()
		default:
			h.sink.telemetry.OpenlineageRequestsRefused.Add(r.Context(), 1)
			comeAgain(w, "too many requests are being handled (max_requests_in_flight)")
			return
		}
		if !isJSON(r.Header.Get("Content-Type")) {
			answer(w, http.StatusUnsupportedMediaType, problem{Error: "Content-Type: want application/json"})
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			unreadable(w, err)
			return
		}
		next(w, r, body)
	}
}

func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}

func unreadable(w http.ResponseWriter, err error) {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		answer(w, http.StatusRequestEntityTooLarge, problem{
			Error: fmt.Sprintf("body: is longer than %d bytes (max_request_body_size)", tooLarge.Limit), Field: "body",
		})
		return
	}
	answer(w, http.StatusBadRequest, problem{Error: "body: cannot be read", Field: "body"})
}

func (h *handler) single(w http.ResponseWriter, r *http.Request, body []byte) {
	e, err := event.Read(body, h.limits)
	if err != nil {
		h.sink.count(r.Context(), metadata.AttributeOutcomeInvalid)
		wrong(w, err)
		return
	}
	switch err := h.sink.take(r.Context(), e); {
	case err == nil:
		w.WriteHeader(http.StatusOK)
	case consumererror.IsPermanent(err):
		answer(w, http.StatusUnprocessableEntity, problem{Error: reasonRejected})
	default:
		comeAgain(w, reasonBusy)
	}
}

// What a pipeline said may name hosts and paths: it goes to the collector's own
// telemetry, not to whoever sent the event.
const (
	reasonRejected = "a pipeline rejects this event for good"
	reasonBusy     = "a pipeline cannot take this event now"
)

func (h *handler) batch(w http.ResponseWriter, r *http.Request, body []byte) {
	parts, err := event.Split(body, h.batchEvents)
	if err != nil {
		wrong(w, err)
		return
	}
	var out result
	for i, part := range parts {
		f := h.one(r, part)
		if f == nil {
			out.Summary.Successful++
			continue
		}
		f.Index = i
		out.Failed = append(out.Failed, *f)
		if out.Summary.Failed++; f.Retriable {
			out.Summary.Retriable++
		} else {
			out.Summary.NonRetriable++
		}
	}
	out.Summary.Received = len(parts)
	switch {
	case out.Summary.Failed == 0:
		w.WriteHeader(http.StatusNoContent)
	case out.Summary.Retriable == len(parts):
		// Senders that know nothing of failed_events take a 503 for what it is.
		comeAgain(w, reasonBusy)
	default:
		out.Status = "partial_success"
		answer(w, http.StatusOK, out)
	}
}

// one takes one event of a batch; nil is success.
func (h *handler) one(r *http.Request, part []byte) *failed {
	e, err := event.Read(part, h.limits)
	if err != nil {
		h.sink.count(r.Context(), metadata.AttributeOutcomeInvalid)
		return &failed{Reason: err.Error()}
	}
	switch err := h.sink.take(r.Context(), e); {
	case err == nil:
		return nil
	case consumererror.IsPermanent(err):
		return &failed{Reason: reasonRejected}
	default:
		return &failed{Reason: reasonBusy, Retriable: true}
	}
}

func wrong(w http.ResponseWriter, err error) {
	p := problem{Error: err.Error()}
	if field, ok := errors.AsType[*event.FieldError](err); ok {
		p.Field = field.Field
	}
	answer(w, http.StatusBadRequest, p)
}

func comeAgain(w http.ResponseWriter, reason string) {
	w.Header().Set("Retry-After", "1")
	answer(w, http.StatusServiceUnavailable, problem{Error: reason, Retriable: true})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A sender that has gone needs no answer.
	_ = json.NewEncoder(w).Encode(body)
}
