"""Mixed precision: the forward pass in a short type, weights and optimizer in float32, the loss scaled where it must be.

bfloat16 has float32's range and needs no scaler; float16 does, and a step whose gradients overflow is left out.
"""

import torch
import torch.distributed as dist
from task import loss_of, make_batch, make_model, report

import trainyard

run = trainyard.init({"steps": 8, "lr": 0.1, "dtype": "bfloat16"})
dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
device = "cuda" if torch.cuda.is_available() else "cpu"
dtype = getattr(torch, run.params["dtype"])
model = torch.nn.parallel.DistributedDataParallel(make_model())
optimizer = torch.optim.SGD(model.parameters(), lr=run.params["lr"], momentum=0.9)
scaler = torch.amp.GradScaler(device, enabled=dtype == torch.float16)
losses = []
for step in range(1, run.params["steps"] + 1):
    with torch.autocast(device, dtype=dtype):
        loss = loss_of(model, make_batch(step, run.rank))
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    losses.append(loss.item())
    run.log({"loss": losses[-1], "scale": scaler.get_scale()}, step=step)
assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
report(losses)
dist.destroy_process_group()
