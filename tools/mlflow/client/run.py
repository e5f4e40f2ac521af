"""What people do with MLflow's client, done here with MLflow's own and asserted by what it answers.

usage: run.py [FLOW...]   with MLFLOW_TRACKING_URI and MLFLOW_TRACKING_TOKEN set; prints a line per flow, exits 1 when one fails
"""

from __future__ import annotations

import os
import sys
import time
import traceback
import warnings

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "2"
# Small files in parts, so that a few megabytes show it.
os.environ["MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE"] = "6000000"
os.environ["MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE"] = str(5 * 1024 * 1024)
# To find a model's requirements MLflow imports it in a process of its own, which costs more than all of this: it is given no time.
os.environ["MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT"] = "0"
os.environ["MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"] = "0.05"
warnings.filterwarnings("ignore")

from flows import FLOWS  # noqa: E402


def main(names: list[str]) -> int:
    """Run the flows of these names, or all."""
    failed = 0
    for body in FLOWS:
        if names and body.__name__ not in names:
            continue
        begun = time.perf_counter()
        try:
            body()
            print(f"ok {body.__name__} {time.perf_counter() - begun:.1f} s", flush=True)
        except Exception:  # noqa: BLE001  each flow is told, the others go on
            failed += 1
            print(f"FAILED {body.__name__}\n{traceback.format_exc()}", flush=True)
    return 1 if failed else 0


sys.exit(main(sys.argv[1:]))
