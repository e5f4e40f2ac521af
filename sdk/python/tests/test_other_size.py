"""Runs go on with another number of ranks: each row of an epoch is seen once, and sharded state is divided anew."""

import json
import os
import shutil
from pathlib import Path

import pytest

from trainyard.checkpoint import CheckpointError
from trainyard.other_size import facts_at_other_size
from trainyard.records import Entry, read_records

# Each rank prints the rows it took. What all ranks have in common is printed by rank 0 at the end.
SCRIPT = """
import hashlib, os
import numpy as np, torch, torch.distributed as dist
from torch import nn
import trainyard

run = trainyard.init()
dist.init_process_group("gloo")
sharded = os.environ["KIND"] == "sharded"
torch.manual_seed(7)
net = nn.Sequential(nn.Linear(2, 9), nn.BatchNorm1d(9), nn.Dropout(0.1), nn.Linear(9, 3))
if sharded:
    from torch.distributed.fsdp import fully_shard
    for layer in (net[0], net[3], net):
        fully_shard(layer)
    model = net
else:
    model = nn.parallel.DistributedDataParallel(net)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)


def digest():
    found = hashlib.sha256()
    states = [value["exp_avg"] for value in optimizer.state.values()]
    for tensor in [*net.parameters(), *states]:
        whole = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
        found.update(whole.detach().numpy().tobytes())
    return f"{found.hexdigest()} {scheduler.get_last_lr()}"


state = {"sum": 1.5}
step = run.resume(model=model, optimizer=optimizer, scheduler=scheduler, state=state)
print("from", step, digest() if step else "", flush=True)
data = run.dataset("train")
until = int(os.environ["UNTIL"])
for batch in data.batches(4, epoch=0, drop_last=False):
    print("rows", *batch["id"], flush=True)
    x = torch.from_numpy(np.stack([batch["x"], batch["y"]], axis=1).astype(np.float32))
    loss = nn.functional.cross_entropy(model(x), torch.from_numpy(batch["id"] % 3))
    optimizer.zero_grad(); loss.backward(); optimizer.step(); scheduler.step()
    step += 1
    run.log({"loss": loss}, step=step)
    if step == until:
        break
print("at", step, digest(), flush=True)
run.checkpoint(step, model=model, optimizer=optimizer, scheduler=scheduler, state=state)
run.finish()
dist.destroy_process_group()
"""
ROWS = 241


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> str:
    import numpy as np
    import pyarrow
    import pyarrow.parquet

    folder = tmp_path_factory.mktemp("dataset")
    ids = np.arange(ROWS)
    path = str(folder / "train.parquet")
    pyarrow.parquet.write_table(pyarrow.table({"id": ids, "x": np.sin(ids), "y": np.cos(ids * 0.3)}), path)
    split = {"rows": ROWS, "shards": [{"path": path, "rows": ROWS, "digest": ""}]}
    (folder / "dataset.json").write_text(json.dumps({"name": "d", "version": "1.0.0", "splits": {"train": split}}))
    return str(folder / "dataset.json")


class Sizes:
    def __init__(self, attempt, launcher, dataset: str):
        self._attempt, self._launcher = attempt, launcher
        self._env = {"TRAINYARD_DATASET_MANIFEST": dataset, "TRAINYARD_SEED": "11"}

    def run(self, kind: str, ranks: int, until: int, resume=None):
        """Train until a step, from what another gang left; return its attempt."""
        more = {} if resume is None else {"TRAINYARD_RESUME_DIR": str(resume.directory / "whole")}
        env = {**self._env, "KIND": kind, "UNTIL": str(until), **more}
        one = self._attempt(SCRIPT, ranks=ranks, env=env, torch=True)
        assert self._launcher.launch(one)["start"] == "warm"
        one.wait_done(120)
        assert [one.exit_of(rank)["code"] for rank in range(ranks)] == [0] * ranks, one.text(0, "stderr")
        (made,) = [name for name in os.listdir(one.directory / "ckpt") if name.isdigit()]
        shutil.copytree(one.directory / "ckpt" / made, one.directory / "whole")
        return one


def rows_of(one) -> list[int]:
    lines = [line for rank in range(one.ranks) for line in one.text(rank).splitlines() if line.startswith("rows ")]
    return [int(word) for line in lines for word in line.split()[1:]]


def objects(one, kind: str) -> list[dict]:
    found = read_records((one.directory / "rank-0" / "records.bin").read_bytes())
    return [record.value for record in found if isinstance(record, Entry) and record.value["kind"] == kind]


def word(one, what: str) -> str:
    (line,) = [line for line in one.text(0).splitlines() if line.startswith(f"{what} ")]
    return line.removeprefix(f"{what} ")


@pytest.mark.parametrize("kind", ["replicated", "sharded"])
def test_an_epoch_on_four_then_two_then_three_ranks_has_each_row_once_and_the_same_state(attempt, launcher, dataset, kind):
    sizes = Sizes(attempt, launcher, dataset)
    four = sizes.run(kind, 4, 5)
    two = sizes.run(kind, 2, 15, resume=four)
    three = sizes.run(kind, 3, 1000, resume=two)
    for before, after in ((four, two), (two, three)):
        assert word(after, "from") == word(before, "at")
    # What the death of a rank costs: shards of a dead rank are gone, replicas are not.
    recovery = (("last-checkpoint", "SHARDED") if kind == "sharded" else ("just-in-time", ""),)
    assert tuple((told["mode"], told["reason"]) for told in objects(four, "recovery")) == recovery
    taken = [rows_of(one) for one in (four, two, three)]
    assert [len(rows) for rows in taken] == [80, 80, 81]
    assert sorted(taken[0] + taken[1] + taken[2]) == list(range(ROWS))


def part(root: Path, rank: int, **facts) -> None:
    folder = root / f"rank-{rank}"
    folder.mkdir(parents=True)
    whole = {
        "step": 3,
        "rank": rank,
        "worldSize": 2,
        "random": {"python": [3, [rank], None]},
        "positions": {},
        "files": [],
        **facts,
    }
    (folder / "rank.json").write_text(json.dumps(whole))


@pytest.mark.parametrize(
    ("what", "facts", "message"),
    [
        ("a pipeline's stages", [{"own": True}, {"own": True}], "each rank's own model"),
        ("ranks at different places", [{"positions": {"train": [0, 5, 1, ""]}}, {}], "different places of the data"),
        ("a state of each rank's own", [{"state": 1}, {"state": 2}], r"state= that is not the same on all ranks"),
    ],
)
def test_what_cannot_be_divided_is_refused(tmp_path, what, facts, message):
    for rank in (0, 1):
        part(tmp_path, rank, **facts[rank])
    with pytest.raises(
        CheckpointError, match=rf"made by 2 ranks and holds .*{message}.*cannot be divided among 3. Run it with 2"
    ):
        facts_at_other_size(tmp_path, 2, 0, 3)


def test_ranks_that_were_not_there_draw_random_numbers_of_their_own(tmp_path):
    for rank in (0, 1):
        part(tmp_path, rank)
    found = [facts_at_other_size(tmp_path, 2, rank, 4) for rank in range(4)]
    assert [one["random"]["python"][1] for one in found[:2]] == [[0], [1]]
    seeds = [one.get("reseed") for one in found]
    assert seeds[:2] == [None, None]
    assert None not in seeds[2:]
    assert seeds[2] != seeds[3]
    assert seeds == [facts_at_other_size(tmp_path, 2, rank, 4).get("reseed") for rank in range(4)]
