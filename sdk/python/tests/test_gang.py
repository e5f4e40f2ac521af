"""Two real DDP ranks through shim and wrapper: they meet, one is killed, and the resumed run ends with the same bits."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from conftest import wait_for

from trainyard.records import Entry, Metrics, read_records

# Everything that can go wrong in a resume is in it: dropout, BatchNorm's buffers, momentum, a scheduler, random numbers of
# Python and NumPy in the loss, shuffled batches that end unevenly, and a state of the script's own.
SCRIPT = """
import hashlib, os, random, time
import numpy as np, torch, torch.distributed as dist
from torch import nn
import trainyard

run = trainyard.init()
dist.init_process_group("gloo")
net = nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))
model = nn.parallel.DistributedDataParallel(net)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 7)
state = {"sum": np.zeros(2)}
step = run.resume(model=model, optimizer=optimizer, scheduler=scheduler, state=state)
print("from", step, flush=True)
data = run.dataset("train")
for epoch in range(5):
    for batch in data.batches(8, epoch=epoch):
        x = torch.from_numpy(np.stack([batch["id"], batch["x"], batch["y"]], axis=1).astype(np.float32)) / 100
        x = x + random.random() * 0.1 + float(np.random.rand()) * 0.1
        loss = nn.functional.cross_entropy(model(x), torch.from_numpy(batch["id"] % 2))
        optimizer.zero_grad(); loss.backward(); optimizer.step(); scheduler.step()
        state["sum"][0] += loss.item()
        step += 1
        run.log({"loss": loss, "rank": run.rank}, step=step)
        if run.should_checkpoint(step):
            run.checkpoint(step, model=model, optimizer=optimizer, scheduler=scheduler, state=state)
        time.sleep(float(os.environ.get("STEP_DELAY", "0")))
        while run.rank == 1 and step == int(os.environ.get("HOLD_AT", "-1")):
            time.sleep(0.1)
digest = hashlib.sha256()
for tensor in [*net.state_dict().values(), torch.get_rng_state(), torch.from_numpy(state["sum"])]:
    digest.update(tensor.numpy().tobytes())
print("digest", digest.hexdigest(), step)
dist.destroy_process_group()
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    import numpy as np
    import pyarrow
    import pyarrow.parquet

    ids = np.arange(151)
    path = str(tmp_path / "train.parquet")
    pyarrow.parquet.write_table(pyarrow.table({"id": ids, "x": np.sin(ids), "y": np.cos(ids * 0.3)}), path)
    split = {"rows": 151, "shards": [{"path": path, "rows": 151, "digest": ""}]}
    manifest = tmp_path / "dataset.json"
    manifest.write_text(json.dumps({"name": "d", "version": "1.0.0", "splits": {"train": split}}))
    return {"TRAINYARD_DATASET_MANIFEST": str(manifest), "TRAINYARD_SEED": "11", "TRAINYARD_CHECKPOINT_EVERY_STEPS": "13"}


def records(one, rank: int) -> list[Metrics | Entry]:
    file = one.directory / f"rank-{rank}" / "records.bin"
    return list(read_records(file.read_bytes())) if file.exists() else []


def points(one, rank: int) -> list[Metrics]:
    """What the script logged; the SDK records more by the clock."""
    return [record for record in records(one, rank) if isinstance(record, Metrics) and "loss" in record.values]


def checkpoints(one, rank: int) -> list[dict]:
    found = [record.value for record in records(one, rank) if isinstance(record, Entry)]
    # What the survivors save when rank 1 dies is another test's concern.
    return [value for value in found if value["kind"] == "checkpoint" and "justInTime" not in value]


