"""A script's own state as JSON and back: exact, for what a checkpoint can hold, and without torch where no tensor is in it.

Numbers, strings, None, lists and dictionaries with string keys are themselves; everything else is an object with one key that
begins with ``$``: tuples, sets, bytes, complex numbers, other dictionaries, tensors and arrays (as base64).
"""

from __future__ import annotations

import base64
import math
import sys
from collections.abc import Callable
from typing import Any


def to_json(value: Any, where: str) -> Any:
    """Return `value` as a JSON value.

    Raises
    ------
    TypeError
        For a type that a checkpoint cannot hold; the path inside the value is in the message.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, dict):
        return _dict_to_json(value, where)
    if isinstance(value, (list, tuple, set)):
        items = [to_json(item, f"{where}[{index}]") for index, item in enumerate(value)]
        return items if type(value) is list else {"$set" if isinstance(value, set) else "$tuple": items}
    return _other_to_json(value, where)


def _dict_to_json(value: dict[Any, Any], where: str) -> Any:
    if all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {key: to_json(item, f"{where}[{key!r}]") for key, item in value.items()}
    pairs = value.items()
    return {"$dict": [[to_json(key, where), to_json(item, f"{where}[{key!r}]")] for key, item in pairs]}


def _other_to_json(value: Any, where: str) -> Any:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, complex):
        return {"$complex": [to_json(value.real, where), to_json(value.imag, where)]}
    return _array_to_json(value, where)


def _array_to_json(value: Any, where: str) -> Any:
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None and isinstance(value, torch.Tensor):
        flat = value.detach().to("cpu").contiguous().reshape(-1).view(torch.uint8)
        data = base64.b64encode(flat.numpy().tobytes()).decode("ascii")
        return {"$tensor": [str(value.dtype).removeprefix("torch."), list(value.shape), data]}
    if numpy is not None and isinstance(value, numpy.generic):
        return to_json(value.item(), where)
    if numpy is not None and isinstance(value, numpy.ndarray) and not value.dtype.hasobject:
        return {"$array": [value.dtype.str, list(value.shape), base64.b64encode(value.tobytes()).decode("ascii")]}
    raise TypeError(
        f"{where} is a {type(value).__name__}, which a checkpoint cannot hold; "
        "pass its state_dict() or plain numbers, strings, lists, dicts, tensors and arrays"
    )


def from_json(value: Any) -> Any:
    """Return what `to_json` was given."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, inner),) = value.items()
        if key in _READERS:
            return _READERS[key](inner)
    return {key: from_json(item) for key, item in value.items()}


def _tensor(inner: list[Any]) -> Any:
    import torch

    name, shape, data = inner
    dtype = getattr(torch, name)
    if math.prod(shape) == 0:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(bytearray(base64.b64decode(data)), dtype=torch.uint8).view(dtype).reshape(shape)


def _array(inner: list[Any]) -> Any:
    import numpy

    dtype, shape, data = inner
    return numpy.frombuffer(bytearray(base64.b64decode(data)), dtype=dtype).reshape(shape)


_READERS: dict[str, Callable[[Any], Any]] = {
    "$float": float,
    "$dict": lambda pairs: {from_json(key): from_json(item) for key, item in pairs},
    "$set": lambda items: set(from_json(items)),
    "$tuple": lambda items: tuple(from_json(items)),
    "$bytes": base64.b64decode,
    "$complex": lambda parts: complex(from_json(parts[0]), from_json(parts[1])),
    "$tensor": _tensor,
    "$array": _array,
}
