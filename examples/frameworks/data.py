"""What the examples in this folder learn, and how each of them tells what it found."""

import json

import torch
import torch.distributed as dist
from torch.utils.data import TensorDataset

FEATURES, CLASSES, ROWS = 16, 2, 512


def make_dataset() -> TensorDataset:
    """Return features (512, 16) and classes (512,); the same in every rank."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, FEATURES, generator=generator)
    return TensorDataset(x, (x[:, 0] + x[:, 1] > 0).long())


def make_model() -> torch.nn.Sequential:
    """Return the network, the same in every rank."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(FEATURES, 32), torch.nn.ReLU(), torch.nn.Linear(32, CLASSES))


def report(model: torch.nn.Module, launcher: str, rank: int, ranks: int, losses: list[float]) -> None:
    """Fail unless the ranks have trained one model together; rank 0 prints what the framework took the launcher for."""
    weights = torch.cat([parameter.detach().cpu().flatten() for parameter in model.parameters()])
    first = weights.clone()
    dist.broadcast(first, src=0)
    if not torch.equal(first, weights):
        raise SystemExit("the ranks have different weights")
    if not losses[-1] < losses[0]:
        raise SystemExit(f"the loss did not fall: {losses}")
    if rank == 0:
        print(json.dumps({"launcher": launcher, "ranks": ranks, "steps": len(losses), "loss": losses[-1]}))
