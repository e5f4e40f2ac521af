"""How long a training loop stands still for a checkpoint of 500 MB, and how much slower its steps are meanwhile.

``checkpoint_stall.py DIR ROUNDS`` trains a small model beside a state of 500 MB, alternates between `run.checkpoint` and a
plain `torch.save`, and prints seconds as JSON: for each the loop's stall, and the steps' medians while nothing is written
and while the SDK writes. One rank, outside the platform: only what the loop itself pays is of interest here.
"""

import json
import os
import statistics
import sys
import threading
import time

import torch
import trainyard
from torch import nn

STATE_BYTES = 500 * 1000 * 1000
TENSORS = 50


def main(directory: str, rounds: int) -> None:
    """Measure and print."""
    os.chdir(directory)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    big = nn.ParameterList(nn.Parameter(torch.randn(STATE_BYTES // TENSORS // 4)) for _ in range(TENSORS))
    small = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 10))
    optimizer = torch.optim.SGD(small.parameters(), lr=0.01)

    def step() -> float:
        before = time.perf_counter()
        loss = nn.functional.cross_entropy(small(torch.randn(128, 256)), torch.randint(0, 10, (128,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return time.perf_counter() - before

    run = trainyard.init(offline=os.path.join(directory, "offline"))
    stalls, saves, idle, writing = [], [], [], []
    for number in range(1, rounds + 2):
        idle += [step() for _ in range(200)]
        before = time.perf_counter()
        run.checkpoint(number, model=big)
        stalls.append(time.perf_counter() - before)
        while any(thread.name == "trainyard-checkpoint" for thread in threading.enumerate()):
            writing.append(step())
        before = time.perf_counter()
        torch.save(big.state_dict(), os.path.join(directory, "plain.pt"))
        saves.append(time.perf_counter() - before)
    # The first checkpoint allocates what the later ones use again.
    figures = {"first": stalls[0], "stalls": stalls[1:], "saves": saves[1:]}
    medians = {"step": statistics.median(idle), "stepWhileWriting": statistics.median(writing)}
    sys.stdout.write(json.dumps({**figures, **medians, "version": torch.__version__}) + "\n")


main(sys.argv[1], int(sys.argv[2]))
