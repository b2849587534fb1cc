package api

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/users"
)

func (s *server) silences(r request) (any, error) {
	out := list[store.Silence]{Items: []store.Silence{}}
	err := s.Store.View(r.Context(), func(rd store.Reader) error {
		items, err := rd.Silences(s.Now())
		out.Items = append(out.Items, items...)
		return err
	})
	return out, err
}

func (s *server) addSilence(r request) (any, error) {
	var body struct {
		Match   string    `json:"match"`
		End     time.Time `json:"end"`
		Comment string    `json:"comment"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	silence, err := s.Engine.Silence(r.Context(), r.user.Name, store.Silence{Match: body.Match, End: body.End, Comment: body.Comment})
	if err != nil {
		return nil, err
	}
	return silence, nil
}

func (s *server) endSilence(r request) (any, error) {
	return nil, s.Engine.EndSilence(r.Context(), r.user.Name, r.PathValue("id"))
}

func (s *server) pause(r request) (any, error) {
	var body struct {
		Reason string `json:"reason"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	if body.Reason == "" {
		return nil, invalidf("reason: say why all actions are paused")
	}
	return nil, s.Engine.Pause(r.Context(), r.user.Name, body.Reason)
}

func (s *server) resume(r request) (any, error) {
	return nil, s.Engine.Resume(r.Context(), r.user.Name)
}

func (s *server) users(r request) (any, error) {
	out := list[store.User]{Items: []store.User{}}
	err := s.Store.View(r.Context(), func(rd store.Reader) error {
		items, err := rd.Users()
		out.Items = append(out.Items, items...)
		return err
	})
	return out, err
}

func (s *server) addUser(r request) (any, error) {
	var body struct {
		Name string     `json:"name"`
		Role store.Role `json:"role"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	var token string
	err := s.Store.Update(r.Context(), func(tx store.Tx) (err error) {
		token, err = users.Add(tx, r.user.Name, body.Name, body.Role, s.Now())
		return err
	})
	if err != nil {
		return nil, err
	}
	return map[string]string{"name": body.Name, "token": token}, nil
}

func (s *server) disableUser(r request) (any, error) {
	return nil, s.Store.Update(r.Context(), func(tx store.Tx) error {
		return users.Disable(tx, r.user.Name, r.PathValue("name"), s.Now())
	})
}

// record is an audit record as people read it: its payload as JSON.
type record struct {
	Index   int64           `json:"index"`
	At      time.Time       `json:"at"`
	Actor   string          `json:"actor"`
	Kind    string          `json:"kind"`
	Subject string          `json:"subject"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// audit lists records and, since reading the log is an event itself, records that.
func (s *server) audit(r request) (any, error) {
	var from int64
	if v := r.URL.Query().Get("from"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 {
			return nil, invalidf("from %q is not a number from 0", v)
		}
		from = n
	}
	out := list[record]{Items: []record{}}
	err := s.Store.Update(r.Context(), func(tx store.Tx) error {
		records, err := tx.Audit(from, maxItems)
		if err != nil {
			return err
		}
		for _, a := range records {
			item := record{Index: a.Index, At: a.At, Actor: a.Actor, Kind: a.Kind, Subject: a.Subject}
			if json.Valid(a.Data) {
				item.Data = a.Data
			}
			out.Items = append(out.Items, item)
		}
		return tx.AppendAudit(&store.AuditRecord{At: s.Now(), Actor: "user:" + r.user.Name, Kind: "audit.read", Subject: "from " + strconv.FormatInt(from, 10), Data: []byte("{}")})
	})
	return out, err
}

func (s *server) checkpoint(r request) (any, error) {
	out := struct {
		Size      int64     `json:"size"`
		At        time.Time `json:"at"`
		Signed    string    `json:"signed"`
		PublicKey string    `json:"verifier"`
	}{PublicKey: s.PublicKey}
	err := s.Store.View(r.Context(), func(rd store.Reader) error {
		heads, err := rd.Checkpoints(1)
		if err != nil {
			return err
		}
		if len(heads) == 0 {
			return store.ErrNotFound
		}
		out.Size, out.At, out.Signed = heads[0].Size, heads[0].At, string(heads[0].Signed)
		return nil
	})
	return out, err
}
