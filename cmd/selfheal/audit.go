package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/audit"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
)

func auditCommand(o *options) *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "The tamper-evident log of everything that was done", RunE: needsCommand}
	var key string
	var heads []string
	verify := &cobra.Command{
		Use:   "verify",
		Short: "Check the log in the state folder, offline; exit code 3 when it was tampered with",
		Long: `Recomputes the whole log and compares it with every checkpoint that was signed over it.
Who can write the state folder can also replace the key and the checkpoints in it: give
--public-key from a copy that you keep elsewhere, and --checkpoint with checkpoints that
left through the incidents pipeline, to find that too.`,
		Args: arguments(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			verifier, err := o.verifier(key)
			if err != nil {
				return err
			}
			external := make([][]byte, 0, len(heads))
			for _, path := range heads {
				raw, err := os.ReadFile(path) //nolint:gosec // the operator names the file
				if err != nil {
					return err
				}
				external = append(external, raw)
			}
			s, err := sqlite.Open(o.state, sqlite.Options{ReadOnly: true, Now: o.now})
			if err != nil {
				return err
			}
			defer s.Close() //nolint:errcheck // only read
			var report audit.Report
			if err := s.View(c.Context(), func(r store.Reader) (err error) {
				report, err = audit.Verify(c.Context(), r, verifier, external)
				return err
			}); err != nil {
				return err
			}
			return o.told(&report)
		},
	}
	verify.Flags().StringVar(&key, "public-key", "", "public key, or a file that holds it; the state folder's where it is not given")
	verify.Flags().StringSliceVar(&heads, "checkpoint", nil, "file with a signed checkpoint kept elsewhere; may be given more than once")
	c.AddCommand(verify)
	return c
}

func (o *options) verifier(key string) (note.Verifier, error) {
	if key == "" {
		return audit.ReadVerifier(o.state)
	}
	if raw, err := os.ReadFile(key); err == nil { //nolint:gosec // the operator names the file
		key = string(raw)
	}
	v, err := audit.ParseVerifier(strings.TrimSpace(key))
	if err != nil {
		return nil, usagef("--public-key: %v", err)
	}
	return v, nil
}

func (o *options) told(report *audit.Report) error {
	err := o.print(report, func(w io.Writer) {
		fmt.Fprintf(w, "records\t%d, of which %d are under a signed checkpoint\n", report.Size, report.Signed)
		fmt.Fprintf(w, "checkpoints\t%d in the state, %d kept elsewhere agree\n", report.Checkpoints, report.External)
		if report.Erased > 0 {
			fmt.Fprintf(w, "erased\t%d payloads, each on record\n", report.Erased)
		}
		for _, p := range report.Problems {
			fmt.Fprintf(w, "PROBLEM\t%s, records %d to %d: %s\n", p.Kind, p.From, p.To, p.Detail)
		}
		if report.More > 0 {
			fmt.Fprintf(w, "PROBLEM\tand %d more\n", report.More)
		}
		if report.OK() {
			fmt.Fprintln(w, "the log is intact")
		}
	})
	if err == nil && !report.OK() {
		return fmt.Errorf("%w: first at record %d", errTampered, report.FirstBad())
	}
	return err
}
