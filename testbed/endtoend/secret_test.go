package endtoend

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// Secrets and personal data are in no log, no state and nothing that is sent on.
func TestNoSecretsLeave(t *testing.T) {
	t.Parallel()
	const (
		password = "Pw-4airfl0w-Qzx81"
		database = "Pw-4dsn-Kvt72"
		token    = "tok-0airflow-Jwp55mnbvcxz"
	)
	// An Airflow that tells back what it was sent, as a careless proxy does
	var asked atomic.Int64
	airflow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/auth/token" {
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"access_token":"` + token + `"}`))
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`{"detail":"cannot reach postgresql://airflow:` + password + `@db/airflow with Authorization: ` + r.Header.Get("Authorization") + `"}`))
	}))
	defer airflow.Close()
	s := newSetup(t, options{
		level: "debug",
		receivers: "  airflow:\n    endpoint: " + airflow.URL + "\n    username: selfheal\n    password: ${env:AIRFLOW_PASSWORD}\n    collection_interval: 1s\n" +
			"  dataquality:\n    collection_interval: 1s\n    initial_delay: 0s\n    databases: {w: {driver: postgresql, datasource: \"${env:WAREHOUSE_DSN}\", tables: [{name: t}]}}\n",
		exporters: "  remediation:\n    airflow: {default: {endpoint: \"" + airflow.URL + "\", username: selfheal, password: \"${env:AIRFLOW_PASSWORD}\"}}\n  debug: {verbosity: detailed}\n",
		metrics:   ", airflow, dataquality", logs: ", airflow, dataquality", incidents: ", remediation, debug",
		env: []string{"AIRFLOW_PASSWORD=" + password, "WAREHOUSE_DSN=postgres://u:" + database + "@127.0.0.1:1/d"},
	})
	s.up(t)
	planted := map[string]string{
		"url":         "Pw-url-Hgf33",
		"dsn":         "Pw-conn-Lkj44",
		"assignment":  "Pw-assigned-Rty66",
		"api key":     "sk-live-9f8e7d6c5b4a39281706",
		"aws":         "AKIAIOSFODNN7EXAMPLE",
		"bearer":      "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJlLXBsYW50ZWQ",
		"mail":        "jane.planted@example.com",
		"card":        "4111 1111 1111 1111",
		"query token": "Pw-query-Mnb88",
		"key value":   "Dupe-Surname-Planted",
	}
	for job, message := range map[string]string{
		"one":   "OperationalError: connection to postgresql://loader:" + planted["url"] + "@db:5432/shop refused",
		"two":   "host=db user=loader password=" + planted["dsn"] + " dbname=shop: connection refused",
		"three": "env: DB_PASSWORD='" + planted["assignment"] + "' api_key=" + planted["api key"] + " aws " + planted["aws"],
		"four":  "401 for Authorization: Bearer " + planted["bearer"] + " of " + planted["mail"],
		"five":  "row rejected: card " + planted["card"] + " at https://api.example.com/x?access_token=" + planted["query token"],
		"six":   "duplicate key value violates unique constraint \"people_pkey\"\nDETAIL:  Key (surname)=(" + planted["key value"] + ") already exists.",
	} {
		s.fails(t, job, message)
	}
	eventually(t, "Airflow is asked again", func() bool { return asked.Load() > 20 })
	// What is masked was there to be masked
	eventually(t, "the log tells the failures of Airflow and the database", func() bool {
		log, err := os.ReadFile(s.log)
		return err == nil && bytes.Contains(log, []byte("cannot reach postgresql://")) && bytes.Contains(log, []byte("127.0.0.1:1"))
	})
	eventually(t, "incidents are sent on", func() bool { return bytes.Contains(s.sink.all(), []byte("selfheal.incident")) })
	admin, err := os.ReadFile(filepath.Join(s.State, "admin.token"))
	must(t, err)
	planted["password"], planted["database's password"], planted["Airflow's token"] = password, database, token
	must(t, s.Stop())

	places := map[string][]byte{"what is sent on": s.sink.all()}
	places["the log"], err = os.ReadFile(s.log)
	must(t, err)
	must(t, filepath.WalkDir(s.State, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		places[filepath.Base(path)], err = os.ReadFile(path)
		return err
	}))
	if len(places["the log"]) == 0 || len(places["state.db"]) == 0 {
		t.Fatal("there is nothing to look through")
	}
	look := func(what, secret string, except ...string) {
		for place, raw := range places {
			for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
				if at := bytes.Index(raw, []byte(form)); at >= 0 && !strings.Contains(strings.Join(except, " "), place) {
					t.Errorf("%s is in %s: …%.120q…", what, place, raw[max(0, at-60):min(len(raw), at+60)])
				}
			}
		}
	}
	for what, secret := range planted {
		look(what, secret)
	}
	look("the first user's token", strings.TrimSpace(string(admin)), "admin.token")
	note(t, "secrets: bytes looked through", len(bytes.Join([][]byte{places["the log"], places["state.db"], places["what is sent on"]}, nil)))
}
