package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/killswitch"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// local reports whether the state folder is on this machine: then the switch is
// worked there, whether the collector is up or not.
func (o *options) local() bool {
	info, err := os.Stat(o.state)
	return err == nil && info.IsDir()
}

func person() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "unknown"
}

func pauseCommand(o *options) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "pause", Short: "Stop all actions until resume; works and holds while the collector is down", Args: arguments(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if reason == "" {
				return usagef("--reason: say why all actions are paused")
			}
			if o.local() {
				return killswitch.Pull(o.state, killswitch.Pulled{By: person(), At: o.now().UTC(), Reason: reason})
			}
			return o.call(c.Context(), "POST", "/api/v1/pause", map[string]string{"reason": reason}, nil)
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why")
	return c
}

func resumeCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "resume", Short: "Let actions go on", Args: arguments(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if o.local() {
				return killswitch.Release(o.state)
			}
			return o.call(c.Context(), "POST", "/api/v1/resume", nil, nil)
		},
	}
}

func silenceCommand(o *options) *cobra.Command {
	c := &cobra.Command{Use: "silence", Short: "Keep incidents from being acted on for a while", RunE: needsCommand}
	var duration time.Duration
	var comment string
	add := &cobra.Command{
		Use: "add MATCH", Short: "Silence roots that match, such as 'job:default/orders.*'", Args: arguments(1, "a pattern such as 'job:default/orders.*'"),
		RunE: func(c *cobra.Command, args []string) error {
			if comment == "" {
				return usagef("--comment: say why")
			}
			body := map[string]any{"match": args[0], "end": o.now().Add(duration).UTC(), "comment": comment}
			var s store.Silence
			if err := o.call(c.Context(), "POST", "/api/v1/silences", body, &s); err != nil {
				return err
			}
			return o.print(s, func(w io.Writer) { fmt.Fprintf(w, "%s until %s\n", s.ID, s.End.Format(time.RFC3339)) })
		},
	}
	add.Flags().DurationVar(&duration, "for", time.Hour, "how long")
	add.Flags().StringVar(&comment, "comment", "", "why")
	list := &cobra.Command{
		Use: "list", Short: "List the silences in force", Args: arguments(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			var got struct {
				Items []store.Silence `json:"items"`
			}
			if err := o.call(c.Context(), "GET", "/api/v1/silences", nil, &got); err != nil {
				return err
			}
			return o.print(got.Items, func(w io.Writer) {
				fmt.Fprintln(w, "ID\tMATCH\tUNTIL\tBY\tWHY")
				for _, s := range got.Items {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.ID, s.Match, s.End.UTC().Format(time.RFC3339), s.By, s.Comment)
				}
			})
		},
	}
	end := &cobra.Command{
		Use: "end ID", Short: "End a silence now", Args: arguments(1, "the ID of a silence"),
		RunE: func(c *cobra.Command, args []string) error {
			return o.call(c.Context(), "DELETE", "/api/v1/silences/"+url.PathEscape(args[0]), nil, nil)
		},
	}
	c.AddCommand(add, list, end)
	return c
}

// needsCommand is what a command that only holds others does by itself.
func needsCommand(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s has no command %q, see %s --help", c.CommandPath(), args[0], c.CommandPath())
	}
	return usagef("%s needs a command, see %s --help", c.CommandPath(), c.CommandPath())
}
