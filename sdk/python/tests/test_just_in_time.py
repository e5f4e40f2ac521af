"""Ranks of real gangs are killed at every point of a step; what the survivors save ends in the bits of an unbroken run."""

import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import Attempts

from trainyard.records import Entry, Metrics, read_records

# What a resume can get wrong is in it: BatchNorm, dropout, momentum, a scheduler, random numbers of Python and NumPy, batches
# of a shuffled dataset, and by KIND gradient accumulation, a grad scaler that skips steps, bfloat16, a state of its own, a
# backward pass that computes the forward pass again, with new random numbers, and moves BatchNorm's statistics a second time,
# or numbers that are drawn between the backward pass and the optimizer's step.
SCRIPT = """
import hashlib, os, random, resource, signal, sys, time
import numpy as np, torch, torch.distributed as dist
from torch import nn
from torch.utils.checkpoint import checkpoint
import trainyard

run = trainyard.init()
kind = os.environ["KIND"]
fault = os.environ.get("FAULT", "") if run.attempt == 1 else ""
victims, kill_step, where = os.environ.get("KILL", "-:-1:-").split(":")
dies = str(run.rank) in victims.split(",") and run.attempt == 1


def kill(here, at):
    if dies and here == where and at == int(kill_step):
        os.kill(os.getpid(), signal.SIGKILL)


save = torch.save


def faulty_save(*arguments):
    if fault == "writer-dies" and run.rank == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "save-hangs":
        time.sleep(600)
    if fault == "disk-full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
    save(*arguments)


torch.save = faulty_save


class Recomputed(nn.Sequential):
    def forward(self, x):
        passed = super().forward
        return checkpoint(passed, x, use_reentrant=False, preserve_rng_state=False, determinism_check="none")


dist.init_process_group("gloo")
torch.manual_seed(run.rank if kind == "streams" else 5)
layers = nn.Linear(3, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2)
net = (Recomputed if kind == "recompute" else nn.Sequential)(*layers)
if kind == "streams":
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.01) if parameter.dim() < 2 else nn.init.uniform_(parameter, -1, 1)
model = nn.parallel.DistributedDataParallel(net, broadcast_buffers=kind != "streams")
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=100)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**30, growth_interval=3) if kind == "amp" else None
state = {"sum": np.zeros(2), "seen": []} if kind == "state" else None
optimizer.register_step_post_hook(lambda *_: kill("stepped", step))
step = run.resume(model=model, optimizer=optimizer, scheduler=scheduler, scaler=scaler, state=state)
optimizer.register_step_pre_hook(lambda *_: kill("step", step))
print("from", step, flush=True)
data = run.dataset("train")
parts = 2 if kind == "accumulate" else 1
micro = 0
skipped = 0
for epoch in range(data.position.epoch, 4):
    for batch in data.batches(8, epoch=epoch, drop_last=True):
        if fault == "user-error" and run.rank == 1 and step == 9:
            raise ValueError("no such label")
        x = torch.from_numpy(np.stack([batch["id"], batch["x"], batch["y"]], axis=1).astype(np.float32)) / 100
        x = x + random.random() * 0.1 + float(np.random.normal()) * 0.1
        kill("forward", step)
        with torch.autocast("cpu", torch.bfloat16, enabled=kind in ("amp", "bfloat16")):
            out = model(x)
            loss = nn.functional.cross_entropy(out.float(), torch.from_numpy(batch["id"] % 2)) / parts
        out.register_hook(lambda gradient: kill("backward", step))
        (scaler.scale(loss) if scaler else loss).backward()
        micro += 1
        if micro % parts:
            continue
        kill("summed", step)
        if kind == "noise":
            torch.rand(1)
        if scaler:
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            skipped += scaler.get_scale() < scale
        else:
            optimizer.step()
        kill("after", step)
        # In no collective: only its shim can tell it of a peer's end, and it is busy until then.
        while fault == "busy" and run.rank == 0 and step == 9 and not run._training.guard._peer_lost:
            time.sleep(0.01)
        if fault == "tail":
            dist.all_reduce(loss.detach())
        scheduler.step()
        optimizer.zero_grad()
        if state is not None:
            state["sum"][0] += loss.item()
            state["seen"].append(int(batch["id"][0]))
        step += 1
        run.log({"loss": loss, "rank": run.rank}, step=step)
        kill("logged", step)
digest = hashlib.sha256()
for tensor in [*net.state_dict().values(), torch.get_rng_state()]:
    digest.update(tensor.numpy().tobytes())
own = state and (state["sum"].tolist(), state["seen"])
print("digest", digest.hexdigest(), step, random.random(), float(np.random.normal()), scheduler.get_last_lr(), own)
if scaler:
    print("skipped", skipped)
run.finish()
dist.destroy_process_group()
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> str:
    import numpy as np
    import pyarrow
    import pyarrow.parquet

    folder = tmp_path_factory.mktemp("dataset")
    ids = np.arange(200)
    path = str(folder / "train.parquet")
    pyarrow.parquet.write_table(pyarrow.table({"id": ids, "x": np.sin(ids), "y": np.cos(ids * 0.3)}), path)
    split = {"rows": 200, "shards": [{"path": path, "rows": 200, "digest": ""}]}
    manifest = folder / "dataset.json"
    manifest.write_text(json.dumps({"name": "d", "version": "1.0.0", "splits": {"train": split}}))
    return str(manifest)


class Gangs:
    """Starts gangs from the launcher, and resumes what they left as the platform would."""

    def __init__(self, attempt, launcher, dataset: str, folder: Path):
        self._attempt, self._launcher, self._folder = attempt, launcher, folder
        self._env = {"TRAINYARD_DATASET_MANIFEST": dataset, "TRAINYARD_SEED": "11"}

    def run(self, kind: str, ranks: int, *, kill: str = "", fault: str = "", resume: Path | None = None, handover_ms=60_000):
        own = {**self._env, "KIND": kind, "FAULT": fault, **({"KILL": kill} if kill else {})}
        if resume is not None:
            own.update(TRAINYARD_RESUME_DIR=str(resume), TRAINYARD_ATTEMPT="2")
        one = self._attempt(SCRIPT, ranks=ranks, env=own, torch=True, grace_ms=5000, handover_ms=handover_ms)
        answer = self._launcher.launch(one)
        assert answer["start"] == "warm", answer
        one.wait_done(120)
        return one

    def resume_from(self, one) -> Path:
        """Put a checkpoint's parts together as the agents of the next attempt would."""
        place = one.directory / "resume"
        for rank in range(one.ranks):
            (part,) = checkpoints(one, rank)
            source = one.directory / part["dir"]
            sizes = {file["path"]: file["sizeBytes"] for file in part["files"]}
            assert sizes == {name: (source / name).stat().st_size for name in os.listdir(source)}
            shutil.copytree(source, place / f"rank-{rank}")
        return place


