"""Runs, and what is logged into them."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import DatasetInput

from flows.flow import flow, until


@flow
def nested_runs_as_a_data_frame() -> None:
    mlflow.set_experiment("flows nested")
    with mlflow.start_run(run_name="parent") as parent:
        mlflow.log_params({"lr": 0.1})
        for index in range(3):
            with mlflow.start_run(run_name=f"child {index}", nested=True) as child:
                mlflow.log_metrics({"loss": index / 2}, step=index)
    frame = mlflow.search_runs(order_by=["metrics.loss DESC"])
    assert list(frame["tags.mlflow.runName"])[:3] == ["child 2", "child 1", "child 0"], frame
    assert set(frame["tags.mlflow.parentRunId"].dropna()) == {parent.info.run_id}
    assert set(frame["status"]) == {"FINISHED"}
    assert MlflowClient().get_parent_run(child.info.run_id).info.run_id == parent.info.run_id


@flow
def asynchronous_logging() -> None:
    mlflow.set_experiment("flows async")
    with mlflow.start_run() as run:
        for step in range(60):
            mlflow.log_metric("loss", step / 7, step=step, synchronous=False)
        mlflow.log_param("late", "yes", synchronous=False).wait()
        mlflow.flush_async_logging()
    history = MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(step, step / 7) for step in range(60)]
    assert mlflow.get_run(run.info.run_id).data.params == {"late": "yes"}


@flow
def a_run_gone_on_with() -> None:
    client = MlflowClient()
    mlflow.set_experiment("flows gone on with")
    with contextlib.suppress(ValueError), mlflow.start_run() as run:
        mlflow.log_metric("loss", 2, step=1)
        raise ValueError("lost")
    assert client.get_run(run.info.run_id).info.status == "FAILED"
    with mlflow.start_run(run_id=run.info.run_id):
        # Beyond what one call takes: the client sends several.
        mlflow.log_params({f"param {index}": index for index in range(250)})
        mlflow.log_metrics({"loss": 1} | {f"metric {index}": index for index in range(1100)}, step=2)
    whole = client.get_run(run.info.run_id)
    assert whole.info.status == "FINISHED" and len(whole.data.params) == 250 and len(whole.data.metrics) == 1101
    assert [point.value for point in client.get_metric_history(run.info.run_id, "loss")] == [2, 1]


@flow
def odd_names_and_values() -> None:
    import pandas as pd

    client = MlflowClient()
    experiment = mlflow.set_experiment("flows odd 日本 'q' \"d\"").experiment_id
    run_id = client.create_run(experiment, run_name="two\nlines", tags={"long": "ü" * 9000}).info.run_id
    odd = [-0.0, 5e-324, 1e308, float("inf"), float("-inf"), float("nan")]
    for step, value in enumerate(odd):
        client.log_metric(run_id, "größe/日本", value, step=step - 3)
    assert [repr(point.value) for point in client.get_metric_history(run_id, "größe/日本")] == [repr(value) for value in odd]
    client.log_param(run_id, "größe", "ü" * 6000)
    client.log_param(run_id, "größe", "ü" * 6000)
    run = client.get_run(run_id)
    assert run.info.run_name == "two lines" and run.data.params["größe"] == "ü" * 3000, run
    assert [found.info.run_id for found in client.search_runs([experiment], "params.`größe` LIKE '%ü' and metrics.`größe/日本` != 0")] == [run_id]
    # As a Mac writes "é", and what an URL would take for something else.
    for name in ("e\u0301.txt", "100%.txt", "a+b&c.txt", "日本 😀.txt"):
        client.log_text(run_id, name, f"odd/{name}")
        with tempfile.TemporaryDirectory() as folder:
            assert Path(client.download_artifacts(run_id, f"odd/{name}", folder)).read_text() == name
    client.log_image(run_id, np.zeros((4, 4, 3), dtype=np.uint8), key="dogs", step=3)
    assert len(client.list_artifacts(run_id, "images")) == 2
    wide = mlflow.data.from_pandas(pd.DataFrame(np.zeros((1, 3000)), columns=[f"feature {index}" for index in range(3000)]))
    client.log_inputs(run_id, [DatasetInput(wide._to_mlflow_entity())])
    assert len(json.loads(client.get_run(run_id).inputs.dataset_inputs[0].dataset.schema)["mlflow_colspec"]) == 3000


@flow
def system_metrics() -> None:
    mlflow.set_experiment("flows system metrics")
    with mlflow.start_run(log_system_metrics=True) as run:
        name = "system/cpu_utilization_percentage"
        until(lambda: MlflowClient().get_metric_history(run.info.run_id, name), "two samples", at_least=2)
    logged = mlflow.get_run(run.info.run_id).data.metrics
    assert {name, "system/system_memory_usage_megabytes", "system/network_receive_megabytes"} <= set(logged), logged
