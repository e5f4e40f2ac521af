"""What a scenario of the parity check is, and the list that they all enter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from observe import Observer

Body = Callable[[MlflowClient, Observer, Path], None]


@dataclass(frozen=True)
class Scenario:
    """A named sequence of steps, and the methods of the client that it is there for."""

    name: str
    methods: tuple[str, ...]
    run: Body


SCENARIOS: list[Scenario] = []


def scenario(*methods: str) -> Callable[[Body], Body]:
    """Register a scenario for these methods, each of which counts as covered by it."""

    def register(body: Body) -> Body:
        SCENARIOS.append(Scenario(body.__name__, methods, body))
        return body

    return register


MISSING_RUN = "f" * 32
