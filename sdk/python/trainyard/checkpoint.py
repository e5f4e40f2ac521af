"""Writing and reading checkpoints.

A checkpoint at a step is one folder per rank, `ckpt/<step>/rank-<r>/`. In each: `rank.json` (step, world size, generator
states, data position, the folder's other files with their sizes; written last) and `state.pt` (the script's own state).
In rank 0's also `model.pt`, `optimizer.pt`, `scheduler.pt`, `scaler.pt`: replicated state is the same everywhere, so it is
stored once. A folder appears by rename, so it is whole or absent.

One thread writes, one checkpoint at a time: a second waits for the first, so memory holds at most one extra snapshot.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from trainyard.runtime.files import read_json, sync_directory

SHARED = ("model", "optimizer", "scheduler", "scaler")
KEPT_LOCALLY = 3


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written or resumed from; the message says which file and what to do."""


class Written(NamedTuple):
    """A rank's part of a checkpoint that stands on disk; `files` are relative to `directory`."""

    directory: str
    files: list[dict[str, Any]]


class CheckpointWriter:
    """Writes snapshots in the background."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def start(self, store: Callable[[], None], parts: dict[str, Any]) -> None:
        """Begin to `store` the snapshot that `parts` are.

        Waits first for the checkpoint in flight, and raises what went wrong with it.
        """
        self.wait()
        if parts:
            # Here and not in the thread: torch cannot be imported once the interpreter has begun to end.
            import torch  # noqa: F401

        def work() -> None:
            try:
                store()
            except BaseException as error:
                self._error = error

        self._thread = threading.Thread(target=work, name="trainyard-checkpoint", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait for the checkpoint in flight.

        Raises
        ------
        CheckpointError
            When it could not be written.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise CheckpointError(f"the last checkpoint could not be written: {error}") from error


def write_part(directory: str, parts: dict[str, Any], facts: dict[str, Any]) -> Written:
    """Write one rank's part durably: files in a temporary folder, each synced, then the folder renamed into place."""
    temporary = f"{directory}.tmp"
    os.makedirs(temporary, mode=0o700, exist_ok=True)
    files = []
    for name, value in parts.items():
        if name == "sharded":
            files += _write_shards(value, temporary)
            continue
        import torch

        path = os.path.join(temporary, f"{name}.pt")
        with open(path, "wb") as target:
            torch.save(value, target)
            target.flush()
            os.fsync(target.fileno())
        files.append({"path": f"{name}.pt", "sizeBytes": os.path.getsize(path)})
    path = os.path.join(temporary, "rank.json")
    with open(path, "w", encoding="utf-8") as text:
        json.dump({"schema": 1, **facts, "files": files}, text)
        text.flush()
        os.fsync(text.fileno())
    sync_directory(temporary)
    os.rename(temporary, directory)
    sync_directory(os.path.dirname(directory))
    return Written(
        directory, [*files, {"path": "rank.json", "sizeBytes": os.path.getsize(os.path.join(directory, "rank.json"))}]
    )


def _write_shards(state: dict[str, Any], directory: str) -> list[dict[str, Any]]:
    from trainyard import sharding

    folder = os.path.join(directory, sharding.FOLDER)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    names = sharding.write(state, folder)
    sync_directory(folder)
    paths = [os.path.join(sharding.FOLDER, name) for name in names]
    return [{"path": path, "sizeBytes": os.path.getsize(os.path.join(directory, path))} for path in paths]


def open_part(directory: str, world_size: int) -> dict[str, Any]:
    """Return a rank's `rank.json`, after checking that the part is whole and fits this world size.

    Raises
    ------
    CheckpointError
        When a file is missing or has another size, or when the checkpoint was made by another number of ranks.
    """
    facts = read_json(os.path.join(directory, "rank.json"))
    if facts is None:
        raise CheckpointError(f"cannot resume: {directory} holds no rank.json; the checkpoint is not whole")
    for file in facts["files"]:
        path = os.path.join(directory, file["path"])
        size = os.path.getsize(path) if os.path.isfile(path) else None
        if size != file["sizeBytes"]:
            found = "is missing" if size is None else f"has {size} bytes"
            raise CheckpointError(f"cannot resume: {path} {found}; expected {file['sizeBytes']} bytes")
    if facts["worldSize"] != world_size:
        raise CheckpointError(
            f"cannot resume: {directory} is of a checkpoint of {facts['worldSize']} ranks, another part of {world_size}"
        )
    return dict(facts)


def load_file(directory: str, name: str) -> Any:
    """Load `<name>.pt` of a part; never runs code from the file."""
    import torch

    return torch.load(os.path.join(directory, f"{name}.pt"), map_location="cpu", weights_only=True)


def newest_local(root: str, world_size: int) -> str | None:
    """Return the newest checkpoint folder under `root` that every rank has completed (outside the platform)."""
    steps = sorted((int(name) for name in os.listdir(root) if name.isdigit()), reverse=True) if os.path.isdir(root) else []
    for step in steps:
        folder = os.path.join(root, str(step))
        if all(os.path.isfile(os.path.join(folder, f"rank-{rank}", "rank.json")) for rank in range(world_size)):
            return folder
    return None


def prune_local(root: str, rank: int, keep: int = KEPT_LOCALLY) -> None:
    """Remove this rank's parts of all but the newest `keep` checkpoints (outside the platform, where no agent does)."""
    import shutil

    steps = sorted((int(name) for name in os.listdir(root) if name.isdigit()), reverse=True) if os.path.isdir(root) else []
    for step in steps[keep:]:
        folder = os.path.join(root, str(step))
        shutil.rmtree(os.path.join(folder, f"rank-{rank}"), ignore_errors=True)
        with contextlib.suppress(OSError):  # not empty while another rank has its part
            os.rmdir(folder)
