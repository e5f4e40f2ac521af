"""Puts a training's state back from a checkpoint, whole or not at all: what does not fit is an error, never a fresh start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from trainyard.checkpoint import SHARED, CheckpointError, load_file, open_part
from trainyard.other_size import facts_at_other_size, world_size_of
from trainyard.snapshot import revive, unwrap


def load(root: str, rank: int, world_size: int, parts: Mapping[str, Any], state: dict[str, Any] | None) -> dict[str, Any]:
    """Load `parts` (model, optimizer, scheduler, scaler) and `state` from the checkpoint in `root`; return this rank's facts.

    Raises
    ------
    CheckpointError
        When the checkpoint is not whole, lacks a part that is asked for, has one that is not, or has one that does not fit;
        and when another number of ranks made it and it holds what cannot be divided anew.
    """
    saved = world_size_of(root)
    own = os.path.join(root, f"rank-{rank % saved}")
    facts = open_part(own, saved) if saved == world_size else facts_at_other_size(root, saved, rank, world_size)
    first, shared = _shared(root, saved, own)
    if facts.get("sharded"):
        _load_sharded(root, saved, parts)
    for name in SHARED:
        if facts.get("sharded") and name in ("model", "optimizer"):
            continue
        part = parts.get(name)
        if part is None:
            if f"{name}.pt" in shared:
                raise CheckpointError(
                    f"cannot resume: the checkpoint in {root} holds the state of the {name}, which the script did not "
                    f"hand over; it would start afresh. Pass {name}= to run.resume"
                )
            continue
        if f"{name}.pt" not in shared:
            raise CheckpointError(f"cannot resume: the checkpoint in {root} holds no {name}; pass it to run.checkpoint")
        _load_part(name, unwrap(part), _read(first, name))
    _load_state(root, own, facts, state)
    if facts.get("buffers"):
        from trainyard.buffers import put_back

        with open(os.path.join(own, "buffers.bin"), "rb") as source:
            put_back(unwrap(parts["model"]), facts["buffers"], source.read())
    return facts


def _load_sharded(root: str, saved_world_size: int, parts: Mapping[str, Any]) -> None:
    from trainyard import sharding

    model, optimizer = parts.get("model"), parts.get("optimizer")
    if model is None or not sharding.is_sharded(unwrap(model)):
        raise CheckpointError(
            f"cannot resume: the checkpoint in {root} is of a sharded model; pass the model to run.resume after fully_shard"
        )
    sharding.load(root, saved_world_size, unwrap(model), optimizer)


def _shared(root: str, world_size: int, own: str) -> tuple[str, set[str]]:
    """Find the part that holds what is the same on all ranks: rank 0's, or that of the rank that saved for all.

    Where each rank has a model of its own, it is its own part.
    """
    for folder in (own, *(os.path.join(root, f"rank-{rank}") for rank in range(world_size))):
        files = {file["path"] for file in open_part(folder, world_size)["files"]}
        if files & {f"{name}.pt" for name in SHARED}:
            return folder, files
    return os.path.join(root, "rank-0"), set()


def _read(folder: str, name: str) -> Any:
    try:
        return load_file(folder, name)
    except Exception as error:
        raise CheckpointError(f"cannot resume: {os.path.join(folder, name)}.pt cannot be read: {error}") from error


def _load_part(name: str, part: Any, saved: Any) -> None:
    problem = _problem(part, saved)
    if problem is None:
        try:
            part.load_state_dict(saved)
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            problem = str(error)
    if problem is not None:
        raise CheckpointError(f"cannot resume: the checkpoint's {name} does not fit that of the script: {problem}")


def _problem(part: Any, saved: Any) -> str | None:
    """Say what of a saved state `load_state_dict` would take in without a word although it is of something else."""
    if not isinstance(saved, dict):
        return f"it is a {type(saved).__name__}"
    own = part.state_dict()
    if "param_groups" in own:
        groups = [set(group) for group in own["param_groups"]]
        theirs = [set(group) for group in saved.get("param_groups", [])]
        if groups != theirs:
            return "it is of an optimizer with other settings or another number of parameter groups"
    elif type(part).__module__.startswith("torch.optim.lr_scheduler") and own.keys() != saved.keys():
        return f"it has {', '.join(sorted(saved.keys() ^ own.keys()))} that the other has not"
    return None


def _load_state(root: str, own: str, facts: dict[str, Any], state: dict[str, Any] | None) -> None:
    in_file = any(file["path"] == "state.pt" for file in facts["files"])
    if state is None:
        if in_file or "state" in facts:
            raise CheckpointError(
                f"cannot resume: the checkpoint in {root} holds a state of the script's own, which it did not ask for; "
                "it would start afresh. Pass state= to run.resume"
            )
    elif "state" in facts:
        from trainyard.exact_json import from_json

        state.update(from_json(facts["state"]))
    elif in_file:
        state.update(revive(_read(own, "state")))
    else:
        raise CheckpointError(f"cannot resume: the checkpoint in {root} holds no state; pass state= to run.checkpoint")
