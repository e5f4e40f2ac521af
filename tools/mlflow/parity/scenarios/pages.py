"""What MLflow's own pages ask a server for, and no method of the client does: histories of many runs, datasets, single files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from observe import Observer

from scenarios.scenario import MISSING_RUN, scenario

_MLFLOW = "/ajax-api/2.0/mlflow"


def _asking(client: MlflowClient) -> Callable[..., requests.Response]:
    credentials = get_default_host_creds(client.tracking_uri)

    def ask(method: str, path: str, **more: Any) -> requests.Response:
        response = http_request(credentials, path, method, **more)
        if response.status_code == requests.codes.ok:
            return response
        raise MlflowException(f"{response.status_code} {response.json()['error_code']}: {response.json()['message']}")

    return ask


@scenario()
def bulk_histories(c: MlflowClient, o: Observer, _: Path) -> None:
    e = c.create_experiment("bulk histories")
    o.know("experiment", e)
    runs = [c.create_run(e, start_time=1, run_name=name).info.run_id for name in ("short", "long", "none")]
    for run_id, count in zip(runs, (3, 500, 0), strict=True):
        o.know("run", run_id)
        c.log_batch(run_id, [Metric("loss", 1 / (step + 1), 1000 + step, step) for step in range(count)])
    ask = _asking(c)

    def history(path: str, **params: Any) -> Callable[[], Any]:
        def read() -> Any:
            found = ask("GET", f"{_MLFLOW}/metrics/{path}", params=params).json().get("metrics", [])
            # The order of the runs is that of their ids, which differ.
            return sorted((runs.index(one["run_id"]), int(one["step"]), float(one["value"]), int(one["timestamp"])) for one in found)

        return read

    def bulk(**params: Any) -> Callable[[], Any]:
        return history("get-history-bulk", **params)

    o.see("one", bulk(run_id=runs[0], metric_key="loss"))
    o.see("two", bulk(run_id=runs[:2], metric_key="loss"))
    o.see("few", bulk(run_id=runs[1], metric_key="loss", max_results=100))
    o.see("no run", bulk(metric_key="loss"))
    o.see("no key", bulk(run_id=runs[0]))
    o.see("other key", bulk(run_id=runs, metric_key="other"))
    o.see("missing run", bulk(run_id=MISSING_RUN, metric_key="loss"))
    o.see("too many runs", bulk(run_id=[f"{index:032d}" for index in range(101)], metric_key="loss"))

    def interval(**params: Any) -> Callable[[], Any]:
        return history("get-history-bulk-interval", **params)

    o.see("interval", interval(run_ids=runs[:2], metric_key="loss", start_step=1, end_step=40))
    o.see("interval, sampled", interval(run_ids=runs[:2], metric_key="loss", start_step=0, end_step=499, max_results=10))
    o.see("interval of all", interval(run_ids=runs, metric_key="loss", max_results=7))
    o.see("interval upside down", interval(run_ids=runs, metric_key="loss", start_step=2, end_step=1))
    o.see("interval, half", interval(run_ids=runs, metric_key="loss", start_step=2))
    o.see("interval of too many", interval(run_ids=runs, metric_key="loss", max_results=2501))
    o.see("interval of no runs", interval(metric_key="loss"))


@scenario()
def datasets_of_experiments(c: MlflowClient, o: Observer, _: Path) -> None:
    e = c.create_experiment("datasets of experiments")
    o.know("experiment", e)
    ask = _asking(c)

    def summaries(ids: list[str]) -> Callable[[], Any]:
        def read() -> Any:
            found = ask("POST", f"{_MLFLOW}/experiments/search-datasets", json={"experiment_ids": ids}).json()
            return sorted(found.get("dataset_summaries", []), key=lambda one: (one["name"], one["digest"], one.get("context", "")))

        return read

    o.see("none", summaries([e]))
    for context in ("training", "evaluation", "training"):
        run_id = c.create_run(e).info.run_id
        c.log_inputs(run_id, [DatasetInput(Dataset("iris", "d1", "local", "{}"), [InputTag("mlflow.data.context", context)])])
    o.see("two contexts", summaries([e]))
    o.see("no experiment", summaries([]))
    o.see("too many", summaries([str(index) for index in range(21)]))


@scenario()
def single_files(c: MlflowClient, o: Observer, _: Path) -> None:
    e = c.create_experiment("single files")
    o.know("experiment", e)
    run_id = c.create_run(e, start_time=1, run_name="files").info.run_id
    o.know("run", run_id)
    model = c.create_logged_model(e, name="with a file")
    o.know("model", model.model_id)
    ask = _asking(c)

    def get(**params: Any) -> Callable[[], Any]:
        return lambda: ask("GET", "/get-artifact", params=params).text

    def put(content: str, **params: Any) -> Callable[[], Any]:
        return lambda: ask("POST", f"{_MLFLOW}/upload-artifact", params=params, data=content).status_code

    o.see("put", put("two words", run_uuid=run_id, path="notes/a b.txt"))
    o.see("get", get(run_uuid=run_id, path="notes/a b.txt"))
    o.see("get by run id", get(run_id=run_id, path="notes/a b.txt"))
    o.see("get up", get(run_uuid=run_id, path="../x"))
    o.see("get of no run", get(run_uuid=MISSING_RUN, path="x"))
    o.see("put up", put("x", run_uuid=run_id, path="../x"))
    o.see("put nowhere", put("x", run_uuid=run_id))
    o.see("put in no run", put("x", path="x"))
    o.see("put nothing", put("", run_uuid=run_id, path="empty.txt"))
    c.log_model_artifact(model.model_id, __file__)
    files = f"{_MLFLOW}/logged-models/{model.model_id}/artifacts/files"
    o.see("of a model", lambda: ask("GET", files, params={"artifact_file_path": "pages.py"}).text.splitlines()[0])
    o.see("of a model, up", lambda: ask("GET", files, params={"artifact_file_path": "../x"}).status_code)
    o.see("of no model", lambda: ask("GET", f"{_MLFLOW}/logged-models/m-{'0' * 32}/artifacts/files", params={"artifact_file_path": "x"}))
