"""Copies of training state in host memory, taken so fast that training goes on while they are written.

A snapshot holds only what `torch.load(weights_only=True)` reads back, so that loading a checkpoint never runs code.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainyard.host_memory import HostMemory

_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_NDARRAY = "__trainyard_ndarray__"


def unwrap(module: Any) -> Any:
    """Return the module inside DistributedDataParallel or DataParallel, or the module itself."""
    while type(module).__name__ in ("DistributedDataParallel", "DataParallel") and hasattr(module, "module"):
        module = module.module
    return module


def snapshot(value: Any, where: str, copy: bool = True, memory: HostMemory | None = None) -> Any:
    """Return a deep copy of `value` that shares no memory with it, tensors on the CPU.

    Without `copy` tensors that are on the CPU are taken as they are: for a loop that has ended. With `memory` they are
    copied into it, and hold until its next snapshot begins.

    Raises
    ------
    TypeError
        For a type that a checkpoint cannot hold; `where` and the path inside the value are in the message.
    """
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, dict):
        return _snapshot_dict(value, where, copy, memory)
    if isinstance(value, (list, tuple, set)) and type(value).__name__ != "Size":
        items = [snapshot(item, f"{where}[{index}]", copy, memory) for index, item in enumerate(value)]
        return items if isinstance(value, list) else set(items) if isinstance(value, set) else tuple(items)
    return _snapshot_number_like(value, where, copy, memory)


def _snapshot_dict(value: dict[Any, Any], where: str, copy: bool, memory: HostMemory | None) -> dict[Any, Any]:
    taken: dict[Any, Any] = OrderedDict() if isinstance(value, OrderedDict) else {}
    for key, item in value.items():
        taken[key] = snapshot(item, f"{where}[{key!r}]", copy, memory)
    if hasattr(value, "_metadata"):  # module versions that load_state_dict looks at
        # An attribute that torch sets on the dictionaries it returns; their type does not know it.
        taken._metadata = snapshot(value._metadata, where, copy)  # type: ignore[attr-defined]
    return taken


def _snapshot_number_like(value: Any, where: str, copy: bool, memory: HostMemory | None) -> Any:
    torch = sys.modules.get("torch")
    numpy = sys.modules.get("numpy")
    if torch is not None and isinstance(value, torch.Tensor):
        if memory is not None:
            return memory.copy(value.detach(), where)
        return value.detach().to("cpu", copy=copy)
    if torch is not None and isinstance(value, (torch.Size, torch.dtype, torch.device)):
        return value
    if numpy is not None and isinstance(value, numpy.generic):
        return value.item()
    if torch is not None and numpy is not None and isinstance(value, numpy.ndarray):
        return {_NDARRAY: torch.from_numpy(value.copy())}
    raise TypeError(
        f"{where} is a {type(value).__name__}, which a checkpoint cannot hold; "
        "pass its state_dict() or plain numbers, strings, lists, dicts, tensors and arrays"
    )


def revive(value: Any) -> Any:
    """Turn what `snapshot` made of arrays back into arrays."""
    if isinstance(value, dict):
        if list(value) == [_NDARRAY]:
            return value[_NDARRAY].numpy()
        return {key: revive(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(revive(item) for item in value)
    return value
