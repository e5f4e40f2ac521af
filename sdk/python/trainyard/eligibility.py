"""Says whether a gang's survivors may save for a rank that died, and if not, why not.

They may where every rank holds the same parameters and optimizer state, where both change in `optimizer.step` only, and
where what else a step moves can be captured cheaply. Everything else goes on from the last committed checkpoint.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from trainyard.snapshot import unwrap

#: Communication hooks of DistributedDataParallel that keep nothing between steps.
_STATELESS_HOOKS = ("allreduce_hook", "fp16_compress_hook", "bf16_compress_hook", "noop_hook", "default_hooks")


class Refusal(NamedTuple):
    """Why survivors cannot save: `reason` in UPPER_SNAKE, `message` one sentence."""

    reason: str
    message: str


def refusal(model: Any, optimizer: Any, world_size: int, replicated: bool | None) -> Refusal | None:
    """Return why a gang with this model and optimizer cannot be saved by survivors, or None when it can."""
    if world_size == 1:
        return Refusal("ONE_RANK", "The gang has one rank: when it dies, nobody is left who could save its state.")
    if model is None or optimizer is None:
        missing = "model" if model is None else "optimizer"
        return Refusal("NO_STATE", f"The script handed no {missing} to run.resume or run.state.")
    sharded = _sharded(model, optimizer)
    if sharded is not None:
        return Refusal("SHARDED", f"{sharded} keeps a part of the state on each rank, and that of a dead rank is gone.")
    return _not_replicated(model, replicated) or _not_seen(model, optimizer)


def _sharded(model: Any, optimizer: Any) -> str | None:
    """Name what of it is spread over the ranks."""
    for module in model.modules():
        if type(module).__name__ == "FullyShardedDataParallel" or type(module).__name__.startswith("FSDP"):
            return type(module).__name__
    if any(type(parameter).__name__ == "DTensor" for parameter in model.parameters()):
        return "A distributed tensor"
    if type(optimizer).__name__ == "ZeroRedundancyOptimizer":
        return "ZeroRedundancyOptimizer"
    return None


def _not_replicated(model: Any, replicated: bool | None) -> Refusal | None:
    if replicated is False:
        return Refusal("NOT_REPLICATED", "The script says that its ranks do not hold the same parameters.")
    if replicated is None and unwrap(model) is model:
        message = "The model is not wrapped in DistributedDataParallel, nor did the script say replicated=True."
        return Refusal("NOT_REPLICATED", message)
    for hook in getattr(model, "_comm_hooks", ()):
        name = getattr(hook[0], "__name__", "")
        if name not in _STATELESS_HOOKS:
            message = f"The communication hook {name or hook[0]!r} may keep state between steps that nobody can save for it."
            return Refusal("COMMUNICATION_HOOK", message)
    return None


def _not_seen(model: Any, optimizer: Any) -> Refusal | None:
    if not hasattr(optimizer, "register_step_pre_hook") or not hasattr(optimizer, "register_step_post_hook"):
        message = f"The optimizer, a {type(optimizer).__name__}, does not say when it begins and ends a step."
        return Refusal("OPTIMIZER_UNKNOWN", message)
    if any(parameter.device.type != "cpu" for parameter in model.parameters()):
        # An aborted kernel of NCCL can let a queued optimizer step apply garbage; not promised before two GPUs have shown it.
        return Refusal("NOT_ON_CPU", "The parameters are not on the CPU, where survivors are known to save exactly.")
    backend = _backend()
    if backend is not None and backend != "gloo":
        return Refusal(
            "NOT_GLOO", f"The ranks talk over {backend}; survivors of Gloo alone are known to learn of a death at once."
        )
    return None


def _backend() -> str | None:
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    name = str(distributed.get_backend())
    return "gloo" if name in ("gloo", "cpu:gloo") or _is_gloo(distributed) else name


def _is_gloo(distributed: Any) -> bool:
    """Say whether tensors on the CPU go over Gloo, in a group that has a backend per kind of device."""
    import torch

    group = distributed.distributed_c10d._get_default_group()
    try:
        return bool(group._get_backend(torch.device("cpu")).name() == "gloo")
    except RuntimeError:
        return False
