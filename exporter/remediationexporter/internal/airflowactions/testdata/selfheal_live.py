"""DAGs for the live test. They need nothing but a scheduler and run only when triggered."""

import time

from airflow.sdk import dag, get_current_context, task


def fail_on_first_try():
    if get_current_context()["ti"].try_number == 1:
        raise RuntimeError("503 Service Unavailable")


@dag(dag_id="selfheal_live", schedule=None, catchup=False, is_paused_upon_creation=False)
def live():
    @task(retries=0)
    def before():
        pass

    @task(retries=0)
    def load():
        fail_on_first_try()

    @task(retries=0)
    def after():
        pass

    @task(retries=0)
    def part(n):
        fail_on_first_try()

    before() >> load() >> after()
    part.expand(n=[0, 1])


@dag(dag_id="selfheal_live_slow", schedule=None, catchup=False, is_paused_upon_creation=False)
def slow():
    @task(retries=0)
    def first():
        pass

    @task(retries=0)
    def long():
        time.sleep(120)

    first() >> long()


@dag(dag_id="selfheal_live_retrying", schedule=None, catchup=False, is_paused_upon_creation=False)
def retrying():
    @task(retries=1, retry_delay=3600)
    def load():
        fail_on_first_try()

    load()


@dag(dag_id="selfheal_live_paused", schedule=None, catchup=False, is_paused_upon_creation=True)
def paused():
    @task
    def load():
        pass

    load()


live()
slow()
retrying()
paused()
