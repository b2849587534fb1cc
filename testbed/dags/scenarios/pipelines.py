"""The pipelines that break on their source (airflow dag)."""

from datetime import timedelta

from feeds import direct, history, pipeline

# Each in a schema of its own, so that scenarios run side by side.
for name in ("books", "shoes", "tools", "wines", "bikes", "lamps", "seeds", "plain", "maps"):
    globals()[name] = pipeline(name)

# Airflow itself retries here.
toys = pipeline("toys", retries=2, retry_delay=timedelta(seconds=20))

shoes_history = history("shoes_history", "shoes")
plain_history = history("plain_history", "plain")

for number in range(5):
    globals()[f"parcel_{number}"] = direct(f"parcel_{number}")
