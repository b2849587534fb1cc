package airflow

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
)

// loginPause is how long a refused login is not tried again, so that a wrong
// password does not lock the account.
const loginPause = 30 * time.Second

// authenticator holds the bearer token.
type authenticator struct {
	client   *Client
	username string
	password string

	mu      sync.Mutex
	current string
	refused error
	until   time.Time
}

func newAuthenticator(c *Client, cfg Config) *authenticator {
	return &authenticator{client: c, username: cfg.Username, password: string(cfg.Password), current: string(cfg.Token)}
}

// token returns the token to use, logging in where there is none or where it is
// the one that Airflow has just refused. Callers that wait share one login.
func (a *authenticator) token(ctx context.Context, refused string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.username == "" || (a.current != "" && a.current != refused) {
		return a.current, nil
	}
	if a.refused != nil && a.client.now().Before(a.until) {
		return "", a.refused
	}
	a.current = ""
	token, err := a.login(ctx)
	if err != nil {
		a.refused = nil
		if IsUnauthorized(err) || IsForbidden(err) {
			a.refused, a.until = err, a.client.now().Add(loginPause)
		}
		return "", err
	}
	a.current, a.refused = token, nil
	return token, nil
}

func (a *authenticator) login(ctx context.Context) (string, error) {
	const path = "/auth/token"
	body, err := json.Marshal(map[string]string{"username": a.username, "password": a.password})
	if err != nil {
		return "", err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	_, err = a.client.send(ctx, call{method: http.MethodPost, read: a.client.decode(&answer)}, path, body, "")
	if err != nil {
		// No action is behind a login, so its failure leaves nothing unclear.
		if e, ok := errors.AsType[*Error](err); ok {
			e.Sent = false
		}
		return "", err
	}
	if answer.AccessToken == "" {
		return "", &Error{Status: http.StatusOK, Method: http.MethodPost, Path: path, Detail: "no access_token in the answer"}
	}
	return answer.AccessToken, nil
}
