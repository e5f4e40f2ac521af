"""Large files, in parts."""

from __future__ import annotations

import tempfile
from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient

from flows.flow import flow, refused


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
