"""The examples run as they are: every kind of parallelism on two or four ranks, and a program without PyTorch."""

import json
import shutil
from pathlib import Path

import pytest

from trainyard.mesh import Axes, MeshError, declared_axes, fitted
from trainyard.records import Metrics, read_records

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
# Each script, its ranks, and the mesh that its job declares.
PARALLEL = {
    "ddp": (2, None),
    "mixed_precision": (2, None),
    "accumulation": (2, None),
    "fsdp": (2, {"data": 2}),
    "tensor_parallel": (4, {"data": 2, "tensor": 2}),
    "pipeline_parallel": (2, {"pipeline": 2}),
}


def values(one, rank: int, key: str) -> list[float]:
    records = read_records((one.directory / f"rank-{rank}" / "records.bin").read_bytes())
    # On a slow machine the times of steps are among them.
    return [record.values[key] for record in records if isinstance(record, Metrics) and key in record.values]


def place(one, folder: str):
    shutil.copytree(EXAMPLES / folder, one.directory / "work", dirs_exist_ok=True)
    return one


@pytest.mark.parametrize("name", PARALLEL)
def test_each_kind_of_parallelism_learns(attempt, launcher, name):
    ranks, mesh = PARALLEL[name]
    env = {"TRAINYARD_SEED": "1", **({"TRAINYARD_MESH": json.dumps(mesh)} if mesh else {})}
    one = place(attempt("", ranks=ranks, env=env, argv=[f"{name}.py"], torch=True), "parallel")
    assert launcher.launch(one) == {"start": "warm"}
    one.wait_done(120)
    errors = [one.text(rank, "stderr") for rank in range(ranks)]
    assert [one.exit_of(rank)["code"] for rank in range(ranks)] == [0] * ranks, errors
    losses = values(one, ranks - 1, "loss")
    assert len(losses) == 8
    assert losses[-1] < losses[0]


def test_scikit_learn_trains_as_a_plain_program(attempt):
    one = place(attempt("", argv=["train_sklearn.py"], env={"TRAINYARD_FRAMEWORK": "process"}), "process").start()
    assert one.wait() == 0
    assert one.exit_of(0)["code"] == 0, one.text(0, "stderr")
    assert values(one, 0, "accuracy")[0] > 0.9


def test_a_mesh_is_what_the_job_declares_or_what_the_script_asks_for():
    declared = declared_axes({"TRAINYARD_MESH": '{"data": 2, "tensor": 4}'})
    assert declared == Axes(1, 2, 4)
    assert fitted(declared, 8, 1, 1) == declared
    assert fitted(None, 8, tensor=2, pipeline=2) == Axes(2, 2, 2)
    with pytest.raises(MeshError, match="pipeline 1 x data 2 x tensor 4, but there are 6 ranks"):
        fitted(declared, 6, 1, 1)
    with pytest.raises(MeshError, match="6 ranks are not a multiple"):
        fitted(None, 6, tensor=4, pipeline=1)
    with pytest.raises(MeshError, match="expected an object"):
        declared_axes({"TRAINYARD_MESH": "[2]"})
