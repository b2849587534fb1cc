package airflowfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

func (s *Server) dagFields() map[string]any {
	return map[string]any{"is_paused": s.Paused, "is_stale": s.Stale}
}

func (s *Server) dags(*http.Request) answer {
	return encoded(http.StatusOK, map[string]any{
		"dags":          []any{json.RawMessage(record(http.StatusOK, "dag", s.dagFields()).body)},
		"total_entries": 1,
	})
}

func (s *Server) dag(r *http.Request) answer {
	if r.PathValue("dag") != DAG {
		return record(http.StatusNotFound, "dag_unknown", nil)
	}
	return record(http.StatusOK, "dag", s.dagFields())
}

func (s *Server) run(r *http.Request) answer {
	id := r.PathValue("run")
	if s.Runs[id] == 0 {
		return record(http.StatusNotFound, "run_unknown", nil)
	}
	return record(http.StatusOK, "run", map[string]any{"dag_run_id": id, "dag_id": DAG})
}

func (s *Server) task(r *http.Request) answer {
	name := r.PathValue("task")
	t := s.Tasks[name]
	switch {
	case t == nil || s.Runs[r.PathValue("run")] == 0:
		return record(http.StatusNotFound, "task_unknown", nil)
	case t.MapIndex >= 0 && r.PathValue("index") == "":
		return record(http.StatusNotFound, "task_mapped", nil)
	}
	return record(http.StatusOK, "task_failed", t.fields(name, r.PathValue("run")))
}

func (t *Task) fields(name, run string) map[string]any {
	var state any = t.State
	if t.State == "" {
		state = nil
	}
	return map[string]any{
		"id": instanceID(t.ID), "task_id": name, "dag_id": DAG, "dag_run_id": run, "map_index": t.MapIndex,
		"state": state, "try_number": t.Try,
	}
}

// clear does what Airflow does: each task that is cleared gets another ID and no
// state, and its try number stays until it is scheduled.
func (s *Server) clear(r *http.Request, body map[string]any) answer {
	run, _ := body["dag_run_id"].(string)
	ids, _ := body["task_ids"].([]any)
	switch {
	case r.PathValue("dag") != DAG:
		return record(http.StatusNotFound, "dag_unknown", nil)
	case s.Runs[run] == 0:
		return record(http.StatusNotFound, "run_unknown", nil)
	case len(ids) == 0:
		return record(http.StatusUnprocessableEntity, "clear_empty", nil)
	}
	names := s.chosen(ids, body)
	if body["prevent_running_task"] == true {
		for _, n := range names {
			if s.Tasks[n].State == "running" {
				return record(http.StatusConflict, "clear_running", nil)
			}
		}
	}
	cleared := []any{}
	for _, n := range names {
		t := s.Tasks[n]
		if body["dry_run"] != false {
			continue
		}
		t.ID, t.State = s.nextID, ""
		t.Clears++
		s.nextID++
		cleared = append(cleared, merged(record(http.StatusOK, "task_cleared", nil).body, t.fields(n, run)))
	}
	return record(http.StatusOK, "cleared_nothing", map[string]any{"task_instances": cleared, "total_entries": len(cleared)})
}

// chosen lists the tasks that the request means, in order of their names.
func (s *Server) chosen(ids []any, body map[string]any) []string {
	var names []string
	for _, id := range ids {
		name, index := id, -1.0
		if pair, ok := id.([]any); ok {
			name = pair[0]
			index, _ = pair[1].(float64)
		}
		n := fmt.Sprint(name)
		if t := s.Tasks[n]; t != nil && (index < 0 || int(index) == t.MapIndex) {
			names = append(names, n)
		}
		if n == Load && body["include_downstream"] == true {
			names = append(names, After)
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool {
		state := s.Tasks[n].State
		return body["only_failed"] != false && state != "failed" && state != "upstream_failed"
	})
}

func (s *Server) trigger(r *http.Request, body map[string]any) answer {
	id, _ := body["dag_run_id"].(string)
	switch {
	case r.PathValue("dag") != DAG:
		return record(http.StatusNotFound, "dag_unknown", nil)
	case s.Runs[id] > 0:
		return record(http.StatusConflict, "trigger_taken", nil)
	}
	s.Runs[id]++
	return record(http.StatusOK, "triggered", map[string]any{"dag_run_id": id, "dag_id": DAG})
}
