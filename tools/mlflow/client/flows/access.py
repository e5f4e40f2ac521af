"""Who may, what is not here, and the command line."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from mlflow import MlflowClient

from flows.flow import flow, refused

TOKEN = os.environ["MLFLOW_TRACKING_TOKEN"]


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
