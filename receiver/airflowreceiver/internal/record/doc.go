// Package record makes the log records that the receiver emits, as docs/signals.md
// describes them, from what Airflow says. Free text is scrubbed and bounded here.
package record
