"""Gradient accumulation and clipping: many micro-batches make one step, and only the last one talks to the other ranks.

The gradients are those of one large batch, which the first step checks.
"""

import contextlib

import torch
import torch.distributed as dist
from task import loss_of, make_batch, make_model, report

import trainyard

run = trainyard.init({"steps": 8, "lr": 0.1, "micro_batches": 4, "max_norm": 1.0})
dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
model = torch.nn.parallel.DistributedDataParallel(make_model())
optimizer = torch.optim.SGD(model.parameters(), lr=run.params["lr"], momentum=0.9)
parts = run.params["micro_batches"]
losses = []
for step in range(1, run.params["steps"] + 1):
    x, y = make_batch(step, run.rank)
    optimizer.zero_grad()
    total = 0.0
    for index, micro in enumerate(zip(x.chunk(parts), y.chunk(parts), strict=True)):
        last = index == parts - 1
        with contextlib.nullcontext() if last else model.no_sync():
            loss = loss_of(model, micro) / parts
            loss.backward()
        total += loss.item()
    if step == 1:
        gradients = [parameter.grad.clone() for parameter in model.parameters()]
        optimizer.zero_grad()
        loss_of(model, (x, y)).backward()
        torch.testing.assert_close(gradients, [parameter.grad for parameter in model.parameters()])
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), run.params["max_norm"])
    optimizer.step()
    losses.append(total)
    run.log({"loss": total, "gradient_norm": norm}, step=step)
report(losses)
dist.destroy_process_group()
