package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// options are the flags that all commands share.
type options struct {
	url       string
	tokenFile string
	state     string
	output    string
	out       io.Writer
	now       func() time.Time
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	o := &options{out: out, now: time.Now}
	root := &cobra.Command{
		Use:           "selfheal",
		Short:         "See and steer the self-healing loop of an OpenTelemetry Collector",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if o.output != "text" && o.output != "json" {
				return usagef("--output %q is neither text nor json", o.output)
			}
			return nil
		},
	}
	flags := root.PersistentFlags()
	flags.StringVar(&o.url, "url", env("SELFHEAL_URL", "http://127.0.0.1:8419"), "address of the reliability extension's API ($SELFHEAL_URL)")
	flags.StringVar(&o.tokenFile, "token-file", env("SELFHEAL_TOKEN_FILE", ""), "file that holds your token ($SELFHEAL_TOKEN_FILE); the first user's, in the state folder, where it is not given")
	flags.StringVar(&o.state, "directory", env("SELFHEAL_DIRECTORY", "selfheal-state"), "state folder of the extension, for what works without the collector ($SELFHEAL_DIRECTORY)")
	flags.StringVarP(&o.output, "output", "o", "text", "text or json")
	root.AddCommand(statusCommand(o), incidentsCommand(o), incidentCommand(o), closeCommand(o), pauseCommand(o), resumeCommand(o), silenceCommand(o), userCommand(o), auditCommand(o), classifyCommand(o))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("%v", err) })
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(errOut, "selfheal:", err)
	}
	return exitCode(err)
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// arguments refuses another number of arguments than n.
func arguments(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("want %s", what)
		}
		return nil
	}
}

// print writes v as JSON, or has text write it.
func (o *options) print(v any, text func(w io.Writer)) error {
	if o.output == "json" {
		e := json.NewEncoder(o.out)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(o.out, 0, 4, 2, ' ', 0)
	text(w)
	return w.Flush()
}

func since(now, at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return now.Sub(at).Round(time.Second).String() + " ago"
}
