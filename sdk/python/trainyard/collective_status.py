"""Sees to it that no optimizer applies what an aborted collective of NCCL has left in the gradients.

On a GPU a collective is only queued by its call, and the optimizer's step is queued behind it. When NCCL aborts a collective
(its watchdog does so at a timeout and when a peer is gone), the kernel ends, and what is queued behind it goes on with whatever
is in the buffers then. So before a step is queued, the host waits until the device has done what comes before it, the
collectives among it, and asks each communicator whether it has failed; if one has, the step raises and is never queued.

It costs what the host could have run ahead of the device: from one optimizer step to the next.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

SUCCESS = "SUCCESS"


class CollectivesFailedError(RuntimeError):
    """A collective of this step did not succeed, and the optimizer was kept from applying what it left."""


def watch_collectives(optimizer: Any) -> None:
    """Have `optimizer` step only after collectives that succeeded, where ranks talk over NCCL; see the module."""
    if hasattr(optimizer, "register_step_pre_hook") and _is_on_gpu(optimizer):
        step_only_after_success(optimizer, nccl_backends, finish_device)


def step_only_after_success(
    optimizer: Any, backends: Callable[[], Iterable[Any]], finish: Callable[[], None]
) -> Callable[[], None]:
    """Check `backends` before each step of `optimizer`, once `finish` has waited for the step's collectives.

    Returns what ends it. The hook raises `CollectivesFailedError`, from `optimizer.step()`, before anything is changed.
    """

    def before_step(*_: Any) -> None:
        # Asked at each step: the script may make its process groups after it has handed over its optimizer.
        found = list(backends())
        if not found:
            return
        finish()
        for backend in found:
            status = backend.get_error().name
            if status != SUCCESS:
                raise CollectivesFailedError(
                    f"a collective of this step failed ({backend.name()}: {status}), as it does when another rank of the gang "
                    "has died or does not answer; the optimizer's step is not applied"
                )

    handle = optimizer.register_step_pre_hook(before_step)
    ended: Callable[[], None] = handle.remove
    return ended


def _is_on_gpu(optimizer: Any) -> bool:
    # Asking CUDA whether there is a device would initialise it, in ranks that may never use it.
    return any(parameter.is_cuda for group in optimizer.param_groups for parameter in group["params"])


def nccl_backends() -> list[Any]:
    """Return the NCCL backends of this process's groups."""
    torch = sys.modules["torch"]
    distributed = torch.distributed
    if not distributed.is_available() or not distributed.is_initialized():
        return []
    found = []
    for group in distributed.distributed_c10d._world.pg_map:
        try:
            backend = group._get_backend(torch.device("cuda"))
        except RuntimeError:  # this group has none for GPUs
            continue
        backend = getattr(backend, "wrapped_pg", backend)  # of TORCH_DISTRIBUTED_DEBUG=DETAIL
        if backend.name().startswith("nccl"):
            found.append(backend)
    return found


def finish_device() -> None:
    """Wait until the current stream has done all that is queued, collectives that it waits for too."""
    cuda = sys.modules["torch"].cuda
    # While a graph is captured nothing runs, and waiting is an error; the graph's replay is not seen by this hook.
    if cuda.is_initialized() and not cuda.is_current_stream_capturing():
        cuda.current_stream().synchronize()
