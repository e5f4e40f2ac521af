"""One call of each method of the client that this server's list of what it leaves out may name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlflow import MlflowClient

MISSING = "f" * 32

CALLS: dict[str, Callable[[MlflowClient], Any]] = {}
