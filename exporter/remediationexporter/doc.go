// Package remediationexporter carries out what the reliability extension has
// decided, once, on the platform that it concerns. The records that its logs
// pipeline brings only wake it: it counts and drops them, leases plans from the
// extension by ID and reports there what came of each.
package remediationexporter

//go:generate mdatagen metadata.yaml
