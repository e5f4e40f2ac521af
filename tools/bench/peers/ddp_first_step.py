"""A small DDP job that tells when its first step was done; the same file under torchrun and on the platform."""

import os
import sys
import time

import torch
import torch.distributed as dist
from torch import nn


def main() -> None:
    """Train a few steps, print the wall-clock time at which rank 0 had done the first one."""
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    model = nn.parallel.DistributedDataParallel(nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(20):
        loss = nn.functional.cross_entropy(model(torch.randn(64, 64)), torch.randint(0, 10, (64,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == 0:
            first_step_at = time.time()
            if "TRAINYARD_RUN_ID" in os.environ:
                import trainyard

                trainyard.init().first_step()
    if dist.get_rank() == 0:
        sys.stdout.write(f"first_step_at {first_step_at}\n")
    dist.destroy_process_group()


main()
