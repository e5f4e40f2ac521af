"""Trains a small network on the handwritten digits, data-parallel over the ranks of the gang.

The same file runs on the platform (`trainyard submit job.yaml`), under `torchrun --nproc-per-node 2 train.py`, and alone
(`python train.py`). Parameters: lr, epochs, hidden, dropout, batchSize, batchNorm, stepDelayMs (makes a run long enough to
watch).
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import trainyard

DEFAULTS = {"lr": 0.1, "epochs": 20, "hidden": 64, "dropout": 0.1, "batchSize": 32, "batchNorm": True, "stepDelayMs": 0}


class Digits(nn.Module):
    """Pixels (float32, batch x 64, 0 to 16) to logits (batch x 10)."""

    def __init__(self, hidden: int, dropout: float, batch_norm: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(64, hidden),
            nn.BatchNorm1d(hidden) if batch_norm else nn.Identity(),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, 10),
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Scale the pixels to 0..1 and classify them."""
        logits: torch.Tensor = self.layers(pixels / 16.0)
        return logits


def to_tensors(arrays: dict[str, np.ndarray], features: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Stack the feature columns into one float32 matrix, and take the labels."""
    pixels = np.stack([arrays[name] for name in features], axis=1).astype(np.float32)
    return torch.from_numpy(pixels), torch.from_numpy(arrays["label"].astype(np.int64))


@torch.no_grad()
def accuracy(model: nn.Module, pixels: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of rows that the model classifies rightly, without dropout."""
    model.eval()
    right = (model(pixels).argmax(dim=1) == labels).float().mean().item()
    model.train()
    return right


def train(run: trainyard.Run) -> None:
    """Train, log, checkpoint, and save the model."""
    params = run.params
    module = Digits(int(params["hidden"]), float(params["dropout"]), bool(params["batchNorm"]))
    model = DistributedDataParallel(module) if dist.is_initialized() else module
    optimizer = torch.optim.SGD(model.parameters(), lr=float(params["lr"]), momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=100, gamma=0.7)

    step = run.resume(model=model, optimizer=optimizer, scheduler=scheduler)
    data = run.dataset("train")
    features = data.match("pixel_*")
    validation = to_tensors(run.dataset("validation").arrays(), features)
    if step and run.is_main:
        print(f"resumed after step {step}, in epoch {data.position.epoch}")

    for epoch in range(data.position.epoch, int(params["epochs"])):
        for batch in data.batches(int(params["batchSize"]), epoch=epoch):
            pixels, labels = to_tensors(batch, features)
            loss = nn.functional.cross_entropy(model(pixels), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            step += 1
            run.first_step()
            if run.is_main:
                run.log({"loss": loss, "lr": scheduler.get_last_lr()[0]}, step=step)
            if run.should_checkpoint(step):
                run.checkpoint(step, model=model, optimizer=optimizer, scheduler=scheduler)
            time.sleep(float(params["stepDelayMs"]) / 1000)
        if run.is_main:
            right = accuracy(module, *validation)
            run.log({"validation_accuracy": right, "epoch": epoch}, step=step)
            print(f"epoch {epoch}: step {step}, validation accuracy {right:.3f}")

    if run.is_main:
        right = accuracy(module, *to_tensors(run.dataset("test").arrays(), features))
        run.log({"test_accuracy": right}, step=step)
        print(f"test accuracy {right:.3f} after {step} steps")
        run.model(module, validation[0][:2], metrics={"accuracy": right}, features=features)


def main() -> None:
    """Join the other ranks, if there are any, and train."""
    if "TRAINYARD_DATASET_MANIFEST" not in os.environ:
        from make_data import write_digits

        path = Path(__file__).with_name("digits.parquet")
        if not path.exists():
            write_digits(str(path))
        os.environ["TRAINYARD_DATASET_MANIFEST"] = str(path)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        dist.init_process_group("gloo")
    with trainyard.init(DEFAULTS) as run:
        if os.environ.get("TRAINYARD_SEED") is None:
            run.seed_everything(7)
        train(run)
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
