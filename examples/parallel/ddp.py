"""Data parallel: every rank has the whole model and its own rows; gradients are averaged."""

import torch
import torch.distributed as dist
from task import loss_of, make_batch, make_model, report

import trainyard

run = trainyard.init({"steps": 8, "lr": 0.1})
dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
model = torch.nn.parallel.DistributedDataParallel(make_model())
optimizer = torch.optim.SGD(model.parameters(), lr=run.params["lr"], momentum=0.9)
losses = []
for step in range(1, run.params["steps"] + 1):
    loss = loss_of(model, make_batch(step, run.rank))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    run.log({"loss": losses[-1]}, step=step)
report(losses)
dist.destroy_process_group()
