"""What the pipelines of the scenarios have in common."""

import os
import time

import requests
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import Asset, DAG, task

SOURCE = os.environ["SOURCE_URL"]
WAREHOUSE = os.environ["WAREHOUSE_ADDRESS"]  # host:port
LOAD = "{{ (dag_run.run_after.timestamp() * 1000) | int }}"


def table(schema: str, name: str) -> Asset:
    return Asset(uri=f"postgres://{WAREHOUSE}/warehouse/{schema}/{name}")


def fetch(feed: str, load: int) -> list:
    response = requests.get(f"{SOURCE}/feeds/{feed}/loads/{load}", timeout=60)
    response.raise_for_status()
    return response.json()


def put(schema: str, name: str, load: int, rows: list) -> None:
    """Replaces the rows of one load, in one transaction."""
    connection = PostgresHook("warehouse").get_conn()
    try:
        cursor = connection.cursor()
        cursor.execute(f"DELETE FROM {schema}.{name} WHERE load_id = %s", (load,))
        cursor.executemany(
            f"INSERT INTO {schema}.{name} (load_id, order_id, customer, amount) VALUES (%s, %s, %s, %s)",
            [(load, r["order_id"], r["customer"], r["amount"]) for r in rows],
        )
        connection.commit()
    finally:
        connection.close()


def move(schema: str, load: str) -> list:
    return [
        f"DELETE FROM {schema}.orders WHERE load_id = {load}",
        f"""INSERT INTO {schema}.orders (load_id, order_id, customer, amount)
            SELECT load_id, order_id, customer, amount FROM {schema}.staging WHERE load_id = {load}""",
    ]


def pipeline(dag_id: str, **arguments) -> DAG:
    """extract (Python) → load (SQL) → report (SQL) in a schema of the DAG's own name."""
    schema = dag_id
    arguments = {"retries": 0, "owner": "shop"} | arguments
    with DAG(dag_id, schedule=None, catchup=False, max_active_runs=1, default_args=arguments) as dag:

        @task(outlets=[table(schema, "staging")])
        def extract(load: str):
            put(schema, "staging", int(load), fetch(schema, int(load)))

        load_orders = SQLExecuteQueryOperator(task_id="load", conn_id="warehouse", sql=move(schema, LOAD))
        report = SQLExecuteQueryOperator(
            task_id="report",
            conn_id="warehouse",
            sql=[
                f"DELETE FROM {schema}.report WHERE load_id = {LOAD}",
                f"""INSERT INTO {schema}.report (load_id, customers, revenue)
                    SELECT load_id, COUNT(DISTINCT customer), SUM(amount)
                    FROM {schema}.orders WHERE load_id = {LOAD} GROUP BY load_id""",
            ],
        )
        extract(LOAD) >> load_orders >> report
    return dag


def history(dag_id: str, schema: str) -> DAG:
    """Makes many normal loads of a pipeline, one after the other, in one run."""
    with DAG(dag_id, schedule=None, catchup=False, default_args={"retries": 0}) as dag:

        @task
        def loads(dag_run=None):
            conf = dag_run.conf or {}
            connection = PostgresHook("warehouse").get_conn()
            for _ in range(int(conf["loads"])):
                load = time.time_ns() // 1_000_000
                put(schema, "staging", load, fetch(schema, load))
                cursor = connection.cursor()
                for statement in move(schema, str(load)):
                    cursor.execute(statement)
                connection.commit()
                time.sleep(float(conf["pace"]))
            connection.close()

        loads()
    return dag


def direct(dag_id: str) -> DAG:
    """One task that writes the rows of its load straight into orders."""
    schema = dag_id
    with DAG(dag_id, schedule=None, catchup=False, max_active_runs=4, default_args={"retries": 0, "owner": "shop"}) as dag:

        @task(outlets=[table(schema, "orders")])
        def take(load: str):
            put(schema, "orders", int(load), fetch(schema, int(load)))

        take(LOAD)
    return dag
