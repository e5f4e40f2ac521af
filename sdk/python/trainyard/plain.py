"""Values of any kind as JSON can hold them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as JSON can hold them: what it cannot (NaN, infinities, objects) as its text."""
    return {str(key): _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        with contextlib.suppress(TypeError, ValueError, RuntimeError):
            value = value.item()
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return str(value)
    return value
