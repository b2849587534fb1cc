"""Jobs that are slow, or wrong, or fail with other words (airflow dag)."""

import os
import socket
import time
from datetime import timedelta

import requests
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task


def average(total: float, customers: int) -> float:
    return total / customers


with DAG("averages", schedule=timedelta(days=365), catchup=False, max_active_runs=4, default_args={"retries": 0, "owner": "analytics"}):

    @task
    def compute(dag_run=None):
        customers = int((dag_run.conf or {}).get("customers", 100))
        print(f"average is {average(12500.0, customers)}")

    compute()


with DAG("models", schedule=None, catchup=False, max_active_runs=4, default_args={"retries": 0}):

    @task
    def train(dag_run=None):
        time.sleep(float((dag_run.conf or {}).get("seconds", 1)))

    train()


def closed_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def refused():
    requests.get(f"http://127.0.0.1:{closed_port()}/export", timeout=3)


def unknown_host():
    requests.get("http://feeds.partner.invalid/export", timeout=5)


def times_out():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        requests.get(f"http://127.0.0.1:{s.getsockname()[1]}/export", timeout=1)


def deadlock():
    """Two transactions that wait for each other; the server ends one."""
    import threading

    first, second = PostgresHook("warehouse").get_conn(), PostgresHook("warehouse").get_conn()
    errors = []
    one, two = first.cursor(), second.cursor()
    one.execute("SELECT pg_advisory_xact_lock(4711)")
    two.execute("SELECT pg_advisory_xact_lock(4712)")

    def other():
        try:
            two.execute("SELECT pg_advisory_xact_lock(4711)")
        except Exception as e:
            errors.append(e)

    thread = threading.Thread(target=other)
    thread.start()
    try:
        one.execute("SELECT pg_advisory_xact_lock(4712)")
    finally:
        first.rollback()
        thread.join()
        second.rollback()
    raise errors[0]


def wrong_password():
    requests.get(f"{os.environ['SOURCE_URL']}/feeds/locked/loads/1", timeout=5).raise_for_status()


def unknown_role():
    PostgresHook("warehouse").run("SET ROLE nobody_here")


def forbidden():
    PostgresHook("warehouse").run(["SET ROLE visitor", "SELECT count(*) FROM maps.orders"])


def missing_file():
    with open("/data/landing/2026-11-24/orders.csv") as f:
        f.read()


def out_of_memory():
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return bytearray(1 << 62)


def disk_full():
    with open("/dev/full", "w") as f:
        f.write("x" * 100_000)


def renamed_column():
    [row["total"] for row in [{"order_id": "1", "amount": 2.0}]]


def no_such_column():
    PostgresHook("warehouse").run("SELECT total FROM maps.orders")


def type_mix():
    return "12" + 3


KINDS = [
    refused, unknown_host, times_out, deadlock, wrong_password, unknown_role, forbidden,
    missing_file, out_of_memory, disk_full, renamed_column, no_such_column, type_mix,
]


def errand(number: int, job) -> DAG:
    with DAG(f"errand_{number:02d}", schedule=None, catchup=False, default_args={"retries": 0, "owner": "platform"}) as dag:

        @task
        def run():
            job()

        run()
    return dag


# Named by number: what a failure means must be read from its text.
for number, job in enumerate(KINDS):
    globals()[f"errand_{number}"] = errand(number, job)

SCRIPTS = [
    "echo 'curl: (56) Recv failure: Connection reset by peer' >&2; exit 56",
    "echo 'ModuleNotFoundError: No module named pricing' >&2; exit 1",
    "kill -9 $$",
]

for number, script in enumerate(SCRIPTS):
    with DAG(f"shell_{number:02d}", schedule=None, catchup=False, default_args={"retries": 0}) as dag:
        BashOperator(task_id="script", bash_command=script)
    globals()[f"shell_{number}"] = dag
