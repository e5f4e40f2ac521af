"""What MLflow's client does with points against any server; prints one JSON object.

``mlflow_points.py log-batch URI CALLS RUN`` sends CALLS batches of 1,000 points to the run ("new": one that it makes first):
points a second. ``mlflow_points.py history URI POINTS READS`` logs so many points of one metric and reads its whole
history again and again: milliseconds of each read.
"""

import json
import sys
import time

import mlflow
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

BATCH = 1_000
KEYS = 10


def new_run(client: MlflowClient) -> str:
    """Make a run in an experiment of its own."""
    experiment = client.create_experiment(f"points {time.time()}")
    return str(client.create_run(experiment).info.run_id)


def log_batch(client: MlflowClient, calls: int, run_id: str) -> dict[str, object]:
    """Send the batches one after the other, as one training process does."""
    run = new_run(client) if run_id == "new" else run_id
    batches = [
        [
            Metric(f"k{index % KEYS}", index * 0.37 + call, 1_700_000_000_000 + index, (call * BATCH + index) // KEYS)
            for index in range(BATCH)
        ]
        for call in range(calls + 1)
    ]
    client.log_batch(run, metrics=batches[calls])
    began = time.perf_counter()
    for call in range(calls):
        client.log_batch(run, metrics=batches[call])
    return {"value": calls * BATCH / (time.perf_counter() - began)}


def history(client: MlflowClient, points: int, reads: int) -> dict[str, object]:
    """Log the points, then read them."""
    run = new_run(client)
    for begin in range(0, points, BATCH):
        client.log_batch(
            run, metrics=[Metric("loss", step * 0.37, 1_700_000_000_000 + step, step) for step in range(begin, begin + BATCH)]
        )
    samples = []
    for _ in range(reads):
        began = time.perf_counter()
        found = client.get_metric_history(run, "loss")
        samples.append((time.perf_counter() - began) * 1_000)
        if len(found) != points:
            raise SystemExit(f"{len(found)} points, {points} were logged")
    return {"samples": samples}


def main(what: str, uri: str, first: str, second: str) -> None:
    """Measure, and print."""
    client = MlflowClient(uri)
    mlflow.set_tracking_uri(uri)
    figures = log_batch(client, int(first), second) if what == "log-batch" else history(client, int(first), int(second))
    sys.stdout.write(json.dumps({**figures, "version": mlflow.__version__}) + "\n")


main(*sys.argv[1:5])