@pytest.fixture(scope="module")
def gangs(launcher, dataset, tmp_path_factory) -> Iterator[Gangs]:
    folder = tmp_path_factory.mktemp("gangs")
    attempts = Attempts(folder)
    yield Gangs(attempts, launcher, dataset, folder)
    attempts.end()


def records(one, rank: int) -> list[Metrics | Entry]:
    file = one.directory / f"rank-{rank}" / "records.bin"
    return list(read_records(file.read_bytes())) if file.exists() else []


def objects(one, rank: int, kind: str) -> list[dict]:
    found = [record.value for record in records(one, rank) if isinstance(record, Entry)]
    return [value for value in found if value["kind"] == kind]


def checkpoints(one, rank: int) -> list[dict]:
    return objects(one, rank, "checkpoint")


def handover(one) -> dict:
    (told,) = objects(one, 0, "handover")
    return told


def ends(one) -> list[str]:
    assert [one.exit_of(rank)["code"] for rank in range(one.ranks)] == [0] * one.ranks, one.text(0, "stderr")
    return [one.text(rank).split("digest ")[1] for rank in range(one.ranks)]


# What dies where, and the step that survives: (kind, ranks, KILL, step).
DEATHS = [
    ("plain", 2, "1:17:forward", 17),
    ("plain", 2, "0:17:backward", 17),
    ("plain", 2, "1:17:summed", 18),
    ("plain", 2, "1:17:step", 18),
    ("plain", 2, "0:17:stepped", 18),
    ("plain", 2, "0:17:after", 18),
    ("plain", 2, "0:18:logged", 18),
    ("plain", 2, "1:12:forward", 12),
    ("plain", 3, "0,2:17:backward", 17),
    ("streams", 3, "1:9:backward", 9),
    ("accumulate", 2, "1:9:backward", 9),
    ("amp", 2, "0:4:backward", 4),
    ("accumulate", 2, "1:9:summed", 10),
    ("amp", 2, "1:4:step", 5),
    ("amp", 2, "0:4:summed", 5),
    ("recompute", 2, "1:17:summed", 18),
    ("noise", 2, "1:17:step", 18),
    ("bfloat16", 2, "1:17:backward", 17),
    ("state", 2, "1:17:backward", 17),
]


class Stories:
    """Runs the gangs of this file a few at a time: much of a gang's life is waiting, and the tests only read what they left."""

    def __init__(self, gangs: Gangs, pool: ThreadPoolExecutor):
        self.gangs = gangs
        # First, since the others are held against them.
        self._unbroken = {key: pool.submit(gangs.run, *key) for key in {death[:2] for death in DEATHS}}
        self._broken = {death: pool.submit(self._break, *death) for death in DEATHS}

    def _break(self, kind: str, ranks: int, kill: str, step: int):
        broken = self.gangs.run(kind, ranks, kill=kill)
        told = handover(broken)
        assert (told["saved"], told["step"]) == (True, step), (told, broken.text(1, "stderr"))
        return broken, self.gangs.run(kind, ranks, resume=self.gangs.resume_from(broken))

    def unbroken_ends(self, kind: str, ranks: int) -> list[str]:
        return ends(self._unbroken[kind, ranks].result())

    def of(self, death: tuple) -> tuple:
        """Return the gang that lost a rank, and the one that went on."""
        return self._broken[death].result()


