"""Where steps spend their time, and what `watch` sees: the arithmetic, and a run that records it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainyard.records import Metrics, read_records
from trainyard.step_clock import StepClock


def told(figures: dict[str, float] | None) -> dict[str, float]:
    assert figures is not None
    return {key.removeprefix("trainyard/step/"): round(value, 6) for key, value in figures.items()}


def test_a_second_of_steps_is_told_as_means_whose_parts_make_up_the_whole():
    clock = StepClock()
    assert clock.stepped(10, 0.0) is None, "what was before the first step is not a step's"
    clock.waited(0.2)
    clock.communicated(0.4)
    assert clock.stepped(11, 0.9) is None
    clock.checkpointed(0.6)
    assert told(clock.stepped(14, 2.0)) == {
        "seconds": 0.5,
        "data_seconds": 0.05,
        "compute_seconds": 0.2,
        "communication_seconds": 0.1,
        "checkpoint_seconds": 0.15,
    }
    assert clock.stepped(15, 2.5) is None
    assert told(clock.stepped(16, 3.0))["data_seconds"] == 0


def test_a_step_that_is_numbered_several_times_is_one_and_a_step_longer_than_a_second_is_told_when_it_is_done():
    clock = StepClock()
    clock.stepped(1, 0.0)
    assert clock.stepped(1, 4.0) is None
    assert told(clock.stepped(2, 5.0))["seconds"] == 5.0
    assert clock.stepped(1, 9.0) is None, "the script counts anew"
    assert told(clock.stepped(3, 11.0))["seconds"] == 1.0


def test_what_the_gradients_exchange_holds_up_is_not_computing_and_time_away_is_no_steps():
    clock = StepClock()
    clock.exchange = lambda: 0.3
    clock.stepped(0, 0.0)
    clock.was_away(8.0)
    figures = told(clock.stepped(4, 10.0))
    assert (figures["seconds"], figures["communication_seconds"], figures["compute_seconds"]) == (0.5, 0.3, 0.2)
    clock.exchange = lambda: 99.0
    assert told(clock.stepped(5, 11.0))["compute_seconds"] == 0


def test_a_rank_that_numbers_no_steps_counts_its_batches():
    clock = StepClock()
    clock.start_at(40)
    clock.drew(0.0)
    for _ in range(4):
        clock.waited(0.05)
    assert told(clock.drew(1.0))["data_seconds"] == 0.05
    assert clock.step == 44
    clock.stepped(50, 1.1)
    clock.waited(0.1)
    assert clock.drew(9.0) is None


SCRIPT = """
import sys, time, torch, trainyard
run = trainyard.init()
model = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 1, bias=False))
groups = [{"params": model[0].parameters(), "name": "body"}, {"params": model[1].parameters()}]
optimizer = torch.optim.SGD(groups, lr=0.0)
run.watch(model, every=2)
run.resume(model=model, optimizer=optimizer)
for step in range(1, 5):
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 3.0)
    optimizer.step()
    if step == 3:
        time.sleep(1.1)
    if run.is_main:
        run.log({"loss": 1.0}, step=step)
    else:
        run.should_checkpoint(step)
"""


def test_ranks_record_their_steps_and_what_is_watched(tmp_path: Path):
    folders = [tmp_path / str(rank) for rank in (0, 1)]
    ranks = []
    for rank, folder in enumerate(folders):
        folder.mkdir()
        own = {"TRAINYARD_RANK_DIR": str(folder), "TRAINYARD_ATTEMPT_DIR": str(folder), "RANK": str(rank), "WORLD_SIZE": "2"}
        ranks.append(subprocess.Popen([sys.executable, "-c", SCRIPT], env={**os.environ, **own}))
    assert [rank.wait(timeout=240) for rank in ranks] == [0, 0]
    norms = []
    for folder in folders:
        records = [one for one in read_records((folder / "records.bin").read_bytes()) if isinstance(one, Metrics)]
        found = {(one.step, key): value for one in records for key, value in one.values.items()}
        assert found[3, "trainyard/step/compute_seconds"] > 0.5
        assert {step for step, key in found if key == "trainyard/watch/rss_bytes"} == {2, 4}
        assert found[2, "trainyard/watch/rss_bytes"] > 1 << 20
        norms.append({key: value for (step, key), value in found.items() if step == 4 and "grad_norm" in key})
    prefix = "trainyard/watch/grad_norm"
    assert norms[0] == pytest.approx({prefix: 54**0.5, f"{prefix}/body": 6.0, f"{prefix}/1": 18**0.5})
    assert norms[1] == {}


def test_asking_whether_a_second_has_passed_costs_less_than_a_microsecond_or_two():
    clock = StepClock()
    times = []
    for batch in range(20):
        begun = time.perf_counter()
        for step in range(1000):
            clock.stepped(batch * 1000 + step, 0.0)
        times.append((time.perf_counter() - begun) / 1000)
    assert min(times) < 2e-6


def test_collectives_that_a_script_calls_are_timed_and_give_what_they_gave():
    import torch
    import torch.distributed as dist

    from trainyard import communication

    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    clock = StepClock()
    clock.stepped(0, 0.0)
    try:
        communication.watch_communication(torch.nn.Linear(1, 1), clock)
        total = torch.ones(1000)
        dist.all_reduce(total)
        work = dist.all_reduce(total, async_op=True)
        work.wait()
        objects = [None]
        dist.all_gather_object(objects, {"a": 1})
    finally:
        for name in communication._COLLECTIVES:
            setattr(dist, name, getattr(dist, name).__wrapped__)
        dist.destroy_process_group()
    assert (total.sum().item(), objects) == (1000, [{"a": 1}])
    figures = told(clock.stepped(1, 10.0))
    assert 0 < figures["communication_seconds"] < 5
