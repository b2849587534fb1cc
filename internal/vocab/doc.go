// Package vocab holds the names that components share: attributes, events,
// facts and verdicts. vocabulary.yaml is the source.
package vocab

//go:generate go run ./gen
