"""Fill the database of an MLflow server with runs: one experiment, some parameters, one point of each metric.

usage: mlflow_seed_runs.py mlflow.db RUNS METRICS        prints the experiment's id and MLflow's version
"""

import random
import sqlite3
import sys
import time
from importlib.metadata import version

path, runs, metrics = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(20261121)
keys = [f"group{n % 10}/metric_{n}" for n in range(metrics)]
ids = [f"{n:032d}" for n in range(runs)]
now = int(time.time() * 1000)
database = sqlite3.connect(path, timeout=60)
columns = "experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time"
database.execute(f"INSERT INTO experiments ({columns}) VALUES (77, 'bench query', '', 'active', ?, ?)", (now, now))
database.executemany(
    "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, lifecycle_stage, artifact_uri, experiment_id) "
    "VALUES (?, ?, 'LOCAL', 'ada', 'FINISHED', ?, 'active', '', 77)",
    ((run, f"run {n}", 1_767_225_600_000 + n * 60_000) for n, run in enumerate(ids)),
)
database.executemany(
    "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
    (
        row
        for n, run in enumerate(ids)
        for row in (
            ("lr", str(10.0 ** -(n % 5)), run),
            ("optimizer", "adam" if n % 2 == 0 else "sgd", run),
            ("layers", str(n % 48), run),
            ("seed", str(n), run),
        )
    ),
)
database.executemany(
    "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, 1, 0, ?)",
    ((key, random.random() * 2, now, run) for run in ids for key in keys),
)
database.commit()
print(77, version("mlflow"))
