// Package anomalydetectionprocessor adds verdicts to the series that behave as
// they never did: companion metrics that say what was expected, how surprising
// the value is and whether the series is anomalous.
//
// Each point is scored from what its series showed before, then learned. The
// points themselves are never altered, and nothing but verdicts is added.
package anomalydetectionprocessor

//go:generate mdatagen metadata.yaml
