// Package classificationconnector turns telemetry into observations, lets rules
// say what a failure means, and hands both to the reliability extension. The
// transitions of incidents come back from there and leave in a logs pipeline.
package classificationconnector

//go:generate mdatagen metadata.yaml
