// Package airflowactions acts on one Airflow 3 installation: it clears task
// instances and triggers DAG runs.
//
// What makes each act happen once: Airflow gives a task instance a new ID
// whenever it is cleared, in the same transaction, so a changed ID tells that a
// clear has happened and the same ID that none has, whatever the task has done
// since. A DAG run is triggered under the plan's ID, which Airflow takes once.
package airflowactions
