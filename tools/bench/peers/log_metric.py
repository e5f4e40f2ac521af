"""How long MLflow's client takes for a synchronous log_metric, on several servers in turn.

usage: log_metric.py ROUNDS CALLS NAME=URL...   prints {"version", "samples": {NAME: [ms, ...]}}
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
warnings.filterwarnings("ignore")

import mlflow  # noqa: E402
from mlflow import MlflowClient  # noqa: E402

# Servers without runs.
BARE = ("insert", "nothing")
WARM_UP_CALLS = 50


def main(rounds: int, calls: int, servers: list[str]) -> None:
    """Alternate between the servers, so that whatever else the machine does falls on all of them."""
    samples: dict[str, list[float]] = {}
    clients: dict[str, tuple[MlflowClient, str]] = {}
    for server in servers:
        name, url = server.split("=", 1)
        client = MlflowClient(url)
        run_id = "0" * 32 if name in BARE else client.create_run(client.create_experiment("log-metric")).info.run_id
        clients[name] = (client, run_id)
        samples[name] = []
    step = 0
    for turn in range(-1, rounds):
        for name, (client, run_id) in clients.items():
            for _ in range(WARM_UP_CALLS if turn < 0 else calls):
                step += 1
                begun = time.perf_counter()
                client.log_metric(run_id, "loss", step / 7, step=step)
                if turn >= 0:
                    samples[name].append((time.perf_counter() - begun) * 1000)
    print(json.dumps({"version": mlflow.__version__, "samples": samples}))


main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
