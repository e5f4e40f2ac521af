"""What people do with MLflow's client, done here with MLflow's own and asserted by what it answers.

usage: flows.py [FLOW...]   with MLFLOW_TRACKING_URI and MLFLOW_TRACKING_TOKEN set; prints a line per flow, exits 1 when one fails
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "2"
# Small files in parts, so that a few megabytes show it.
os.environ["MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE"] = "6000000"
os.environ["MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE"] = str(5 * 1024 * 1024)
# To find a model's requirements MLflow imports it in a process of its own, which costs more than all of this: it is given no time.
os.environ["MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT"] = "0"
os.environ["MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"] = "0.05"
warnings.filterwarnings("ignore")

import mlflow  # noqa: E402
import numpy as np  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import DatasetInput  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

FLOWS: list[Callable[[], None]] = []
TOKEN = os.environ["MLFLOW_TRACKING_TOKEN"]


def flow(body: Callable[[], None]) -> Callable[[], None]:
    """Register a flow."""
    FLOWS.append(body)
    return body


Refusal = TypeVar("Refusal", bound=Exception)


def refused(call: Callable[[], object], kind: type[Refusal] = MlflowException) -> Refusal:
    """Expect the call to be refused, and give the refusal."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError("was not refused")


def until(found: Callable[[], list], what: str, at_least: int) -> None:
    """Wait until so many are found."""
    deadline = time.monotonic() + 60
    while len(found()) < at_least:
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(0.05)


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
def large_files_in_parts() -> None:
    client = MlflowClient()
    run_id = client.create_run(mlflow.set_experiment("flows files").experiment_id).info.run_id
    content = np.random.default_rng(7).bytes(12 * 1024 * 1024 + 5)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.bin"
        path.write_bytes(content)
        client.log_artifact(run_id, str(path), "deep/er")
        assert [(found.path, found.file_size) for found in client.list_artifacts(run_id, "deep/er")] == [("deep/er/large.bin", len(content))]
        back = client.download_artifacts(run_id, "deep/er/large.bin", folder)
        assert Path(back).read_bytes() == content
    artifact_uri = client.get_run(run_id).info.artifact_uri
    mlflow.store.artifact.artifact_repository_registry.get_artifact_repository(artifact_uri).delete_artifacts("deep")
    assert client.list_artifacts(run_id) == []


@flow
def parts_given_up() -> None:
    client = MlflowClient()
    run = client.create_run(mlflow.set_experiment("flows files").experiment_id)
    repository = mlflow.store.artifact.artifact_repository_registry.get_artifact_repository(run.info.artifact_uri)
    size = 5 * 1024 * 1024
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "given up.bin"
        path.write_bytes(bytes(size + 1))
        begun = repository.create_multipart_upload(str(path), 2, "deep")
        part = repository._upload_part(begun.credentials[0], str(path), size, 0)
        repository.abort_multipart_upload(str(path), begun.upload_id, "deep")
        for call in (
            lambda: repository._upload_part(begun.credentials[1], str(path), 1, size),
            lambda: repository.complete_multipart_upload(str(path), begun.upload_id, [part], "deep"),
        ):
            assert f"There is no upload '{begun.upload_id}'" in str(refused(call, Exception))
    assert client.list_artifacts(run.info.run_id) == []


