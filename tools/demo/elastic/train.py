"""Trains a linear model on the digits with as many ranks as there are, and says of each step which samples it took."""

import hashlib
import sys
import time

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

import trainyard


def main() -> None:
    """Go on from the newest checkpoint, whatever number of ranks made it."""
    dist.init_process_group("gloo")
    run = trainyard.init()
    model = nn.parallel.DistributedDataParallel(nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    step = run.resume(model=model, optimizer=optimizer)
    data = run.dataset("train")
    features = data.match("pixel_*")
    if run.is_main:
        ids = sorted(int(sample) for sample in data.arrays()["id"])
        digest = hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()
        sys.stdout.write(f"the split has {len(ids)} samples, sha256 of their ids {digest}\n")
    for epoch in range(data.position.epoch, int(run.params["epochs"])):
        for batch in data.batches(8, epoch=epoch, remainder="spread"):
            pixels = torch.from_numpy(np.stack([batch[name] for name in features], axis=1).astype(np.float32))
            labels = torch.from_numpy(batch["label"].astype(np.int64))
            # A sum, since at an epoch's end a rank may have no sample while others still have one.
            loss = nn.functional.cross_entropy(model(pixels / 16.0), labels, reduction="sum") / 8
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            for sample in batch["id"]:
                run.log({f"sample/{epoch}": float(sample)}, step=step)
            if run.should_checkpoint(step):
                run.checkpoint(step, model=model, optimizer=optimizer)
            time.sleep(float(run.params["stepMs"]) / 1000)
    run.finish()
    dist.destroy_process_group()


main()
