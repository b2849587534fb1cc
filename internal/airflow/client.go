package airflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"golang.org/x/time/rate"
)

var (
	errInvalid  = errors.New("invalid argument")
	errLimited  = errors.New("rate_limit leaves no time for it before the deadline")
	errTooLarge = errors.New("the answer is larger than max_response_size")
)

// Client calls one Airflow installation. It is safe for concurrent use.
type Client struct {
	http *http.Client
	idle http.RoundTripper // what holds the connections, below all that wraps it
	base string
	// api is the prefix of the stable API. Airflow 2.11 has /api/v1 with basic
	// authentication, other names for some fields and no /auth/token.
	api     string
	auth    *authenticator
	limiter *rate.Limiter
	maxSize int64
	now     func() time.Time
}

// NewClient makes a client. Extensions are the collector's, for the auth of the
// connection; nil where there are none. The configuration must be valid.
func NewClient(ctx context.Context, cfg Config, extensions map[component.ID]component.Component, set component.TelemetrySettings) (*Client, error) {
	var base innermost
	extensions = base.join(&cfg, extensions)
	hc, err := cfg.ClientConfig.ToClient(ctx, extensions, set)
	if err != nil {
		return nil, fmt.Errorf("airflow: make the HTTP client: %w", err)
	}
	// A redirect is either a login page or a wrong endpoint; following it could
	// turn a POST into a GET and read the page as an answer.
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &Client{
		http:    hc,
		base:    strings.TrimRight(cfg.ClientConfig.Endpoint, "/"),
		idle:    base.transport,
		api:     "/api/v2",
		limiter: rate.NewLimiter(rate.Limit(cfg.RateLimit), cfg.RateBurst),
		maxSize: cfg.MaxResponseSize,
		now:     time.Now,
	}
	c.auth = newAuthenticator(c, cfg)
	return c, nil
}

// Close closes idle connections.
func (c *Client) Close() { (&http.Client{Transport: c.idle}).CloseIdleConnections() }

// call is one request.
type call struct {
	method string
	path   string // below the API prefix, escaped
	query  url.Values
	body   any
	accept string
	// read takes the body of a successful answer. It must read all of it.
	read func(r io.Reader) error
}

// do sends a call with the login, and once more when Airflow wants a new login.
// It returns the server's clock, zero where the server did not tell it.
func (c *Client) do(ctx context.Context, k call) (time.Time, error) {
	path := c.api + k.path
	var body []byte
	if k.body != nil {
		var err error
		if body, err = json.Marshal(k.body); err != nil {
			return time.Time{}, &Error{Method: k.method, Path: path, Detail: err.Error(), Err: errInvalid}
		}
	}
	token, err := c.auth.token(ctx, "")
	if err != nil {
		return time.Time{}, err
	}
	at, err := c.send(ctx, k, path, body, token)
	if !IsUnauthorized(err) && !isStale(err) {
		return at, err
	}
	renewed, renewErr := c.auth.token(ctx, token)
	if renewErr != nil {
		return at, renewErr
	}
	if renewed == token {
		return at, err
	}
	return c.send(ctx, k, path, body, renewed)
}

// send performs one exchange.
func (c *Client) send(ctx context.Context, k call, path string, body []byte, token string) (time.Time, error) {
	fail := &Error{Method: k.method, Path: path}
	if err := c.limiter.Wait(ctx); err != nil {
		fail.Err = errLimited
		if ctx.Err() != nil {
			fail.Err = ctx.Err()
		}
		return time.Time{}, fail
	}
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaderField: func(string, []string) { sent.Store(true) },
		WroteHeaders:     func() { sent.Store(true) },
	})
	target := c.base + path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, reader)
	if err != nil {
		fail.Detail, fail.Err = "the address cannot be parsed", errInvalid
		return time.Time{}, fail
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	accept := k.accept
	if accept == "" {
		accept = "application/json"
	}
	req.Header.Set("Accept", accept)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		fail.Sent, fail.Err = sent.Load(), transportCause(err)
		return time.Time{}, fail
	}
	defer func() { _ = resp.Body.Close() }()
	fail.Status, fail.Sent = resp.StatusCode, true
	at, _ := http.ParseTime(resp.Header.Get("Date"))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		c.explain(fail, resp)
		return at, fail
	}
	if ct := resp.Header.Get("Content-Type"); !strings.HasPrefix(ct, accept) {
		fail.Detail = fmt.Sprintf("content type %q instead of %s: is endpoint Airflow's base URL?", printable(ct), accept)
		return at, fail
	}
	if err := k.read(resp.Body); err != nil {
		fail.Detail, fail.Err = "the answer cannot be read", transportCause(err)
		return at, fail
	}
	return at, nil
}

// transportCause drops what net/http puts around an error: method and URL, which
// [Error] tells itself.
func transportCause(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// explain reads what an answer that is no success says.
func (c *Client) explain(fail *Error, resp *http.Response) {
	if resp.StatusCode < 400 {
		fail.Detail = "redirected: set endpoint to the final base URL"
		return
	}
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 8<<10))
	var said struct {
		Detail json.RawMessage `json:"detail"`
	}
	var text string
	switch {
	case json.Unmarshal(raw, &said) != nil || len(said.Detail) == 0:
		fail.Detail = "no explanation"
	case json.Unmarshal(said.Detail, &text) == nil:
		fail.Detail = explanation(text)
	default:
		fail.Detail = explanation(string(said.Detail))
	}
	fail.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), c.now())
}

// maxRetryAfter bounds what a server may ask us to wait.
const maxRetryAfter = 10 * time.Minute

// retryAfter reads both forms of the header (RFC 9110, 10.2.3).
func retryAfter(header string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(strings.TrimSpace(header)); err == nil {
		wait = time.Duration(min(max(seconds, 0), int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// decode reads exactly one JSON value of bounded size into v.
func (c *Client) decode(v any) func(io.Reader) error {
	return func(r io.Reader) error {
		raw, err := io.ReadAll(io.LimitReader(r, c.maxSize+1))
		if err != nil {
			return err
		}
		if int64(len(raw)) > c.maxSize {
			return errTooLarge
		}
		return json.Unmarshal(raw, v)
	}
}

// get reads one resource.
func (c *Client) get(ctx context.Context, path string, query url.Values, v any) (time.Time, error) {
	return c.do(ctx, call{method: http.MethodGet, path: path, query: query, read: c.decode(v)})
}

// post sends a command.
func (c *Client) post(ctx context.Context, path string, body, v any) error {
	_, err := c.do(ctx, call{method: http.MethodPost, path: path, body: body, read: c.decode(v)})
	return err
}

// join makes a path of escaped segments. Identifiers that Airflow or a proxy
// would read as something else than one thing's name ("~" means all) are refused.
func join(method string, segments ...string) (string, error) {
	var b strings.Builder
	collection := ""
	for i, s := range segments {
		if i%2 == 1 && (s == "" || s == "." || s == ".." || s == "~" || len(s) > maxID) {
			return "", invalid(method, b.String(), fmt.Sprintf("%q is no name of one of %s", printable(s), collection))
		}
		b.WriteString("/" + url.PathEscape(s))
		collection = s
	}
	return b.String(), nil
}

// maxID is the longest identifier that is sent, in bytes; Airflow's columns hold 250 characters.
const maxID = 1024

func invalid(method, path, detail string) *Error {
	return &Error{Method: method, Path: path, Detail: detail, Err: errInvalid}
}