@pytest.fixture(scope="module")
def stories(gangs) -> Iterator[Stories]:
    with ThreadPoolExecutor(3) as pool:
        yield Stories(gangs, pool)
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("death", DEATHS, ids=str)
def test_no_step_is_lost_and_the_bits_are_those_of_an_unbroken_run(stories, death):
    kind, ranks, kill, step = death
    broken, resumed = stories.of(death)
    victims = [int(rank) for rank in kill.split(":")[0].split(",")]
    assert [broken.exit_of(rank)["signal"] for rank in victims] == [9] * len(victims)
    assert f"from {step}\n" in resumed.text(0)
    assert ends(resumed) == stories.unbroken_ends(kind, ranks)


def test_points_are_neither_lost_nor_doubled(stories):
    broken, resumed = stories.of(DEATHS[0])
    for rank in (0, 1):
        (part,) = checkpoints(broken, rank)
        before = [
            one.step
            for one in records(broken, rank)
            if isinstance(one, Metrics) and "loss" in one.values and one.offset < part["offset"]
        ]
        after = [one.step for one in records(resumed, rank) if isinstance(one, Metrics) and "loss" in one.values]
        assert before + after == list(range(1, 49))


def test_a_survivor_takes_the_place_of_one_that_dies_while_it_saves(stories, gangs):
    expected = stories.unbroken_ends("plain", 3)
    broken = gangs.run("plain", 3, kill="2:9:backward", fault="writer-dies")
    assert handover(broken)["step"] == 9
    assert [broken.exit_of(rank)["signal"] for rank in range(3)] == [9, None, 9]
    assert ends(gangs.run("plain", 3, resume=gangs.resume_from(broken))) == expected


def test_a_survivor_that_no_collective_tells_ends_between_two_steps(stories, gangs):
    expected = stories.unbroken_ends("plain", 2)
    broken = gangs.run("plain", 2, kill="1:9:after", fault="busy")
    assert "PeerLostError" in broken.text(0, "stderr")
    assert handover(broken)["step"] == 10
    assert ends(gangs.run("plain", 2, resume=gangs.resume_from(broken))) == expected


def test_a_rank_that_fails_by_itself_is_named_and_no_step_is_lost(stories, gangs):
    expected = stories.unbroken_ends("plain", 2)
    broken = gangs.run("plain", 2, fault="user-error")
    exits = [broken.exit_of(rank) for rank in (0, 1)]
    assert [one["code"] for one in exits] == [1, 1]
    assert (exits[1]["order"], exits[0]["order"]) == (1, 2)
    assert exits[1]["at"] < exits[0]["at"]
    assert handover(broken)["step"] == 9
    assert ends(gangs.run("plain", 2, resume=gangs.resume_from(broken))) == expected


@pytest.mark.parametrize(
    ("kind", "kill", "fault", "reason"),
    [
        ("plain", "0,1:9:forward", "", "NO_SURVIVOR"),
        ("plain", "1:9:backward", "save-hangs", "DEADLINE"),
        ("plain", "1:9:backward", "disk-full", "SAVE_FAILED"),
        ("plain", "1:9:after", "tail", "STEP_INCOMPLETE"),
        ("plain", "1:0:backward", "", "NOTHING_NEW"),
        ("state", "1:9:summed", "", "RECORD_MISSING"),
        ("noise", "1:9:summed", "", "RECORD_MISSING"),
    ],
)
def test_what_cannot_be_saved_exactly_is_left_to_the_last_checkpoint(gangs, kind, kill, fault, reason):
    broken = gangs.run(kind, 2, kill=kill, fault=fault, handover_ms=2000 if fault == "save-hangs" else 60_000)
    told = handover(broken)
    assert (told["saved"], told["step"], told["reason"]) == (False, -1, reason)
    assert [checkpoints(broken, rank) for rank in (0, 1)] == [[], []]
    assert list(broken.directory.glob("ckpt/*")) == []
    assert broken.json("done.json")["reason"] == "failed"


def test_a_gang_says_what_the_death_of_a_rank_costs_it(stories, gangs):
    broken, _ = stories.of(DEATHS[0])
    assert [one["mode"] for one in objects(broken, 0, "recovery")] == ["just-in-time"]
    (alone,) = objects(gangs.run("plain", 1), 0, "recovery")
    assert (alone["mode"], alone["reason"]) == ("last-checkpoint", "ONE_RANK")
