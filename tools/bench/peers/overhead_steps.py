"""Steps per second of a two-rank DDP training: the same file as bare ranks, and on the platform with the SDK.

Parameters by environment: ``STEPS``; ``CORES``, the cores that the ranks are held to ("1", or "0,1"). On the platform
(TRAINYARD_RUN_ID is set) it logs the loss at each step and checkpoints as the job says; bare, it does neither. Rank 0
prints ``steps_per_second N`` over all steps after a tenth as many that do not count.
"""

import os
import sys
import time

import torch
import torch.distributed as dist
from torch import nn


def main() -> None:
    """Train and print."""
    steps = int(os.environ["STEPS"])
    os.sched_setaffinity(0, {int(core) for core in os.environ["CORES"].split(",")})
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    torch.manual_seed(dist.get_rank())
    plain = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    model = nn.parallel.DistributedDataParallel(plain)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    run = None
    if "TRAINYARD_RUN_ID" in os.environ:
        import trainyard

        run = trainyard.init()
        run.resume(model=model, optimizer=optimizer)
    began = 0.0
    for step in range(1, steps + steps // 10 + 1):
        if step == steps // 10 + 1:
            began = time.perf_counter()
        loss = nn.functional.cross_entropy(model(torch.randn(128, 256)), torch.randint(0, 10, (128,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        value = loss.item()
        if run is not None:
            run.log({"loss": value}, step=step)
            if run.should_checkpoint(step):
                run.checkpoint(step, model=model, optimizer=optimizer)
    if dist.get_rank() == 0:
        sys.stdout.write(f"steps_per_second {steps / (time.perf_counter() - began)}\n")
    dist.destroy_process_group()


main()
