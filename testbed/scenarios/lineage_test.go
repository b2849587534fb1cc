package scenarios

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"sync"
	"time"

	"encoding/json"
	"strings"
)

// lineage takes what Airflow's OpenLineage provider sends and passes it on to
// the collectors that watch the DAG, as one endpoint for all of them.
type lineage struct {
	URL string

	mu   sync.Mutex
	to   map[string][]string // collector's endpoint → patterns of DAG IDs
	kept []event
}

// event is what the scenarios read of an OpenLineage event.
type event struct {
	Type string `json:"eventType"`
	Job  struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"job"`
	Inputs  []dataset `json:"inputs"`
	Outputs []dataset `json:"outputs"`
}

type dataset struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

func startLineage() (*lineage, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the lineage endpoint: %w", err)
	}
	f := &lineage{URL: "http://" + l.Addr().String(), to: map[string][]string{}}
	server := &http.Server{Handler: f, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	return f, nil
}

// add passes on events of the DAGs to the endpoint from now on.
func (l *lineage) add(endpoint string, dags []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.to[endpoint] = dags
}

func (l *lineage) remove(endpoint string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.to, endpoint)
}

// events returns what came about the job.
func (l *lineage) events(job string) []event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []event
	for _, e := range l.kept {
		if e.Job.Name == job {
			out = append(out, e)
		}
	}
	return out
}

func (l *lineage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	dag, _, _ := strings.Cut(e.Job.Name, ".")
	l.mu.Lock()
	l.kept = append(l.kept, e)
	var targets []string
	for endpoint, patterns := range l.to {
		for _, p := range patterns {
			if ok, _ := path.Match(p, dag); ok {
				targets = append(targets, endpoint)
				break
			}
		}
	}
	l.mu.Unlock()
	status := http.StatusOK
	for _, t := range targets {
		if err := forward(r.Context(), t, body, r.Header); err != nil {
			status = http.StatusServiceUnavailable // the provider tries again, or loses it: lineage is best effort
		}
	}
	w.WriteHeader(status)
}

func forward(ctx context.Context, endpoint string, body []byte, header http.Header) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/api/v1/lineage", bytes.NewReader(body))
	if err != nil {
		return err
	}
	for _, name := range []string{"Content-Type", "Content-Encoding"} {
		if v := header.Get(name); v != "" {
			req.Header.Set(name, v)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the collector answers %s", resp.Status)
	}
	return nil
}
