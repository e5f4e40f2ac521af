"""Makes what the import is tested against, with MLflow itself: ``mlruns.tgz`` (a file store) and ``mlflow.db.gz`` (SQLite).

    .cache/mlflow/bin/python cli/mlflow-import/testing/make_mlflow.py cli/mlflow-import/testing

Both hold the same runs; ``truth.json`` says what they are, as MLflow's own client reads them back.
"""

import gzip
import json
import logging
import math
import os
import sqlite3
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput, LoggedModelOutput, Metric, Param, RunTag, ViewType

logging.disable(logging.WARNING)
T0 = 1_760_000_000_000


def fill(uri: str, artifacts: Path) -> tuple[dict, dict]:
    """Log everything that an import has to bring over, and return what the client then reads."""
    client = MlflowClient(uri, registry_uri=uri)
    vision = client.create_experiment(
        "vision & words",
        artifact_location=f"{artifacts.as_uri()}/vision",
        tags={"team": "a b", "mlflow.note.content": "What *we* see"},
    )
    gone = client.create_experiment("gone", artifact_location=f"{artifacts.as_uri()}/gone")
    long = client.create_run(
        vision, start_time=T0, run_name="long", tags={"mlflow.user": "ann", "mlflow.note.content": "A note"}
    )
    steps = [Metric("loss", 1 / (step + 1), T0 + step * 10, step) for step in range(1100)]
    for at in range(0, len(steps), 1000):
        client.log_batch(long.info.run_id, metrics=steps[at : at + 1000])
    odd = [math.nan, math.inf, -math.inf, -0.0, 1e-300, 0.1 + 0.2]
    client.log_batch(
        long.info.run_id,
        metrics=[Metric("odd/ünï x", value, T0 + index, index - 3) for index, value in enumerate(odd)],
        params=[Param("lr", "0.1"), Param("text/long", "x" * 6000), Param("empty", "")],
        tags=[RunTag("why", "tab\tnewline\nend"), RunTag("big", "y" * 8000)],
    )
    for value in (3.0, 2.0, 1.0):
        client.log_metric(long.info.run_id, "same step", value, timestamp=T0 + 5, step=7)
    dataset = Dataset("train", "0123abcd", "local", '{"uri": "/d.csv"}', '{"mlflow_colspec": []}', '{"rows": 3}')
    client.log_inputs(long.info.run_id, datasets=[DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
    folder = Path(tempfile.mkdtemp())
    (folder / "plots").mkdir()
    (folder / "plots" / "ü.txt").write_text("a plot")
    (folder / "empty.bin").write_bytes(b"")
    (folder / "zeros.bin").write_bytes(bytes(5000))
    client.log_artifacts(long.info.run_id, str(folder))
    client.set_terminated(long.info.run_id, "FINISHED", end_time=T0 + 20_000)
    child = client.create_run(vision, start_time=T0 + 1, run_name="child", tags={"mlflow.parentRunId": long.info.run_id})
    client.log_metric(child.info.run_id, "loss", 5.0, timestamp=T0 + 2, step=0)
    client.set_terminated(child.info.run_id, "FAILED", end_time=T0 + 3)
    dead = client.create_run(vision, start_time=T0 + 4, run_name="dead")
    client.set_terminated(dead.info.run_id, "KILLED", end_time=T0 + 5)
    client.create_run(vision, start_time=T0 + 6, run_name="still running")
    deleted = client.create_run(vision, start_time=T0 + 7, run_name="deleted")
    client.delete_run(deleted.info.run_id)
    client.create_run(gone, start_time=T0 + 8, run_name="in a deleted experiment")
    client.delete_experiment(gone)
    client.create_registered_model("digits model", tags={"task": "digits"}, description="Reads digits")
    first = client.create_model_version(
        "digits model",
        f"{long.info.artifact_uri}/plots",
        long.info.run_id,
        tags={"k": "v"},
        description="first",
        await_creation_for=0,
    )
    client.create_model_version("digits model", f"{long.info.artifact_uri}/plots", long.info.run_id, await_creation_for=0)
    client.set_registered_model_alias("digits model", "best", first.version)
    log_models(client, vision, long.info.run_id, child.info.run_id)
    return read(client, [vision])


def log_models(client: MlflowClient, experiment: str, made: str, given: str) -> None:
    """Log models: one that is registered and one that is in no registry, a deleted one, and a prompt, which is none."""
    ready = client.create_logged_model(
        experiment, name="net", source_run_id=made, tags={"a b": "ü"}, params={"depth": "3", "long": "x" * 5000}, model_type="classifier"
    )
    folder = Path(tempfile.mkdtemp())
    (folder / "data").mkdir()
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "data" / "weights ü.bin").write_bytes(bytes(range(256)) * 8)
    client.log_model_artifacts(ready.model_id, str(folder))
    for step, value in enumerate((0.5, 0.25, 0.1 + 0.2)):
        client.log_metric(made, "acc", value, timestamp=T0 + step, step=step, model_id=ready.model_id)
    client.log_metric(made, "f1", 0.75, timestamp=T0, step=0, model_id=ready.model_id, dataset_name="iris", dataset_digest="d1")
    client.finalize_logged_model(ready.model_id, "READY")
    pending = client.create_logged_model(experiment, name="begun")
    client.log_outputs(made, [LoggedModelOutput(ready.model_id, 7)])
    client.log_inputs(given, models=[LoggedModelInput(ready.model_id), LoggedModelInput(pending.model_id)])
    dead = client.create_logged_model(experiment, name="deleted")
    client.delete_logged_model(dead.model_id)
    client.create_registered_model("net model")
    client.create_model_version("net model", ready.artifact_location, made, await_creation_for=0)
    client.register_prompt("greeting", "Hello {{name}}")


def read(client: MlflowClient, experiments: list) -> tuple[dict, dict]:
    runs = {}
    for run in client.search_runs(experiments, run_view_type=ViewType.ACTIVE_ONLY):
        run_id = run.info.run_id
        whole = client.get_run(run_id)  # a search leaves out the models that a run was given
        runs[run.info.run_name] = {
            "id": run_id,
            "status": run.info.status,
            "startTime": run.info.start_time,
            "endTime": run.info.end_time,
            "params": run.data.params,
            "tags": run.data.tags,
            "metrics": {
                key: sorted([one.timestamp, one.step, repr(one.value)] for one in client.get_metric_history(run_id, key))
                for key in run.data.metrics
            },
            "artifacts": artifacts(lambda path, run_id=run_id: client.list_artifacts(run_id, path)),
            "given": sorted(one.model_id for one in whole.inputs.model_inputs),
            "made": sorted([one.model_id, one.step] for one in whole.outputs.model_outputs),
        }
    models = {}
    for model in client.search_logged_models(experiments):
        models[model.name] = {
            "id": model.model_id,
            "status": str(model.status),
            "modelType": model.model_type or "",
            "sourceRunId": model.source_run_id or "",
            "params": model.params,
            "tags": model.tags,
            "artifacts": artifacts(lambda path, model_id=model.model_id: client.list_logged_model_artifacts(model_id, path)),
        }
    return runs, models


def artifacts(listed: Callable[[str | None], list], path: str | None = None) -> dict:
    found = {}
    for one in listed(path):
        found.update(artifacts(listed, one.path) if one.is_dir else {one.path: one.file_size})
    return found


def main(target: Path) -> None:
    truth = {"mlflow": mlflow.__version__, "models": {}}
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        os.chdir(root)  # the default experiment's place is below the working directory
        truth["files"], truth["models"]["files"] = fill((root / "mlruns").as_uri(), root / "mlruns-artifacts")
        # The artifacts' places are absolute: the test puts its own folder in, where this marker stands.
        for file in (root / "mlruns").rglob("meta.yaml"):
            file.write_text(file.read_text().replace(place, "/@HERE@"))
        with tarfile.open(target / "mlruns.tgz", "w:gz") as archive:
            for name in ("mlruns", "mlruns-artifacts"):
                archive.add(root / name, name)
        database = root / "mlflow.db"
        truth["database"], truth["models"]["database"] = fill(f"sqlite:///{database}", root / "artifacts")
        with sqlite3.connect(database) as connection:
            for table, column in (
                ("experiments", "artifact_location"),
                ("runs", "artifact_uri"),
                ("model_versions", "source"),
                ("model_versions", "storage_location"),
                ("logged_models", "artifact_location"),
            ):
                connection.execute(f"UPDATE {table} SET {column} = replace({column}, ?, '/@HERE@')", (place,))
            connection.commit()
            connection.execute("VACUUM")
        (target / "mlflow.db.gz").write_bytes(gzip.compress(database.read_bytes(), mtime=0))
        with tarfile.open(target / "artifacts.tgz", "w:gz") as archive:
            archive.add(root / "artifacts", "artifacts")
    (target / "truth.json").write_text(json.dumps(truth, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
