"""Two or more DDP ranks whose end, and whose loss at each step, the seed alone determines; they save as the job's file says."""

import hashlib
import random
import sys
import time

import torch
import torch.distributed as dist
from torch import nn

import trainyard


def batch(step: int, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Make a rank's data of a step: a function of both."""
    generator = torch.Generator().manual_seed(1000 * step + rank)
    return torch.randn(32, 64, generator=generator), torch.randint(0, 10, (32,), generator=generator)


def main() -> None:
    """Train, with BatchNorm, dropout and momentum; print the digest of the weights."""
    dist.init_process_group("gloo")
    run = trainyard.init()
    net = nn.Sequential(nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10))
    model = nn.parallel.DistributedDataParallel(net)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    done = run.resume(model=model, optimizer=optimizer)
    for step in range(done + 1, int(run.params["steps"]) + 1):
        inputs, labels = batch(step, run.rank)
        loss = nn.functional.cross_entropy(model(inputs + random.random()), labels)  # noqa: S311
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"value": loss}, step=step)
        if run.should_checkpoint(step):
            run.checkpoint(step, model=model, optimizer=optimizer)
        time.sleep(float(run.params["stepMs"]) / 1000)
    digest = hashlib.sha256()
    for tensor in net.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    run.finish()
    sys.stdout.write(f"digest {digest.hexdigest()}\n")
    dist.destroy_process_group()


main()
