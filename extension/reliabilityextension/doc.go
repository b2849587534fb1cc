// Package reliabilityextension holds the state and the judgement of the loop:
// incidents, the reliability graph, policies, decisions, verification, outcomes,
// the audit log and the API through which people see and steer it. The
// classification connector and the remediation exporter find it by its ID.
package reliabilityextension

//go:generate mdatagen metadata.yaml
