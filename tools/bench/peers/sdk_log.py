"""How long one `run.log` of a scalar takes the training loop: prints p50 and p99 of many calls as JSON, in microseconds.

``sdk_log.py trainyard DIR CALLS`` measures the SDK; ``sdk_log.py mlflow DIR CALLS`` MLflow's asynchronous `log_metric`
(fluent API, store on a local SQLite file, so that no server takes part).
"""

import json
import sys
import time
from collections.abc import Callable


def measure(log: Callable[[int], None], calls: int) -> dict[str, float]:
    """Return p50 and p99 of `calls` calls after a tenth as many that do not count."""
    for step in range(calls // 10):
        log(step)
    taken = []
    for step in range(calls // 10, calls // 10 + calls):
        before = time.perf_counter_ns()
        log(step)
        taken.append(time.perf_counter_ns() - before)
    taken.sort()
    return {"p50": taken[calls // 2] / 1000, "p99": taken[calls * 99 // 100] / 1000}


def main(tool: str, directory: str, calls: int) -> None:
    """Measure one tool and print the figures."""
    if tool == "trainyard":
        import trainyard

        with trainyard.init(offline=directory) as run:
            figures = measure(lambda step: run.log({"loss": 0.5}, step=step), calls)
        version = "checkout"
    else:
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{directory}/mlflow.db")
        with mlflow.start_run():
            figures = measure(lambda step: mlflow.log_metric("loss", 0.5, step=step, synchronous=False), calls)
            mlflow.flush_async_logging()
        version = mlflow.__version__
    sys.stdout.write(json.dumps({**figures, "version": version}) + "\n")


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
