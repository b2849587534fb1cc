package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/classify"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/classify/failure"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

// Bounds of what is read, in bytes.
const (
	maxText = 1 << 20
	maxLine = 1 << 20
)

// verdict is what the rules say of one text.
type verdict struct {
	Class      string  `json:"class"`
	Confidence float64 `json:"confidence"`
	Rule       string  `json:"rule"`
	Why        string  `json:"why,omitempty"`
}

func classifyCommand(o *options) *cobra.Command {
	var rules string
	var ndjson bool
	c := &cobra.Command{
		Use:   "classify [FILE|-]",
		Short: "Say what kind of trouble a failure's text tells, without the collector",
		Long: `Reads the text of one failure, such as a message, a log or a stack trace, from FILE
or from standard input and prints its class, how sure that is (0 to 1) and the rule
that decided. A text that no rule knows is "unknown" with confidence 0 and no rule.

With --ndjson each line is a JSON object whose field "text" is a text; the same objects
come out in the same order, with "class", "confidence" and "rule" added. Lines that
cannot be read are reported on standard error with their number; the others are
classified nevertheless, and the exit code is 1.

The rules are the collector's own. --rules adds the file that the classification
connector reads as rules_file. A text may have 1 MiB, and so may a line.`,
		Example: `  kubectl logs job/load | selfheal classify
  selfheal classify --ndjson failures.ndjson > classified.ndjson`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("want one file, or - for standard input")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			lists := [][]classify.Rule{classify.Default()}
			if rules != "" {
				more, err := classify.Load(rules)
				if err != nil {
					return err
				}
				lists = append(lists, more)
			}
			set, err := classify.Compile(lists...)
			if err != nil {
				return err
			}
			in := c.InOrStdin()
			if len(args) == 1 && args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer f.Close() //nolint:errcheck // only read
				in = f
			}
			if ndjson {
				return classifyLines(set, in, o.out, c.ErrOrStderr())
			}
			text, err := io.ReadAll(io.LimitReader(in, maxText+1))
			switch {
			case err != nil:
				return err
			case len(text) > maxText:
				return errors.New("the text is longer than 1 MiB; give its end, where the error is")
			case len(bytes.TrimSpace(text)) == 0:
				return errors.New("there is no text to classify")
			}
			v := judge(set, string(text))
			return o.print(v, func(w io.Writer) {
				fmt.Fprintf(w, "class\t%s\nconfidence\t%.2f\nrule\t%s\nwhy\t%s\n", v.Class, v.Confidence, dash(v.Rule), dash(v.Why))
			})
		},
	}
	c.Flags().BoolVar(&ndjson, "ndjson", false, `read a JSON object a line and classify its field "text"`)
	c.Flags().StringVar(&rules, "rules", "", "YAML file with further rules; they replace the built-in ones of the same name")
	return c
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func judge(set *classify.Set, text string) verdict {
	f := failure.Parse(text)
	h := set.Classify(&observation.Observation{Kind: observation.RunState, Polarity: observation.Problem, Error: &f.Error}, &f)
	if h == nil {
		return verdict{Class: string(incident.Unknown)}
	}
	return verdict{h.Class, h.Confidence, h.Rule, h.Why}
}

// classifyLines adds a verdict to each line of in that it can read.
func classifyLines(set *classify.Set, in io.Reader, out, errOut io.Writer) error {
	lines := bufio.NewReaderSize(in, 64<<10)
	w := bufio.NewWriter(out)
	hostile := 0
	for n := 1; ; n++ {
		line, long, err := boundedLine(lines)
		if err != nil && !errors.Is(err, io.EOF) {
			return errors.Join(err, w.Flush())
		}
		end := err != nil
		if len(bytes.TrimSpace(line)) > 0 || long {
			added, err := classifyLine(set, line, long)
			if err != nil {
				hostile++
				fmt.Fprintf(errOut, "line %d: %v\n", n, err)
			} else if _, err := w.Write(append(added, '\n')); err != nil {
				return err
			}
		}
		if end {
			break
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if hostile > 0 {
		return fmt.Errorf("%d lines could not be read", hostile)
	}
	return nil
}

// boundedLine reads a line of at most maxLine bytes and passes over the rest of a longer one.
func boundedLine(r *bufio.Reader) (line []byte, long bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			long = true
		} else {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, long, err
		}
	}
}

// classifyLine keeps the object's bytes as they are and appends the verdict.
func classifyLine(set *classify.Set, line []byte, long bool) ([]byte, error) {
	if long {
		return nil, errors.New("is longer than 1 MiB")
	}
	line = bytes.TrimSpace(line)
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		return nil, errors.New("is no JSON object")
	}
	var text *string
	if err := json.Unmarshal(object["text"], &text); err != nil || text == nil {
		return nil, errors.New(`has no field "text" that is a string`)
	}
	v := judge(set, strings.ToValidUTF8(*text, "\uFFFD"))
	for _, taken := range []string{"class", "confidence", "rule"} {
		if _, ok := object[taken]; ok {
			return nil, fmt.Errorf("has a field %q already", taken)
		}
	}
	added, err := json.Marshal(struct {
		Class      string  `json:"class"`
		Confidence float64 `json:"confidence"`
		Rule       string  `json:"rule"`
	}{v.Class, v.Confidence, v.Rule})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Write(line[:len(line)-1])
	b.WriteByte(',')
	b.Write(added[1:])
	return b.Bytes(), nil
}
