// Package airflow is a client of Airflow 3's stable REST API (/api/v2), shared
// by the receiver that observes an installation and the exporter that acts on it.
//
// Every answer is bounded in size, must be complete and must be JSON. Errors tell
// a call that was refused from one whose effect is unknown: see [IsUnclear].
// Nothing is ever repeated by the client, except once after a renewed login, which
// Airflow asks for before it does anything.
package airflow