@flow
def scikit_learn_autolog_and_evaluate() -> None:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    experiment = mlflow.set_experiment("flows sklearn")
    features, labels = load_iris(return_X_y=True, as_frame=True)
    # Of two classes MLflow draws fewer curves.
    features, labels = features[labels < 2], labels[labels < 2]
    mlflow.autolog(silent=True)
    with mlflow.start_run() as run:
        model = LogisticRegression(max_iter=200).fit(features, labels)
    mlflow.autolog(disable=True, silent=True)
    logged = mlflow.get_run(run.info.run_id)
    assert logged.data.params["max_iter"] == "200"
    assert logged.data.metrics["training_accuracy_score"] > 0.9
    assert [given.dataset.name for given in logged.inputs.dataset_inputs] == ["dataset"]
    [autologged] = logged.outputs.model_outputs
    assert (mlflow.sklearn.load_model(f"models:/{autologged.model_id}").predict(features) == model.predict(features)).all()
    assert "training_confusion_matrix.png" in [found.path for found in MlflowClient().list_artifacts(run.info.run_id)]

    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(model, name="iris", registered_model_name="flows iris", pip_requirements=["scikit-learn"], serialization_format="pickle")
        data = features.assign(label=labels)
        result = mlflow.models.evaluate(info.model_uri, data, targets="label", model_type="classifier", evaluator_config={"log_explainer": False})
    assert result.metrics["accuracy_score"] > 0.9
    evaluated = mlflow.get_run(run.info.run_id)
    assert evaluated.data.metrics["accuracy_score"] == result.metrics["accuracy_score"]
    assert [given.model_id for given in evaluated.inputs.model_inputs] == [info.model_id]
    assert "confusion_matrix.png" in [found.path for found in MlflowClient().list_artifacts(run.info.run_id)]
    found = mlflow.search_logged_models([experiment.experiment_id], "metrics.accuracy_score > 0.9", output_format="list")
    assert [model.model_id for model in found] == [info.model_id]
    loaded = mlflow.pyfunc.load_model("models:/flows iris/1")
    assert (loaded.predict(features) == model.predict(features)).all()


@flow
def pytorch_models() -> None:
    import mlflow.pytorch
    import torch

    mlflow.set_experiment("flows torch")
    network = torch.nn.Linear(4, 3)
    with mlflow.start_run():
        info = mlflow.pytorch.log_model(network, name="net", registered_model_name="flows net", pip_requirements=["torch"], serialization_format="pickle")
    example = torch.ones(1, 4)
    for uri in (info.model_uri, "models:/flows net/1"):
        assert torch.equal(mlflow.pytorch.load_model(uri)(example), network(example))


@flow
def pytorch_autolog() -> None:
    import pytorch_lightning
    import torch

    class Net(pytorch_lightning.LightningModule):
        """Learns nothing, in three epochs of two steps."""

        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            return self.layer(batch)

        def training_step(self, batch: list[torch.Tensor], _index: int) -> torch.Tensor:
            loss = (self(batch[0]) ** 2).mean()
            self.log("train_loss", loss, on_epoch=True, on_step=False)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.0625)

    mlflow.set_experiment("flows lightning")
    network = Net()
    batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(4, 4)), batch_size=2)
    mlflow.autolog(silent=True)
    with tempfile.TemporaryDirectory() as folder:
        trainer = pytorch_lightning.Trainer(
            max_epochs=3, accelerator="cpu", default_root_dir=folder, logger=False, enable_progress_bar=False, enable_model_summary=False
        )
        trainer.fit(network, batches)
    mlflow.autolog(disable=True, silent=True)
    run = mlflow.last_active_run()
    assert run.info.status == "FINISHED"
    assert {name: run.data.params[name] for name in ("epochs", "optimizer_name", "lr")} == {"epochs": "3", "optimizer_name": "SGD", "lr": "0.0625"}
    history = MlflowClient().get_metric_history(run.info.run_id, "train_loss")
    assert [point.step for point in history] == [0, 1, 2] and history[2].value < history[0].value, history
    assert "model_summary.txt" in [found.path for found in MlflowClient().list_artifacts(run.info.run_id)]
    [made] = run.outputs.model_outputs
    model = mlflow.get_logged_model(made.model_id)
    assert str(model.status) == "READY" and {metric.key for metric in model.metrics} == {"train_loss"}, model
    assert torch.equal(mlflow.pytorch.load_model(model.model_uri)(torch.ones(1, 4)), network(torch.ones(1, 4)))


