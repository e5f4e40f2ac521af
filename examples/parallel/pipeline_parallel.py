"""Pipeline parallel: each rank has some of the layers, and micro-batches go through them one after the other."""

import torch
from task import make_batch, make_model, report
from torch import nn
from torch.distributed.pipelining import PipelineStage, Schedule1F1B

import trainyard

MICRO_BATCHES = 4
run = trainyard.init({"steps": 8, "lr": 0.1})
pipeline = run.mesh(pipeline=2)["pipeline"]
stages, number = pipeline.size(), pipeline.get_local_rank()
layers = list(make_model())
each = -(-len(layers) // stages)
module = nn.Sequential(*layers[number * each : (number + 1) * each])
stage = PipelineStage(module, number, stages, torch.device("cpu"), group=pipeline.get_group())
schedule = Schedule1F1B(stage, MICRO_BATCHES, loss_fn=nn.functional.cross_entropy)
optimizer = torch.optim.SGD(module.parameters(), lr=run.params["lr"], momentum=0.9)
means = []
for step in range(1, run.params["steps"] + 1):
    x, y = make_batch(step, 0)
    optimizer.zero_grad()
    losses: list[torch.Tensor] = []
    if stage.is_first:
        schedule.step(x)
    elif stage.is_last:
        schedule.step(target=y, losses=losses)
    else:
        schedule.step()
    optimizer.step()
    if losses:  # only the last stage knows them
        means.append(torch.stack(losses).mean().item())
        run.log({"loss": means[-1]}, step=step)
    else:
        run.first_step()
if stage.is_last:
    report(means)
torch.distributed.destroy_process_group()