def test_a_killed_rank_costs_nothing_the_resumed_run_ends_bit_identical(attempt, launcher, environment):
    unbroken = attempt(SCRIPT, ranks=2, env=environment, torch=True)
    broken = attempt(SCRIPT, ranks=2, env={**environment, "STEP_DELAY": "0.05", "HOLD_AT": "32"}, torch=True)
    for one in (unbroken, broken):
        assert launcher.launch(one)["start"] == "warm"

    # Kill rank 1 in mid-epoch, at most some steps after the second checkpoint (steps 13 and 26; an epoch is 10 steps).
    wait_for("second checkpoint", lambda: all(len(checkpoints(broken, rank)) >= 2 for rank in (0, 1)))
    os.kill(broken.started(1)["pid"], signal.SIGKILL)
    broken.wait_done()
    assert broken.exit_of(1)["signal"] == 9
    assert broken.exit_of(1)["order"] == 1
    assert broken.exit_of(0)["code"] != 0
    timed = [one.values for one in records(broken, 1) if isinstance(one, Metrics) and "trainyard/step/seconds" in one.values]
    parts = ("data", "compute", "communication", "checkpoint")
    for told in timed:
        assert sum(told[f"trainyard/step/{part}_seconds"] for part in parts) == pytest.approx(told["trainyard/step/seconds"])
    assert any(told["trainyard/step/communication_seconds"] > 0 for told in timed), "DDP says what its exchange takes"

    step = checkpoints(broken, 0)[-1]["step"]
    step = step if any(part["step"] == step for part in checkpoints(broken, 1)) else step - 13
    resume = broken.directory.parent / "resume"
    for rank in (0, 1):
        # Survivors may save at the same step again.
        part = [part for part in checkpoints(broken, rank) if part["step"] == step][-1]
        assert part["worldSize"] == 2
        place = broken.directory / part["dir"]
        assert {file["path"]: file["sizeBytes"] for file in part["files"]} == {
            name: (place / name).stat().st_size for name in os.listdir(place)
        }
        shutil.copytree(place, resume / f"rank-{rank}")
        # The records before the offset are exactly those of the steps that the checkpoint holds.
        before = [
            record.step
            for record in records(broken, rank)
            if isinstance(record, Metrics) and "loss" in record.values and record.offset < part["offset"]
        ]
        assert before == list(range(1, step + 1))

    resumed = attempt(SCRIPT, ranks=2, env={**environment, "TRAINYARD_RESUME_DIR": str(resume)}, torch=True)
    launcher.launch(resumed)
    resumed.wait_done()
    unbroken.wait_done()
    for rank in (0, 1):
        assert (unbroken.exit_of(rank)["code"], resumed.exit_of(rank)["code"]) == (0, 0), resumed.text(rank, "stderr")
        assert f"from {step}\n" in resumed.text(rank)
        digest = unbroken.text(rank).split("digest ")[1]
        assert digest.split()[1] == "50"
        assert resumed.text(rank).split("digest ")[1] == digest
    losses = [
        {
            record.step: record.values["loss"]
            for record in records(one, 0)
            if isinstance(record, Metrics) and "loss" in record.values
        }
        for one in (unbroken, resumed)
    ]
    assert list(losses[1]) == list(range(step + 1, 51))
    assert losses[1].items() <= losses[0].items()


def test_rank_0_may_leave_first_and_the_store_stays_for_the_others(attempt, launcher):
    script = (
        "import os, time, torch.distributed as dist\ndist.init_process_group('gloo')\nrank = dist.get_rank()\n"
        "store = dist.distributed_c10d._get_default_store()\n"
        "if rank == 0: store.set('word', 'hello')\n"
        "else:\n    time.sleep(1)\n    print(store.get('word').decode())\n"
    )
    one = attempt(script, ranks=2, torch=True)
    launcher.launch(one)
    one.wait_done()
    assert [one.exit_of(rank)["code"] for rank in (0, 1)] == [0, 0], one.text(1, "stderr")
    assert one.text(1) == "hello\n"
    assert one.json("rendezvous.json")["host"] == "127.0.0.1"


def test_ranks_checkpoint_at_the_same_steps_by_time_and_by_the_best_value(attempt, launcher, environment):
    cadence = {
        "TRAINYARD_CHECKPOINT_EVERY_STEPS": "0",
        "TRAINYARD_CHECKPOINT_EVERY_SECONDS": "1",
        "TRAINYARD_CHECKPOINT_BEST": "min:loss",
    }
    one = attempt(SCRIPT, ranks=2, env={**environment, **cadence, "STEP_DELAY": "0.03"}, torch=True)
    launcher.launch(one)
    one.wait_done()
    steps = [[part["step"] for part in checkpoints(one, rank)] for rank in (0, 1)]
    assert steps[0] == steps[1], one.text(0, "stderr")
    assert len(steps[0]) >= 2
    losses = {record.step: record.values["loss"] for record in points(one, 0)}
    # The first logged value is the best so far, so a checkpoint follows it.
    assert steps[0][0] <= 3
    assert checkpoints(one, 0)[0]["metrics"]["loss"] == losses[steps[0][0]]
