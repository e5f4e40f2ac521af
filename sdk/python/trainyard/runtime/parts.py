"""Makes a checkpoint's parts of what the ranks of a gang left, and tells the agent of them."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from trainyard.boundary import WHOLE, Capture, random_of
from trainyard.gradient_order import left_in
from trainyard.records import encode_object, readable_bytes
from trainyard.runtime.files import sync_directory, write_json


class Part(NamedTuple):
    """One rank's part: its directory relative to the attempt's, its files, and where its history ends."""

    directory: str
    files: list[dict[str, Any]]
    offset: int


def write_part(
    attempt_dir: str,
    directory: str,
    rank_dir: str,
    step: int,
    facts: dict[str, Any],
    capture: Capture,
    shared: tuple[str, list[dict[str, Any]]] | None,
) -> Part:
    """Put a rank's part together from its capture, and for the rank that saved from what is the same on all ranks.

    `directory` and `shared` (a folder and its files) are relative to the attempt's directory. The part appears by a rename.
    """
    place = os.path.join(attempt_dir, directory)
    temporary = f"{place}.tmp"
    if shared is not None:
        os.rename(os.path.join(attempt_dir, shared[0]), temporary)
    os.makedirs(temporary, mode=0o700, exist_ok=True)
    files = list(shared[1]) if shared is not None else []
    if capture.buffers:
        _write(os.path.join(temporary, "buffers.bin"), capture.buffers)
        files.append({"path": "buffers.bin", "sizeBytes": len(capture.buffers)})
    own = {
        "schema": 1,
        "step": step,
        "rank": facts["rank"],
        "worldSize": facts["worldSize"],
        "random": random_of(capture),
        "positions": capture.extra.get("positions", {}),
        "buffers": facts["buffers"],
        "files": files,
    }
    if "state" in capture.extra:
        own["state"] = capture.extra["state"]
    order = left_in(rank_dir)
    if order is not None:
        own["gradientOrder"] = order
    path = os.path.join(temporary, "rank.json")
    write_json(path, own)
    size = os.path.getsize(path)
    os.rename(temporary, place)
    sync_directory(os.path.dirname(place))
    offset = capture.offset if capture.kind == WHOLE else readable_end(rank_dir)
    return Part(directory, [*files, {"path": "rank.json", "sizeBytes": size}], offset)


def announce(rank_dir: str, *records: dict[str, Any]) -> None:
    """Append records to a rank's record file, behind what it has recorded itself; a torn end is taken away first."""
    path = os.path.join(rank_dir, "records.bin")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        # What a rank that was killed had half written would hide all that follows. One that waits writes nothing.
        os.ftruncate(descriptor, readable_end(rank_dir))
        os.write(descriptor, b"".join(encode_object(record) for record in records))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def readable_end(rank_dir: str) -> int:
    """Return where the readable prefix of a rank's record file ends."""
    try:
        with open(os.path.join(rank_dir, "records.bin"), "rb") as source:
            return readable_bytes(source)[0]
    except FileNotFoundError:
        return 0


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as target:
        target.write(data)
        target.flush()
        os.fsync(target.fileno())
