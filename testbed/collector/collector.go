// Package collector builds and starts the product's own binary, as a user
// would, and reads its HTTP API.
package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/process"
)

// TokenFile is the file in the state folder that the first start leaves the
// first user's token in.
const TokenFile = "admin.token"

// Build runs a target of the Makefile; its output is <target>.log in the folder logs.
func Build(ctx context.Context, root, target, logs string) error {
	path, err := exec.LookPath("make")
	if err != nil {
		return fmt.Errorf("missing: make: %w", err)
	}
	return process.Run(ctx, process.Spec{Name: target, Path: path, Args: []string{"--no-print-directory", target}, Dir: root, Env: os.Environ(), Logs: logs})
}

// Collector is a running collector.
type Collector struct {
	API   string // URL of its API
	State string // folder of its state

	binary, config, logs, name string
	env                        []string
	proc                       atomic.Pointer[process.Process]
	token                      atomic.Pointer[string]
	client                     http.Client
}

// New describes a collector; Start starts it. env is added to our own environment.
func New(name, binary, config, state, logs, api string, env ...string) *Collector {
	return &Collector{
		API: api, State: state, binary: binary, config: config, logs: logs, name: name,
		env: append(os.Environ(), env...), client: http.Client{Timeout: 5 * time.Second},
	}
}

// Start starts it, again after a Kill or Stop, and returns when its API answers.
func (c *Collector) Start(ctx context.Context) error {
	p, err := c.Launch()
	if err != nil {
		return err
	}
	for {
		if err := p.Err(); err != nil {
			return fmt.Errorf("%w\n%s", err, p.Tail(4000))
		}
		_, err := c.Incidents(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the collector's API at %s: %w; last: %w\n%s", c.API, ctx.Err(), err, p.Tail(2000))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Launch starts it and does not wait.
func (c *Collector) Launch() (*process.Process, error) {
	p, err := process.Start(process.Spec{Name: c.name, Path: c.binary, Args: []string{"--config", c.config}, Env: c.env, Dir: filepath.Dir(c.config), Logs: c.logs})
	if err != nil {
		return nil, err
	}
	c.proc.Store(p)
	return p, nil
}

// Kill sends SIGKILL.
func (c *Collector) Kill() {
	if p := c.proc.Load(); p != nil {
		p.Kill()
	}
}

// Stop ends it gracefully.
func (c *Collector) Stop() error {
	if p := c.proc.Load(); p != nil {
		return p.Stop(15 * time.Second)
	}
	return nil
}

// Process is the running process.
func (c *Collector) Process() *process.Process { return c.proc.Load() }

// Incidents lists all incidents.
func (c *Collector) Incidents(ctx context.Context) ([]Incident, error) {
	var list struct {
		Items []Incident `json:"items"`
	}
	err := c.get(ctx, "/api/v1/incidents?limit=1000", &list)
	return list.Items, err
}

// Incident reads one incident whole.
func (c *Collector) Incident(ctx context.Context, id string) (Incident, error) {
	var i Incident
	err := c.get(ctx, "/api/v1/incidents/"+url.PathEscape(id), &i)
	return i, err
}

// Post sends a command to the API, such as a silence.
func (c *Collector) Post(ctx context.Context, path string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode a command: %w", err)
	}
	return c.do(ctx, http.MethodPost, path, strings.NewReader(string(data)), nil)
}

func (c *Collector) get(ctx context.Context, path string, into any) error {
	return c.do(ctx, http.MethodGet, path, http.NoBody, into)
}

func (c *Collector) do(ctx context.Context, method, path string, body io.Reader, into any) error {
	token, err := c.bearer()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.API+path, body)
	if err != nil {
		return fmt.Errorf("make a request to the collector: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return fmt.Errorf("call the collector: %w", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("read the collector's answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: the collector answers %s: %.300s", method, path, resp.Status, data)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("decode the collector's answer to %s: %w", path, err)
	}
	return nil
}

func (c *Collector) bearer() (string, error) {
	if t := c.token.Load(); t != nil {
		return *t, nil
	}
	data, err := os.ReadFile(filepath.Join(c.State, TokenFile))
	if err != nil {
		return "", fmt.Errorf("read the first user's token: %w", err)
	}
	token := strings.TrimSpace(string(data))
	c.token.Store(&token)
	return token, nil
}

// ErrNever is returned by Await when what is waited for does not come.
var ErrNever = errors.New("it did not come")

// Await polls the incidents until one is as wanted, and returns it.
func (c *Collector) Await(ctx context.Context, what string, wanted func(*Incident) bool) (Incident, error) {
	var last []Incident
	var lastErr error
	for {
		list, err := c.Incidents(ctx)
		if lastErr = err; err == nil {
			last = list
			for i := range list {
				if !wanted(&list[i]) {
					continue
				}
				return c.Incident(ctx, list[i].ID)
			}
		}
		select {
		case <-ctx.Done():
			var lines []string
			for _, i := range last {
				lines = append(lines, fmt.Sprintf("  %s %s/%s %s %s (%s)", i.ID, i.State, i.Reason, i.Class, i.Root.Name, i.Detail))
			}
			return Incident{}, fmt.Errorf("%w: %s (%w); last error: %w; incidents:\n%s", ErrNever, what, ctx.Err(), lastErr, strings.Join(lines, "\n"))
		case <-time.After(250 * time.Millisecond):
		}
	}
}
