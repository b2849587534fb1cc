package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/users"
)

func userCommand(o *options) *cobra.Command {
	c := &cobra.Command{Use: "user", Short: "Manage users; works on the state folder while the collector is down", RunE: needsCommand}
	var role string
	add := &cobra.Command{
		Use: "add NAME", Short: "Make a user, or give one a new token and role; the token is shown this once", Args: arguments(1, "a name"),
		RunE: func(c *cobra.Command, args []string) error {
			var made struct {
				Name  string `json:"name"`
				Token string `json:"token"`
			}
			err := o.eitherWay(c.Context(),
				func() error {
					return o.call(c.Context(), "POST", "/api/v1/users", map[string]string{"name": args[0], "role": role}, &made)
				},
				func(tx store.Tx) (err error) {
					made.Name = args[0]
					made.Token, err = users.Add(tx, person(), args[0], store.Role(role), o.now())
					return err
				})
			if err != nil {
				return err
			}
			return o.print(made, func(w io.Writer) { fmt.Fprintln(w, made.Token) })
		},
	}
	add.Flags().StringVar(&role, "role", string(store.Viewer), "viewer, operator or admin")
	disable := &cobra.Command{
		Use: "disable NAME", Short: "End a user's token", Args: arguments(1, "a name"),
		RunE: func(c *cobra.Command, args []string) error {
			return o.eitherWay(c.Context(),
				func() error {
					return o.call(c.Context(), "DELETE", "/api/v1/users/"+url.PathEscape(args[0]), nil, nil)
				},
				func(tx store.Tx) error { return users.Disable(tx, person(), args[0], o.now()) })
		},
	}
	list := &cobra.Command{
		Use: "list", Short: "List users", Args: arguments(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			var got struct {
				Items []store.User `json:"items"`
			}
			err := o.eitherWay(c.Context(),
				func() error { return o.call(c.Context(), "GET", "/api/v1/users", nil, &got) },
				func(tx store.Tx) (err error) { got.Items, err = tx.Users(); return err })
			if err != nil {
				return err
			}
			return o.print(got.Items, func(w io.Writer) {
				fmt.Fprintln(w, "NAME\tROLE\tMADE\tSTATE")
				for _, u := range got.Items {
					state := "enabled"
					if u.Disabled {
						state = "disabled"
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", u.Name, u.Role, u.Created.UTC().Format(time.DateTime), state)
				}
			})
		},
	}
	c.AddCommand(add, disable, list)
	return c
}

// eitherWay asks the collector and, where it does not answer but its state
// folder is here, works on that: whoever can write the folder owns the state.
func (o *options) eitherWay(ctx context.Context, online func() error, offline func(store.Tx) error) error {
	err := online()
	var down *unreachable
	if !errors.As(err, &down) || !o.local() {
		return err
	}
	s, openErr := sqlite.Open(o.state, sqlite.Options{Now: o.now})
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	return errors.Join(s.Update(ctx, offline), s.Close())
}
