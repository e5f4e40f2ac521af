import { join, relative } from "node:path";

const schemaFile = join(import.meta.dirname, "../../docs/schema/training-job.schema.json");

/** A job file that says what each field is for. `dir` is where it will lie, for the path to the schema. */
export function jobTemplate(name: string, dir: string): string {
  return `# yaml-language-server: $schema=${relative(dir, schemaFile)}
# A training job. Submit it with: npx trainyard submit job.yaml -f
apiVersion: trainyard/v1
kind: TrainingJob
name: ${name}

# Processes that start together or not at all, and the slots (GPUs, or CPU shares) that each takes.
ranks: 2
slotsPerRank: 1

# torch: PyTorch ranks with the environment that torchrun gives them. process: a plain program.
framework: torch

# The folder that travels with the job (.gitignore is respected), and what each rank runs in it.
code: .
entrypoint: [train.py]

# Recorded on the run and given to the script. From the command line: --set lr=0.01
params:
  lr: 0.1
  steps: 200

# The same code, data, seed and number of ranks give the same weights.
seed: 7

# What is kept to resume from when a rank or a machine dies.
checkpoint: { everySteps: 50, keep: 3 }

# How often a failure of your own code is retried. Lost machines have a budget of their own.
retries: 1

# A loss that is NaN or infinite ends the run; what was saved before is kept.
haltOnNonFinite: [loss]

# A dataset version to train on; register one with: npx trainyard datasets register
# dataset: { name: my-data, version: latest }

# The finished run becomes a version of this model; the suite decides whether it may be promoted.
# model: { name: ${name}, suite: my-suite }
`;
}

/** A script that trains a small model on made-up data: logs, checkpoints, and resumes where it was. */
export const trainTemplate = `"""Fits a plane to made-up data, data-parallel over the ranks: logs its loss, checkpoints, and resumes where it was.

Runs on the platform (npx trainyard submit job.yaml), under torchrun, and alone (python train.py).
"""

import os

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import trainyard


def train(run: trainyard.Run) -> None:
    module = torch.nn.Linear(4, 1)
    model = DistributedDataParallel(module) if dist.is_initialized() else module
    optimizer = torch.optim.SGD(model.parameters(), lr=float(run.params["lr"]))
    truth = torch.tensor([[1.0, -2.0, 3.0, 0.5]])

    # After a failure: weights, optimizer and random generators as they were, and the step to go on from; else 0.
    step = run.resume(model=model, optimizer=optimizer)
    while step < int(run.params["steps"]):
        x = torch.randn(32, 4)
        loss = torch.nn.functional.mse_loss(model(x), x @ truth.T)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if run.is_main:
            run.log({"loss": loss.item()}, step=step)
        if run.should_checkpoint(step):
            run.checkpoint(step, model=model, optimizer=optimizer)
    if run.is_main:
        print(f"loss {loss.item():.6f} after {step} steps")


def main() -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        dist.init_process_group("gloo")
    with trainyard.init({"lr": 0.1, "steps": 200}) as run:
        train(run)
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
`;
