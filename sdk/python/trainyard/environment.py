"""Everything the SDK reads from the environment, in one place."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

LOCAL_DIRECTORY = ".trainyard-local"
DEFAULT_EVERY_STEPS = 100


class Environment(NamedTuple):
    """What the platform told this rank; outside the platform, what torchrun or nobody did.

    `rank_dir` and `attempt_dir` are absolute; `local` says that no agent reads what is written there. `every_steps`,
    `every_seconds` and `best` (a metric, and whether larger is better) say when checkpoints are due; `stream`, that they go
    to the agent without a copy on the disk.
    """

    local: bool
    run_id: str
    attempt: int
    rank: int
    world_size: int
    local_world_size: int
    rank_dir: str
    attempt_dir: str
    params: dict[str, Any]
    manifest: str | None
    data_paths: list[str]
    resume_dir: str | None
    every_steps: int
    every_seconds: int
    best: tuple[str, bool] | None
    stream: bool
    seed: int | None
    deterministic: bool

    @classmethod
    def read(cls, env: Mapping[str, str] = os.environ) -> Environment:
        """Read the environment.

        Raises
        ------
        ValueError
            When a variable does not have the form it must have; the message names it.
        """
        rank = _integer(env, "RANK", 0)
        rank_dir = env.get("TRAINYARD_RANK_DIR")
        local = not rank_dir
        attempt_dir = os.path.abspath(env.get("TRAINYARD_ATTEMPT_DIR") or LOCAL_DIRECTORY)
        return cls(
            local=local,
            run_id=env.get("TRAINYARD_RUN_ID", "local"),
            attempt=_integer(env, "TRAINYARD_ATTEMPT", 1),
            rank=rank,
            world_size=_integer(env, "WORLD_SIZE", 1),
            local_world_size=_integer(env, "LOCAL_WORLD_SIZE", _integer(env, "WORLD_SIZE", 1)),
            rank_dir=os.path.abspath(rank_dir or os.path.join(attempt_dir, f"rank-{rank}")),
            attempt_dir=attempt_dir,
            params=_object(env, "TRAINYARD_PARAMS"),
            manifest=env.get("TRAINYARD_DATASET_MANIFEST") or None,
            data_paths=_texts(env, "TRAINYARD_DATA_PATHS"),
            resume_dir=env.get("TRAINYARD_RESUME_DIR") or None,
            every_steps=_integer(env, "TRAINYARD_CHECKPOINT_EVERY_STEPS", DEFAULT_EVERY_STEPS),
            every_seconds=_integer(env, "TRAINYARD_CHECKPOINT_EVERY_SECONDS", 0),
            best=_best(env, "TRAINYARD_CHECKPOINT_BEST"),
            stream=env.get("TRAINYARD_CHECKPOINT_STREAM") == "1",
            seed=_integer(env, "TRAINYARD_SEED", 0) if env.get("TRAINYARD_SEED") else None,
            # Outside the platform a script that was given no seed is left as it is.
            deterministic=env.get("TRAINYARD_DETERMINISTIC", "1" if env.get("TRAINYARD_SEED") else "0") not in ("", "0"),
        )


def _integer(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name)
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"environment variable {name} is {text!r}; expected an integer") from None


def _texts(env: Mapping[str, str], name: str) -> list[str]:
    text = env.get(name)
    value = json.loads(text) if text else []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"environment variable {name} is {text!r}; expected a JSON list of texts")
    return value


def _best(env: Mapping[str, str], name: str) -> tuple[str, bool] | None:
    """Read ``min:METRIC`` or ``max:METRIC``: the metric, and whether larger is better."""
    text = env.get(name)
    if not text:
        return None
    mode, _, metric = text.partition(":")
    if mode not in ("min", "max") or not metric:
        raise ValueError(f"environment variable {name} is {text!r}; expected min:METRIC or max:METRIC")
    return metric, mode == "max"


def _object(env: Mapping[str, str], name: str) -> dict[str, Any]:
    text = env.get(name)
    try:
        value = json.loads(text) if text else {}
    except json.JSONDecodeError as error:
        raise ValueError(f"environment variable {name} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"environment variable {name} holds {type(value).__name__}; expected a JSON object")
    return value
