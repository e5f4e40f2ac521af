"""The list of flows, and what they share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from mlflow.exceptions import MlflowException

FLOWS: list[Callable[[], None]] = []


def flow(body: Callable[[], None]) -> Callable[[], None]:
    """Register a flow."""
    FLOWS.append(body)
    return body


Refusal = TypeVar("Refusal", bound=Exception)


def refused(call: Callable[[], object], kind: type[Refusal] = MlflowException) -> Refusal:
    """Expect the call to be refused, and give the refusal."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError("was not refused")


def until(found: Callable[[], list], what: str, at_least: int) -> None:
    """Wait until so many are found."""
    deadline = time.monotonic() + 60
    while len(found()) < at_least:
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(0.05)
