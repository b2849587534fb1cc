package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/collector"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/oracle"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/source"
)

// killsWanted is how often the collector is killed around its calls.
const killsWanted = 50

// The collector is killed again and again around its calls: before they reach
// Airflow, after Airflow has obeyed and before it can answer, after the answer,
// and at any other time. Each broken run gets exactly one clear, and each incident closes.
func TestKilledAroundTheCall(t *testing.T) {
	t.Parallel()
	r := shared
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any bits do
	t.Logf("seed %d", seed)
	k := &killer{random: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // not for secrets
	proxy := httptest.NewServer(k.proxy(t, r.airflow.URL))
	t.Cleanup(proxy.Close)
	var dags []string
	for n := range 5 {
		dags = append(dags, fmt.Sprintf("parcel_%d", n))
	}
	w := r.own(t, options{
		Name: "killed", Quality: true, Detect: true, Act: true, DAGs: []string{"parcel_*"}, Schemas: dags,
		Window: 3 * time.Second, Backoff: 2 * time.Second, Reopen: time.Millisecond, ActAirflow: proxy.URL,
	})
	for _, dag := range dags {
		for _, id := range []string{"first", "second"} {
			must(t, r.whole(t.Context(), dag, r.load(t, dag, id, "success", nil), "orders"))
		}
	}
	stop := k.watch(w.Collector)
	defer stop()
	runs := map[string]map[string]oracle.Run{}
	rounds := 0
	for ; int(k.kills.Load()) < killsWanted && rounds < 25; rounds++ {
		r.round(t, w, k, dags, fmt.Sprintf("round-%d", rounds), runs)
	}
	k.armed.Store(false)
	if n := k.kills.Load(); n < killsWanted {
		t.Errorf("only %d kills in %d rounds", n, rounds)
	}
	r.figures.note(t, "kills", k.kills.Load())
	r.figures.note(t, "kills before the call", k.at[0].Load())
	r.figures.note(t, "kills before the answer", k.at[1].Load())
	r.figures.note(t, "kills after the answer", k.at[2].Load())
	r.figures.note(t, "broken runs", rounds*len(dags))
	must(t, oracle.Hold(t.Context(), hold, func(ctx context.Context) error {
		var errs []error
		for dag, broken := range runs {
			for id, run := range broken {
				errs = append(errs, r.healed(ctx, dag, id, map[string]int{"take": 2}), r.whole(ctx, dag, run, "orders"))
			}
		}
		return errors.Join(errs...)
	}))
}

// round breaks all sources once, mends them, and waits until every incident is closed.
func (r *rig) round(t *testing.T, w *watch, k *killer, dags []string, id string, runs map[string]map[string]oracle.Run) {
	t.Helper()
	for _, dag := range dags {
		r.source.Set(dag, source.Unavailable)
	}
	k.armed.Store(true)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, dag := range dags {
		wg.Go(func() {
			run := r.load(t, dag, id, "failed", nil)
			r.source.Set(dag, source.Normal) // at once: the one effect has to be the one that heals
			mu.Lock()
			defer mu.Unlock()
			if runs[dag] == nil {
				runs[dag] = map[string]oracle.Run{}
			}
			runs[dag][id] = run
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	ctx := within(t, 5*time.Minute)
	for _, dag := range dags {
		_, err := w.Await(ctx, "the incident about "+dag+"/"+id+" closes", func(i *collector.Incident) bool {
			if i.State != "resolved" || i.Closed.Before(runs[dag][id].Created) {
				return false
			}
			return i.Concerns(about(dag))
		})
		must(t, err)
	}
}

// killer kills a collector around its calls and at random, and starts it again.
type killer struct {
	armed  atomic.Bool
	kills  atomic.Int32
	at     [3]atomic.Int32
	target atomic.Pointer[collector.Collector]

	mu     sync.Mutex
	random *rand.Rand
}

func (k *killer) roll(n int) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.random.IntN(n)
}

// kill reports whether there was something to kill.
func (k *killer) kill() bool {
	c := k.target.Load()
	if c == nil || !k.armed.Load() {
		return false
	}
	select {
	case <-c.Process().Done():
		return false
	default:
	}
	c.Kill()
	k.kills.Add(1)
	return true
}

// watch starts the collector again whenever it is gone, and kills it now and
// then, whatever it is doing.
func (k *killer) watch(c *collector.Collector) (stop func()) {
	k.target.Store(c)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-c.Process().Done():
			}
			time.Sleep(time.Duration(k.roll(500)) * time.Millisecond)
			if ctx.Err() == nil {
				_, _ = c.Launch() // tried again when it is found not to run
			}
		}
	})
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Duration(3000+k.roll(9000)) * time.Millisecond):
				k.kill()
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// proxy passes everything on to Airflow, and kills the collector around calls
// that change something.
func (k *killer) proxy(t *testing.T, airflow string) http.Handler {
	t.Helper()
	to, err := url.Parse(airflow)
	must(t, err)
	pass := httputil.NewSingleHostReverseProxy(to)
	pass.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !changes(r, body) || !k.armed.Load() {
			pass.ServeHTTP(w, r)
			return
		}
		switch phase := k.roll(4); phase {
		case 0: // Airflow never hears of it
			if k.kill() {
				k.at[0].Add(1)
				return
			}
			pass.ServeHTTP(w, r)
		case 1: // Airflow obeys, and the answer finds nobody
			// The request must not end with the collector's connection.
			answer := httptest.NewRecorder()
			pass.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
			if k.kill() {
				k.at[1].Add(1)
				return
			}
			w.WriteHeader(answer.Code)
			_, _ = w.Write(answer.Body.Bytes())
		case 2: // it dies while it is on its way
			go func() {
				time.Sleep(time.Duration(k.roll(60)) * time.Millisecond)
				if k.kill() {
					k.at[1].Add(1)
				}
			}()
			pass.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
		default: // it dies some time after the answer
			pass.ServeHTTP(w, r)
			go func() {
				time.Sleep(time.Duration(k.roll(800)) * time.Millisecond)
				if k.kill() {
					k.at[2].Add(1)
				}
			}()
		}
	})
}

// changes reports whether a request changes something at Airflow.
func changes(r *http.Request, body []byte) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || strings.HasSuffix(r.URL.Path, "/list") || strings.HasPrefix(r.URL.Path, "/auth") {
		return false
	}
	compact := strings.ReplaceAll(string(body), " ", "")
	return !strings.Contains(compact, `"dry_run":true`)
}
