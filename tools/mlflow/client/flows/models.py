"""Models: logged by hand and by themselves, registered, evaluated."""

from __future__ import annotations

import tempfile

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric

from flows.flow import flow, refused


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
def many_points_of_a_model() -> None:
    client = MlflowClient()
    experiment = mlflow.set_experiment("flows points")
    run_id = client.create_run(experiment.experiment_id).info.run_id
    model_id = client.create_logged_model(experiment.experiment_id, name="measured", source_run_id=run_id).model_id
    for begin in range(0, 9_000, 1_000):
        points = [Metric("loss", 1 / (step + 1), step, step, model_id=model_id, run_id=run_id) for step in range(begin, begin + 1_000)]
        client.log_batch(run_id, metrics=points)
    expected = [(step, 1 / (step + 1)) for step in range(9_000)]
    [found] = client.search_logged_models([experiment.experiment_id], f"metrics.loss = {1 / 4_321}")
    for model in (client.get_logged_model(model_id), found):
        assert [(metric.step, metric.value) for metric in model.metrics] == expected, len(model.metrics)


@flow
def tensorboard_autolog() -> None:
    import mlflow.pytorch
    from torch.utils.tensorboard import SummaryWriter

    mlflow.set_experiment("flows tensorboard")
    mlflow.pytorch.autolog(log_models=False, log_every_n_step=2, silent=True)
    with mlflow.start_run() as run, tempfile.TemporaryDirectory() as folder:
        writer = SummaryWriter(folder)
        for step in range(6):
            writer.add_scalar("loss/train", 0.5**step, step)
        # What it writes after the scalars has them sent.
        writer.add_hparams({"lr": 0.0625}, {"final": 2.0})
        writer.close()
    mlflow.pytorch.autolog(disable=True, silent=True)
    logged = mlflow.get_run(run.info.run_id).data
    assert logged.params == {"lr": "0.0625"} and logged.metrics["final"] == 2.0, logged
    history = MlflowClient().get_metric_history(run.info.run_id, "loss/train")
    assert [(point.step, point.value) for point in history] == [(0, 1.0), (2, 0.25), (4, 0.0625)], history


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
