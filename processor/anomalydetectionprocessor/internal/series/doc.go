// Package series scores one time series: what value was to be expected, how
// surprising the one that came is, and whether the series is anomalous.
//
// A Series sees each point once, in order, scores it from what it knew before
// and learns from it afterwards. It takes no locks, knows nothing of telemetry
// and allocates nothing for a point of a series that has learned.
package series
