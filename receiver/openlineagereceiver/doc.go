// Package openlineagereceiver takes OpenLineage events over HTTP and turns them
// into log records, spans and metrics.
package openlineagereceiver

//go:generate mdatagen metadata.yaml
