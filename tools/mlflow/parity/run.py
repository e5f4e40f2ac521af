"""Runs every scenario against one server and writes what the client saw, one object per method of MlflowClient.

usage: run.py TRACKING_URI OUT.json
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
warnings.filterwarnings("ignore")

import mlflow  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from observe import Observer  # noqa: E402
from scenarios import SCENARIOS  # noqa: E402
from unsupported import call_of  # noqa: E402

logging.disable(logging.CRITICAL)


def main(uri: str, out: str) -> None:
    """Write what a client saw of the server at ``uri``."""
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri)
    methods = sorted(name for name in dir(MlflowClient) if not name.startswith("_") and callable(getattr(MlflowClient, name)))
    seen: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="trainyard-parity-") as folder:
        os.chdir(folder)
        for scenario in SCENARIOS:
            observer = Observer()
            home = Path(folder) / scenario.name
            home.mkdir()
            try:
                scenario.run(client, observer, home)
            except Exception as error:  # noqa: BLE001  what a scenario builds on failed: a difference, and not the end
                observer.steps.append({"step": "the rest", "error": type(error).__name__, "message": str(error)})
            seen[scenario.name] = {"methods": list(scenario.methods), "steps": observer.steps}
    covered = {method for scenario in SCENARIOS for method in scenario.methods}
    alone: dict[str, object] = {}
    for method in methods:
        if method not in covered:
            observer = Observer()
            observer.see(method, lambda method=method: call_of(method)(client))
            alone[method] = observer.steps[0]
    report = {"version": mlflow.__version__, "methods": methods, "scenarios": seen, "alone": alone}
    Path(out).write_text(json.dumps(report), encoding="utf-8")


main(sys.argv[1], sys.argv[2])
