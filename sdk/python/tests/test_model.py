"""Checkpoints, models and evaluation with PyTorch in this process."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from torch import nn

from trainyard.checkpoint import CheckpointError
from trainyard.dataset import Dataset
from trainyard.environment import Environment
from trainyard.evaluate import evaluate
from trainyard.manifest import find_split
from trainyard.model import ModelError, load_module
from trainyard.records import read_records
from trainyard.run import Run
from trainyard.scores import class_scores, confusion_matrix, summary


def make_run(folder: Path, **env: str) -> Run:
    return Run(Environment.read({"TRAINYARD_RANK_DIR": str(folder / "rank-0"), "TRAINYARD_ATTEMPT_DIR": str(folder), **env}))


def entries(folder: Path) -> list[dict]:
    found = read_records((folder / "rank-0" / "records.bin").read_bytes())
    return [record.value for record in found if hasattr(record, "value")]


def test_a_checkpoint_holds_the_state_of_its_step_although_training_goes_on(tmp_path):
    net = nn.Linear(2, 2)
    run = make_run(tmp_path)
    before = net.weight.detach().clone()
    run.checkpoint(1, model=net)
    with torch.no_grad():
        net.weight.fill_(9.0)
    run.finish()
    other = nn.Linear(2, 2)
    resumed = make_run(tmp_path / "next", TRAINYARD_RESUME_DIR=str(tmp_path / "ckpt" / "1"))
    assert resumed.resume(model=other) == 1
    assert torch.equal(other.weight, before)


def test_a_checkpoint_that_is_not_whole_is_refused_and_changes_nothing(tmp_path):
    net = nn.Linear(2, 2)
    run = make_run(tmp_path)
    run.checkpoint(1, model=net)
    run.finish()
    file = tmp_path / "ckpt" / "1" / "rank-0" / "model.pt"
    file.write_bytes(file.read_bytes()[:-1])
    other = nn.Linear(2, 2)
    before = other.weight.detach().clone()
    resumed = make_run(tmp_path / "next", TRAINYARD_RESUME_DIR=str(tmp_path / "ckpt" / "1"))
    with pytest.raises(CheckpointError, match=r"model\.pt has \d+ bytes; expected"):
        resumed.resume(model=other)
    assert torch.equal(other.weight, before)


def test_another_number_of_ranks_resumes_what_is_the_same_on_all(tmp_path):
    run = make_run(tmp_path)
    run.checkpoint(1, state={"a": 1})
    run.finish()
    resumed = make_run(tmp_path / "next", WORLD_SIZE="2", TRAINYARD_RESUME_DIR=str(tmp_path / "ckpt" / "1"))
    state = {}
    assert resumed.resume(state=state) == 1
    assert state == {"a": 1}


def test_state_that_cannot_be_saved_is_named(tmp_path):
    with pytest.raises(TypeError, match=r"state\['model'\] is a Linear"):
        make_run(tmp_path).checkpoint(1, state={"model": nn.Linear(1, 1)})


def test_a_failed_write_is_told_at_the_next_occasion(tmp_path):
    run = make_run(tmp_path)
    (tmp_path / "ckpt" / "1").mkdir(parents=True)
    (tmp_path / "ckpt" / "1" / "rank-0.tmp").write_text("in the way")
    run.checkpoint(1, state={"a": 1})
    with pytest.raises(CheckpointError, match="the last checkpoint could not be written"):
        run.finish()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nn.Module]:
    folder = tmp_path_factory.mktemp("saved")
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))
    make_run(folder).model(net, torch.zeros(1, 4), metrics={"accuracy": 0.5}, features=["f*"])
    return folder, net.eval()


def test_a_module_is_saved_with_a_free_batch_dimension_and_its_signature(saved):
    folder, net = saved
    (record,) = entries(folder)
    assert record == {
        "kind": "model",
        "name": "model",
        "dir": "model",
        "framework": "torch",
        "signature": {
            "inputs": [{"name": "input", "dtype": "float32", "shape": [-1, 4]}],
            "outputs": [{"name": "output", "dtype": "float32", "shape": [-1, 3]}],
        },
        "metrics": {"accuracy": 0.5},
    }
    module, _ = load_module(str(folder / "model"))
    for rows in (1, 7):
        batch = torch.randn(rows, 4)
        assert torch.allclose(module(batch), net(batch), atol=1e-6)


def test_the_same_weights_give_the_same_bytes(saved, tmp_path):
    folder, net = saved
    make_run(tmp_path).model(net, torch.ones(3, 4), features=["f*"])
    assert (tmp_path / "model" / "model.json").read_bytes() == (folder / "model" / "model.json").read_bytes()
    assert _contents(tmp_path / "model" / "model.pt2").keys() == _contents(folder / "model" / "model.pt2").keys()


def _contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if "sample_inputs" not in name}


def test_a_model_that_asks_for_unpickling_is_refused(saved, tmp_path):
    folder, _ = saved
    (tmp_path / "model.json").write_bytes((folder / "model" / "model.json").read_bytes())
    with zipfile.ZipFile(tmp_path / "model.pt2", "w") as archive:
        for name, data in _contents(folder / "model" / "model.pt2").items():
            archive.writestr(name, data.replace(b'"use_pickle": false', b'"use_pickle": true'))
    with pytest.raises(ModelError, match="may run code"):
        load_module(str(tmp_path))


def test_an_evaluation_is_the_same_each_time_but_for_latency(saved, tmp_path):
    folder, net = saved
    generator = np.random.default_rng(5)
    columns = {f"f{index}": generator.normal(size=60).astype(np.float32) for index in range(4)}
    pixels = torch.from_numpy(np.stack(list(columns.values()), axis=1))
    labels = net(pixels).argmax(dim=1).numpy()
    labels[:6] = (labels[:6] + 1) % 3
    path = str(tmp_path / "test.parquet")
    pyarrow.parquet.write_table(pyarrow.table({"id": np.arange(60), **columns, "label": labels}), path)
    manifest = tmp_path / "dataset.json"
    manifest.write_text(json.dumps({"splits": {"test": {"rows": 60, "shards": [{"path": path}]}}}))
    module, description = load_module(str(folder / "model"))

    def report() -> dict:
        data = Dataset(find_split(str(manifest), "test"), 0, 1, 0)
        return evaluate(module, data, data.match(*description["features"]), target="label", batch_size=16, latency_samples=30)

    first, second = report(), report()
    latencies = [first["metrics"].pop(f"latency_p{rank}_ms") for rank in (50, 95, 99)]
    assert 0 < latencies[0] <= latencies[1] <= latencies[2]
    for rank in (50, 95, 99):
        del second["metrics"][f"latency_p{rank}_ms"]
    assert first == second
    assert (first["rows"], first["labels"], first["metrics"]["accuracy"]) == (60, [0, 1, 2], 0.9)
    assert sum(map(sum, first["confusion"])) == 60


def test_scores_follow_from_the_confusion_matrix_and_zero_denominators_give_zero():
    actual, predicted = np.array([0, 0, 0, 1, 1, 3]), np.array([0, 0, 1, 1, 0, 0])
    confusion = confusion_matrix(actual, predicted, 4)
    assert confusion.tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    scores = class_scores(confusion)
    assert scores[0] == {"label": 0, "precision": 0.5, "recall": 2 / 3, "f1": pytest.approx(4 / 7), "support": 3}
    assert scores[2] == {"label": 2, "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert summary(confusion, scores)["accuracy"] == 0.5
    assert summary(confusion, scores)["recall"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
