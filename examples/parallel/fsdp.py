"""Fully sharded: each rank keeps a part of every parameter, gradient and optimizer state (FSDP2, `fully_shard`).

With mixed precision the gathered parameters and the computation are bfloat16, the kept part and the reduction float32.
"""

import torch
from task import loss_of, make_batch, make_model, report
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.utils import clip_grad_norm_

import trainyard

run = trainyard.init({"steps": 8, "lr": 0.1})
data = run.mesh()["data"]
model = make_model()
precision = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
for layer in model:
    if isinstance(layer, torch.nn.Linear):
        fully_shard(layer, mesh=data, mp_policy=precision)
fully_shard(model, mesh=data, mp_policy=precision)
optimizer = torch.optim.SGD(model.parameters(), lr=run.params["lr"], momentum=0.9)
losses = []
for step in range(1, run.params["steps"] + 1):
    loss = loss_of(model, make_batch(step, data.get_local_rank()))
    optimizer.zero_grad()
    loss.backward()
    norm = clip_grad_norm_(model.parameters(), max_norm=1.0)
    norm = norm.full_tensor() if isinstance(norm, DTensor) else norm  # every rank asks, for it is a sum over all parts
    optimizer.step()
    losses.append(loss.item())
    run.log({"loss": losses[-1], "gradient_norm": norm}, step=step)
weight = model[0].weight
assert isinstance(weight, DTensor) and weight.to_local().shape[0] * data.size() == weight.shape[0]
report(losses)
torch.distributed.destroy_process_group()
