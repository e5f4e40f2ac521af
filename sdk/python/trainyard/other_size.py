"""Going on from a checkpoint with another number of ranks than made it.

What is the same on all ranks, and what is sharded, fits any number. The data position is one of the whole gang, so the rows of
an epoch that are left are divided anew. Generators go with their rank; a rank that was not there before draws from one of its
own. What a script keeps per rank (`state=`) has no meaning for another number, unless all ranks had kept the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from trainyard.checkpoint import CheckpointError, open_part
from trainyard.runtime.files import read_json


def world_size_of(root: str) -> int:
    """Return how many ranks made the checkpoint in `root`.

    Raises
    ------
    CheckpointError
        When it is not whole.
    """
    first = read_json(os.path.join(root, "rank-0", "rank.json"))
    if first is None:
        raise CheckpointError(f"cannot resume: {root} holds no rank-0/rank.json; the checkpoint is not whole")
    return int(first["worldSize"])


def facts_at_other_size(root: str, saved: int, rank: int, world_size: int) -> dict[str, Any]:
    """Return the facts of a rank that there was none of, or that was one of another number.

    Raises
    ------
    CheckpointError
        When the checkpoint is not whole, or holds what cannot be divided among `world_size` ranks.
    """
    parts = [open_part(os.path.join(root, f"rank-{each}"), saved) for each in range(saved)]
    if parts[0].get("own"):
        raise _undividable(root, saved, world_size, "each rank's own model, as of a pipeline's stages")
    if any(part["positions"] != parts[0]["positions"] for part in parts):
        raise _undividable(root, saved, world_size, "ranks at different places of the data")
    if not _same_states(root, parts):
        raise _undividable(root, saved, world_size, "a state= that is not the same on all ranks")
    facts = dict(parts[rank % saved])
    if rank >= saved and any(part["random"] != parts[0]["random"] for part in parts):
        seed = json.dumps([facts["random"], rank, facts["step"]]).encode()
        facts["reseed"] = int.from_bytes(hashlib.sha256(seed).digest()[:4], "little")
    return facts


def _same_states(root: str, parts: list[dict[str, Any]]) -> bool:
    if any(part.get("state") != parts[0].get("state") for part in parts):
        return False
    files = [os.path.join(root, f"rank-{rank}", "state.pt") for rank in range(len(parts))]
    return len({_digest(file) if os.path.isfile(file) else None for file in files}) == 1


def _digest(path: str) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as source:
        while chunk := source.read(1 << 20):
            found.update(chunk)
    return found.hexdigest()


def _undividable(root: str, saved: int, world_size: int, what: str) -> CheckpointError:
    return CheckpointError(
        f"cannot resume: the checkpoint in {root} was made by {saved} ranks and holds {what}; "
        f"it cannot be divided among {world_size}. Run it with {saved} ranks"
    )
