"""Moves orders from an HTTP source into a warehouse: extract, load, report.

Each load is whole or absent: a task deletes what an earlier try of the same
load wrote and inserts again, in one transaction. Airflow itself retries
nothing (retries=0), so that whatever heals here is not Airflow.
"""

import os
import sqlite3
from contextlib import closing

import requests
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import DAG, task

SOURCE = os.environ["SOURCE_URL"]
WAREHOUSE = os.environ["WAREHOUSE"]
LOAD = "{{ (dag_run.run_after.timestamp() * 1000) | int }}"


@task
def extract(load: str):
    response = requests.get(f"{SOURCE}/feeds/orders/loads/{load}", timeout=20)
    response.raise_for_status()
    rows = [(int(load), r["order_id"], r["customer"], r["amount"]) for r in response.json()]
    with closing(sqlite3.connect(WAREHOUSE, timeout=20)) as warehouse, warehouse:
        warehouse.execute("DELETE FROM staging WHERE load_id = ?", (int(load),))
        warehouse.executemany(
            "INSERT INTO staging (load_id, order_id, customer, amount) VALUES (?, ?, ?, ?)", rows
        )


with DAG("orders", schedule=None, catchup=False, max_active_runs=1, default_args={"retries": 0, "owner": "shop"}):
    load_orders = SQLExecuteQueryOperator(
        task_id="load",
        conn_id="warehouse",
        sql=[
            f"DELETE FROM orders WHERE load_id = {LOAD}",
            f"""INSERT INTO orders (load_id, loaded_at, order_id, customer, amount)
                SELECT load_id, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), order_id, customer, amount
                FROM staging WHERE load_id = {LOAD}""",
        ],
    )
    report = SQLExecuteQueryOperator(
        task_id="report",
        conn_id="warehouse",
        sql=[
            f"DELETE FROM report WHERE load_id = {LOAD}",
            f"""INSERT INTO report (load_id, customers, revenue)
                SELECT load_id, COUNT(DISTINCT customer), SUM(amount)
                FROM orders WHERE load_id = {LOAD} GROUP BY load_id""",
        ],
    )
    extract(LOAD) >> load_orders >> report