@flow
def system_metrics() -> None:
    mlflow.set_experiment("flows system metrics")
    with mlflow.start_run(log_system_metrics=True) as run:
        name = "system/cpu_utilization_percentage"
        until(lambda: MlflowClient().get_metric_history(run.info.run_id, name), "two samples", at_least=2)
    logged = mlflow.get_run(run.info.run_id).data.metrics
    assert {name, "system/system_memory_usage_megabytes", "system/network_receive_megabytes"} <= set(logged), logged


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
def reserved_aliases_and_stages() -> None:
    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    client.log_text(run_id, "weights", "model/weights.txt")
    client.create_registered_model("flows stages")
    client.create_model_version("flows stages", f"runs:/{run_id}/model", run_id)
    client.set_registered_model_alias("flows stages", "mine", "1")
    assert client.get_model_version_by_alias("flows stages", "mine").version == "1"
    for call in (
        lambda: client.set_registered_model_alias("flows stages", "canary", "1"),
        lambda: client.transition_model_version_stage("flows stages", "1", "Staging"),
    ):
        error = refused(call)
        assert error.error_code == "PERMISSION_DENIED" and "GATE_MISSING" in error.message, error
    error = refused(lambda: client.set_registered_model_alias("flows stages", "champion", "1"))
    assert error.error_code == "PERMISSION_DENIED", error
    assert client.get_model_version("flows stages", "1").current_stage == "None"


@flow
def who_is_asking() -> None:
    def experiments_as(**credentials: str) -> object:
        for name in ("TOKEN", "USERNAME", "PASSWORD"):
            os.environ.pop(f"MLFLOW_TRACKING_{name}", None)
        os.environ.update({f"MLFLOW_TRACKING_{name}": value for name, value in credentials.items()})
        try:
            return MlflowClient().search_experiments()
        finally:
            for name in credentials:
                os.environ.pop(f"MLFLOW_TRACKING_{name}")
            os.environ["MLFLOW_TRACKING_TOKEN"] = TOKEN

    assert experiments_as(USERNAME="anybody", PASSWORD=TOKEN)
    for credentials in ({}, {"TOKEN": "ty_wrong"}, {"USERNAME": "ada", "PASSWORD": "wrong"}):
        error = refused(lambda credentials=credentials: experiments_as(**credentials))
        assert "export MLFLOW_TRACKING_URI=http://" in error.message and "MLFLOW_TRACKING_TOKEN" in error.message, error


@flow
def what_is_not_here_says_so() -> None:
    client = MlflowClient()
    for call in (
        lambda: client.search_traces(locations=["0"]),
        lambda: client.register_prompt("greeting", "Hello {{name}}"),
        lambda: client.create_webhook("hook", "https://example.com", []),
    ):
        assert "not supported by this server" in refused(call).message


@flow
def the_command_line() -> None:
    from click.testing import CliRunner
    from mlflow.cli import cli

    def command(*arguments: str) -> str:
        # In this process: to start Python and import MLflow takes seconds, and shows nothing more.
        ended = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
        return ended.output

    client = MlflowClient()
    experiment = client.create_experiment("flows command line")
    run_id = client.create_run(experiment, run_name="by hand").info.run_id
    client.log_text(run_id, "hello", "notes.txt")
    assert "by hand" in command("runs", "list", "--experiment-id", experiment)
    assert "notes.txt" in command("artifacts", "list", "--run-id", run_id)
    assert run_id in command("runs", "describe", "--run-id", run_id)
    assert "flows command line" in command("experiments", "search")
    assert run_id in command("experiments", "csv", "--experiment-id", experiment)
    with tempfile.TemporaryDirectory() as folder:
        command("artifacts", "download", "--run-id", run_id, "--dst-path", folder)
        assert (Path(folder) / "notes.txt").read_text() == "hello"
        command("artifacts", "log-artifact", "--run-id", run_id, "--local-file", str(Path(folder) / "notes.txt"), "--artifact-path", "again")
    assert [found.path for found in client.list_artifacts(run_id)] == ["again", "notes.txt"]
    command("runs", "delete", "--run-id", run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    command("runs", "restore", "--run-id", run_id)
    command("experiments", "rename", "--experiment-id", experiment, "--new-name", "flows renamed")
    command("experiments", "delete", "--experiment-id", experiment)
    assert client.get_experiment_by_name("flows renamed").lifecycle_stage == "deleted"


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
