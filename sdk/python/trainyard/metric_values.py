"""Numbers as metrics hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def number(key: str, value: Any) -> float:
    """Return the value of a metric: an int, a float, or anything of one element with `.item()`.

    Raises
    ------
    TypeError
        For a value that is not a number; the message names the key.
    """
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, (int, float)):
        return float(value)
    raise TypeError(f"metric {key!r} is a {type(value).__name__}; expected a number")


def finite(values: Mapping[str, float]) -> dict[str, float]:
    """Leave out NaN and infinities, which JSON cannot hold."""
    return {key: value for key, value in values.items() if value - value == 0}
