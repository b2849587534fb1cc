// Package airflowreceiver observes an Airflow installation through its REST API
// and tells what it finds as log records (runs, definitions, import errors) and
// metrics (heartbeats, pools, lateness, durations).
//
// One poll reads what changed since the last and what has not ended. What was
// delivered is remembered, in a storage extension where one is configured, so
// each change of a state and each try gives one record; what was refused
// downstream, or not reached in time, comes with the next poll.
package airflowreceiver

//go:generate mdatagen metadata.yaml
