"""Steps of a two-rank DDP training in turns: the same file as bare ranks, and on the platform with the SDK.

Parameters by environment: ``CORES``, the cores that the ranks are held to ("1", or "0,1"); ``WIDTH`` of the model's layers and
``BATCH``, samples of a rank's step; ``TURNS``, a folder; ``GANG``, what this gang is called there; ``STEPS``, of one turn. It
trains when the folder's file ``turn`` holds its name and a number, writes how many seconds the steps took to ``GANG-NUMBER``,
and ends when the file says ``over``. On the platform (TRAINYARD_RUN_ID is set) it logs the loss at each step and checkpoints
as the job says; bare, it does neither.
"""

import os
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

TURNS, GANG = Path(os.environ["TURNS"]), os.environ["GANG"]
WIDTH, BATCH, STEPS = (int(os.environ[name]) for name in ("WIDTH", "BATCH", "STEPS"))


def next_turn(done: int) -> int:
    """Wait until it is this gang's turn again, and return the turn's number; 0 when all is over."""
    while True:
        name, number = (TURNS / "turn").read_text().split()
        if name == "over":
            return 0
        if name == GANG and int(number) > done:
            return int(number)
        time.sleep(0.005)


def say(number: int, seconds: float) -> None:
    """Write what a turn took."""
    temporary = TURNS / f"{GANG}.tmp"
    temporary.write_text(str(seconds))
    temporary.rename(TURNS / f"{GANG}-{number}")


def main() -> None:
    """Train."""
    os.sched_setaffinity(0, {int(core) for core in os.environ["CORES"].split(",")})
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    torch.manual_seed(dist.get_rank())
    plain = nn.Sequential(nn.Linear(256, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 10))
    model = nn.parallel.DistributedDataParallel(plain)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    run = None
    if "TRAINYARD_RUN_ID" in os.environ:
        import trainyard

        run = trainyard.init()
        run.resume(model=model, optimizer=optimizer)
    step, turn = 0, torch.zeros(1, dtype=torch.int64)
    while True:
        if dist.get_rank() == 0:
            turn[0] = next_turn(int(turn))
        dist.broadcast(turn, 0)
        if not turn:
            break
        began = time.perf_counter()
        for _ in range(STEPS):
            step += 1
            loss = nn.functional.cross_entropy(model(torch.randn(BATCH, 256)), torch.randint(0, 10, (BATCH,)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            value = loss.item()
            if run is not None:
                run.log({"loss": value}, step=step)
                if run.should_checkpoint(step):
                    run.checkpoint(step, model=model, optimizer=optimizer)
        if dist.get_rank() == 0:
            say(int(turn), time.perf_counter() - began)
    dist.destroy_process_group()


main()
