"""Tensor parallel: the ranks of a group share each layer, one by its columns, the next by its rows.

The result is that of the whole model on one rank, which this script checks. Data parallelism goes on beside it, over the
axis `data` of the mesh.
"""

import torch
from task import loss_of, make_batch, make_model, report
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

import trainyard

run = trainyard.init({"steps": 8, "lr": 0.1})
mesh = run.mesh(tensor=2)
model, whole = make_model(), make_model()
plan = {"0": ColwiseParallel(), "2": RowwiseParallel()}
parallelize_module(model, mesh["tensor"], plan)
optimizers = [torch.optim.SGD(one.parameters(), lr=run.params["lr"]) for one in (model, whole)]
losses = []
for step in range(1, run.params["steps"] + 1):
    batch = make_batch(step, mesh["data"].get_local_rank())  # the same for every rank of a tensor group
    pair = []
    for one, optimizer in zip((model, whole), optimizers, strict=True):
        loss = loss_of(one, batch)
        optimizer.zero_grad()
        loss.backward()
        for parameter in one.parameters():
            gradient = parameter.grad.to_local() if hasattr(parameter.grad, "to_local") else parameter.grad
            torch.distributed.all_reduce(gradient, group=mesh["data"].get_group())
            gradient /= mesh["data"].size()
        optimizer.step()
        pair.append(loss.item())
    torch.testing.assert_close(pair[0], pair[1], rtol=1e-4, atol=1e-5)
    losses.append(pair[0])
    run.log({"loss": pair[0]}, step=step)
report(losses)
torch.distributed.destroy_process_group()
