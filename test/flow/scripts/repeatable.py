"""Trains on two ranks and checkpoints; with NOISE set its weights also depend on what nobody can repeat."""

import os

import torch
import torch.distributed as dist
from torch import nn

import trainyard

run = trainyard.init()
dist.init_process_group("gloo")
net = nn.Sequential(nn.Linear(16, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 4))
model = nn.parallel.DistributedDataParallel(net)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
step = run.resume(model=model, optimizer=optimizer)
while step < 12:
    inputs = torch.randn(32, 16)
    loss = nn.functional.cross_entropy(model(inputs), torch.randint(0, 4, (32,)))
    if run.params.get("noise"):
        loss = loss * (1 + int.from_bytes(os.urandom(2), "little") / 65536)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    step += 1
    run.log({"loss": loss}, step=step)
    if run.should_checkpoint(step) or step == 12:
        run.checkpoint(step, model=model, optimizer=optimizer)
run.finish()
dist.destroy_process_group()
