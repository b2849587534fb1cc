package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	timeout   = 15 * time.Second
	maxAnswer = 64 << 20
)

// unreachable: nothing that speaks the API answers.
type unreachable struct {
	url string
	err error
}

func (u *unreachable) Error() string {
	return fmt.Sprintf("the collector does not answer at %s: %v", u.url, u.err)
}

func (u *unreachable) Unwrap() error { return u.err }

func (o *options) token() (string, error) {
	if o.tokenFile == "" {
		if t := os.Getenv("SELFHEAL_TOKEN"); t != "" {
			return t, nil
		}
	}
	path := o.tokenFile
	if path == "" {
		path = filepath.Join(o.state, "admin.token")
	}
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", fmt.Errorf("no token: set SELFHEAL_TOKEN, --token-file or --directory: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// call sends one request; into may be nil.
func (o *options) call(ctx context.Context, method, path string, body, into any) error {
	token, err := o.token()
	if err != nil {
		return err
	}
	var payload io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(raw)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(o.url, "/")+path, payload)
	if err != nil {
		return usagef("--url: %v", err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return &unreachable{o.url, err}
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return &unreachable{o.url, err}
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return refusal(answer.StatusCode, raw)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return &unreachable{o.url, fmt.Errorf("the answer is not what the API gives: %w", err)}
	}
	return nil
}

func refusal(code int, raw []byte) error {
	var told struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(raw, &told) != nil || told.Error == "" {
		told.Error = http.StatusText(code)
	}
	return errors.New(told.Error)
}
