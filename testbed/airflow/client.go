package airflow

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Client calls Airflow's REST API as its only user.
type Client struct {
	URL  string
	http *http.Client

	mu    sync.Mutex
	token string
}

// NewClient calls the API at the URL.
func NewClient(base string) *Client {
	return &Client{URL: base, http: &http.Client{Timeout: 30 * time.Second}}
}

// Trigger starts a run of a DAG with the run ID and conf given. A DAG that
// Airflow has not read yet is waited for.
func (c *Client) Trigger(ctx context.Context, dag, run string, conf map[string]any) error {
	if conf == nil {
		conf = map[string]any{}
	}
	return c.call(ctx, http.MethodPost, "/api/v2/dags/"+url.PathEscape(dag)+"/dagRuns",
		map[string]any{"dag_run_id": run, "logical_date": nil, "conf": conf}, nil)
}

// Pause pauses or unpauses a DAG.
func (c *Client) Pause(ctx context.Context, dag string, paused bool) error {
	return c.call(ctx, http.MethodPatch, "/api/v2/dags/"+url.PathEscape(dag), map[string]any{"is_paused": paused}, nil)
}

// RunState is the state of a DAG run: queued, running, success or failed.
func (c *Client) RunState(ctx context.Context, dag, run string) (string, error) {
	var reply struct {
		State string `json:"state"`
	}
	err := c.call(ctx, http.MethodGet, "/api/v2/dags/"+url.PathEscape(dag)+"/dagRuns/"+url.PathEscape(run), nil, &reply)
	return reply.State, err
}

// WaitRun waits until a DAG run is in one of the states and returns it.
func (c *Client) WaitRun(ctx context.Context, dag, run string, states ...string) (string, error) {
	last := ""
	for {
		state, err := c.RunState(ctx, dag, run)
		if err == nil {
			last = state
			if slices.Contains(states, state) {
				return state, nil
			}
		}
		select {
		case <-ctx.Done():
			return last, fmt.Errorf("wait for %s/%s to be %v: %w; it is %q (%w)", dag, run, states, ctx.Err(), last, err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// WaitDAGs waits until Airflow has read all DAGs.
func (c *Client) WaitDAGs(ctx context.Context, dags ...string) error {
	for _, dag := range dags {
		for {
			err := c.call(ctx, http.MethodGet, "/api/v2/dags/"+url.PathEscape(dag), nil, nil)
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("wait for the DAG %s: %w; last: %w; %s", dag, ctx.Err(), err, c.importErrors())
			case <-time.After(300 * time.Millisecond):
			}
		}
	}
	return nil
}

func (c *Client) importErrors() string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var reply json.RawMessage
	if err := c.call(ctx, http.MethodGet, "/api/v2/importErrors", nil, &reply); err != nil {
		return err.Error()
	}
	return string(reply)
}

// call sends one request and takes a new token when the old one is refused.
func (c *Client) call(ctx context.Context, method, path string, body, reply any) error {
	for attempt := range 2 {
		token, err := c.bearer(ctx, attempt > 0)
		if err != nil {
			return err
		}
		status, err := c.send(ctx, method, path, token, body, reply)
		if status == http.StatusUnauthorized && attempt == 0 {
			continue
		}
		return err
	}
	return nil
}

func (c *Client) bearer(ctx context.Context, again bool) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && !again {
		return c.token, nil
	}
	var reply struct {
		Token string `json:"access_token"`
	}
	if _, err := c.send(ctx, http.MethodPost, "/auth/token", "", map[string]string{"username": User, "password": Password}, &reply); err != nil {
		return "", err
	}
	c.token = reply.Token
	return c.token, nil
}

func (c *Client) send(ctx context.Context, method, path, token string, body, reply any) (int, error) {
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return 0, fmt.Errorf("encode a request to Airflow: %w", err)
		}
		payload = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, payload)
	if err != nil {
		return 0, fmt.Errorf("make a request to Airflow: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, fmt.Errorf("call Airflow: %w", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return resp.StatusCode, fmt.Errorf("read Airflow's answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return resp.StatusCode, fmt.Errorf("%s %s: Airflow answers %s: %.500s", method, path, resp.Status, data)
	}
	if reply == nil {
		return resp.StatusCode, nil
	}
	if err := json.Unmarshal(data, reply); err != nil {
		return resp.StatusCode, fmt.Errorf("decode Airflow's answer to %s: %w", path, err)
	}
	return resp.StatusCode, nil
}
