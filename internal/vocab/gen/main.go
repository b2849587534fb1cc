// Command gen writes vocab.go and docs/vocabulary.md from vocabulary.yaml.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"log"
	"os"

	"gopkg.in/yaml.v3"
)

type word struct {
	Name, Go, Brief, Unit string
}

type vocabulary struct {
	Attributes, Events, Facts, Verdicts []word
}

func main() {
	in := flag.String("in", "vocabulary.yaml", "the vocabulary")
	out := flag.String("out", "vocab.go", "Go file to write")
	docs := flag.String("docs", "../../docs/vocabulary.md", "page to write")
	flag.Parse()
	if err := run(*in, *out, *docs); err != nil {
		log.Fatal(err)
	}
}

func run(in, out, docs string) error {
	raw, err := os.ReadFile(in) //nolint:gosec // the developer names the file
	if err != nil {
		return err
	}
	var v vocabulary
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(&v); err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	sections := []struct {
		title, doc string
		words      []word
		list       string
	}{
		{"Attributes", "Attributes of resources, points, records and spans.", v.Attributes, ""},
		{"Events", "Event names of log records.", v.Events, ""},
		{"Facts", "Metrics that are facts about their entity.", v.Facts, "FactMetrics"},
		{"Verdicts", "Metrics that the detector adds beside a series.", v.Verdicts, "VerdictMetrics"},
	}
	seen := map[string]bool{}
	var code, page bytes.Buffer
	code.WriteString("// Code generated from vocabulary.yaml by internal/vocab/gen. DO NOT EDIT.\n\npackage vocab\n")
	page.WriteString("<!-- Generated from internal/vocab/vocabulary.yaml by internal/vocab/gen. Do not edit. -->\n# Vocabulary\n")
	for _, s := range sections {
		fmt.Fprintf(&code, "\n// %s\nconst (\n", s.doc)
		fmt.Fprintf(&page, "\n## %s\n\n%s\n\n| name | unit | meaning |\n| --- | --- | --- |\n", s.title, s.doc)
		for _, w := range s.words {
			if w.Name == "" || w.Go == "" || w.Brief == "" {
				return fmt.Errorf("%s: %+v lacks name, go or brief", in, w)
			}
			if seen[w.Name] || seen[w.Go] {
				return fmt.Errorf("%s: %s or %s stands twice", in, w.Name, w.Go)
			}
			seen[w.Name], seen[w.Go] = true, true
			fmt.Fprintf(&code, "\t// %s: %s.\n\t%s = %q\n", w.Go, w.Brief, w.Go, w.Name)
			fmt.Fprintf(&page, "| `%s` | %s | %s |\n", w.Name, w.Unit, w.Brief)
		}
		code.WriteString(")\n")
		if s.list != "" {
			fmt.Fprintf(&code, "\n// %s lists them all.\nvar %s = [...]string{", s.list, s.list)
			for _, w := range s.words {
				fmt.Fprintf(&code, "%s, ", w.Go)
			}
			code.WriteString("}\n")
		}
	}
	src, err := format.Source(code.Bytes())
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, src, 0o644); err != nil { //nolint:gosec // source is for everyone to read
		return err
	}
	return os.WriteFile(docs, page.Bytes(), 0o644) //nolint:gosec // so are the docs
}
