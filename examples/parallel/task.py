"""The task that all of these examples learn: two classes of points, told apart by a small network."""

import torch
from torch import nn

FEATURES, HIDDEN, CLASSES = 16, 32, 2


def make_model(seed: int = 0) -> nn.Sequential:
    """Return the network; equal on every rank that asks with the same seed."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))


def make_batch(step: int, rank: int, rows: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Return features (rows, 16) and classes (rows,); others for each step and rank."""
    generator = torch.Generator().manual_seed(step * 1_000 + rank)
    x = torch.randn(rows, FEATURES, generator=generator)
    return x, (x[:, 0] + x[:, 1] > 0).long()


def loss_of(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Return the mean loss of a batch."""
    x, y = batch
    return nn.functional.cross_entropy(model(x), y)


def report(losses: list[float]) -> None:
    """Print the first and the last loss; fails when nothing was learned."""
    print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")
    if not losses[-1] < losses[0]:
        raise SystemExit("the loss did not fall")
