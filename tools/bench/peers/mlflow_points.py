"""What MLflow's client does with points against any server; prints one JSON object.

``mlflow_points.py log-batch TURNS CALLS NAME=URL...`` sends CALLS batches of 1,000 points to each server in turn, TURNS times:
points a second of each, by its name, and how many points each has in the end. ``mlflow_points.py history URI POINTS READS``
logs so many points of one metric and reads its whole history again and again: milliseconds of each read.
"""

import json
import sys
import time

import mlflow
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

BATCH = 1_000
KEYS = 10
# Calls at the begin of a turn that do not count: the server before has emptied the processor's caches.
WARM_UP = 2


def new_run(client: MlflowClient) -> str:
    """Make a run in an experiment of its own."""
    experiment = client.create_experiment(f"points {time.time()}")
    return str(client.create_run(experiment).info.run_id)


def batch(call: int) -> list[Metric]:
    """Make the points of the call: no two calls have one in common."""
    return [
        Metric(f"k{index % KEYS}", index * 0.37 + call, 1_700_000_000_000 + index, (call * BATCH + index) // KEYS)
        for index in range(BATCH)
    ]


def log_batch(turns: int, calls: int, servers: list[str]) -> dict[str, object]:
    """Send the batches one after the other, as one training process does, to one server and then the next.

    One process is quicker than another for as long as it lives, so all servers are measured by the same.
    """
    runs: dict[str, tuple[MlflowClient, str]] = {}
    seconds: dict[str, float] = {}
    for server in servers:
        name, url = server.split("=", 1)
        client = MlflowClient(url)
        runs[name] = (client, "none" if name == "nothing" else new_run(client))
        seconds[name] = 0
    for turn in range(turns):
        for name, (client, run_id) in runs.items():
            first = turn * (calls + WARM_UP)
            batches = [batch(first + call) for call in range(calls + WARM_UP)]
            for points in batches[:WARM_UP]:
                client.log_batch(run_id, metrics=points)
            began = time.perf_counter()
            for points in batches[WARM_UP:]:
                client.log_batch(run_id, metrics=points)
            seconds[name] += time.perf_counter() - began
    values = {name: turns * calls * BATCH / taken for name, taken in seconds.items()}
    return {"values": values, "points": turns * (calls + WARM_UP) * BATCH}


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


def main(what: str, *args: str) -> None:
    """Measure, and print."""
    if what == "log-batch":
        turns, calls, *servers = args
        figures = log_batch(int(turns), int(calls), servers)
    else:
        uri, points, reads = args
        figures = history(MlflowClient(uri), int(points), int(reads))
    sys.stdout.write(json.dumps({**figures, "version": mlflow.__version__}) + "\n")


main(*sys.argv[1:])
