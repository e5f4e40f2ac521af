"""A module's buffers as the bytes of a boundary capture, and back."""

from __future__ import annotations

from typing import Any

from trainyard.checkpoint import CheckpointError


def tensors_of(described: list[dict[str, Any]], data: bytes) -> dict[str, Any]:
    """Return the buffers by name; each has memory of its own."""
    import torch

    memory = torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)
    tensors = {}
    for one in described:
        dtype = getattr(torch, one["dtype"])
        part = memory[one["at"] : one["at"] + one["bytes"]]
        tensors[one["name"]] = part.clone().view(dtype).reshape(one["shape"])
    return tensors


def put_back(module: Any, described: list[dict[str, Any]], data: bytes) -> None:
    """Give a module the buffers of a capture.

    Raises
    ------
    CheckpointError
        When it has other buffers.
    """
    import torch

    own = dict(module.named_buffers())
    saved = tensors_of(described, data)
    if own.keys() != saved.keys() or any(own[name].shape != tensor.shape for name, tensor in saved.items()):
        differing = sorted(own.keys() ^ saved.keys()) or ["their shapes"]
        raise CheckpointError(
            f"cannot resume: the model's buffers are not those of the checkpoint ({', '.join(differing[:5])})"
        )
    with torch.no_grad():
        for name, tensor in saved.items():
            own[name].copy_(tensor)
