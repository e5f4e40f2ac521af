"""What `run.watch` looks at, each so many optimizer steps: gradient norms and memory.

The norms are taken as the optimizer is about to step: after clipping, and after a grad scaler has put its scale aside. They
are of whole groups of parameters as the optimizer has them, named by their ``name`` where they have one, else by number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

PREFIX = "trainyard/watch/"


def watch_model(model: Any, every: int, see: Callable[[Mapping[str, float]], None], norms: bool) -> Callable[[], None]:
    """Call `see` with the figures at each `every`-th step of an optimizer that has parameters of `model`; return what ends it.

    `norms` says whether gradient norms are among them: the same on all ranks of a replicated model, so one of them is enough.
    For sharded parameters every rank must take part.
    """
    import torch.optim.optimizer as optimizers

    own = {id(parameter) for parameter in model.parameters()}
    count = 0

    def before_step(optimizer: Any, *_: Any) -> None:
        nonlocal count
        if not any(id(parameter) in own for group in optimizer.param_groups for parameter in group["params"]):
            return
        count += 1
        if count % every == 0:
            figures = memory()
            if norms or any(hasattr(parameter, "full_tensor") for parameter in model.parameters()):
                figures.update(gradient_norms(optimizer))
            see(figures)

    handle = optimizers.register_optimizer_step_pre_hook(before_step)
    ended: Callable[[], None] = handle.remove
    return ended


def gradient_norms(optimizer: Any) -> dict[str, float]:
    """Return the 2-norm of the gradients of all groups together, and of each when there are several."""
    import torch

    squares = []
    for number, group in enumerate(optimizer.param_groups):
        gradients = [parameter.grad for parameter in group["params"] if parameter.grad is not None]
        if not gradients:
            continue
        norm = torch.nn.utils.get_total_norm(gradients)
        whole = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
        squares.append((str(group.get("name", number)), float(whole)))
    if not squares:
        return {}
    figures = {f"{PREFIX}grad_norm": sum(value * value for _, value in squares) ** 0.5}
    if len(optimizer.param_groups) > 1:
        figures.update({f"{PREFIX}grad_norm/{name}": value for name, value in squares})
    return figures


def memory() -> dict[str, float]:
    """Return the process's resident memory and what it has allocated on its GPU, in bytes."""
    import torch

    figures = {f"{PREFIX}rss_bytes": _resident_bytes()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        figures[f"{PREFIX}cuda_allocated_bytes"] = float(torch.cuda.memory_allocated())
        figures[f"{PREFIX}cuda_peak_bytes"] = float(torch.cuda.max_memory_allocated())
    return figures


def _resident_bytes() -> float:
    import os

    try:
        with open("/proc/self/statm", encoding="ascii") as source:
            return float(int(source.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError, IndexError):
        import resource

        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
