"""Files that two processes share: read whole or not at all, written so that a crash leaves the old or the new one."""

from __future__ import annotations

import json
import os
from typing import Any


def read_json(path: str) -> Any:
    """Return the JSON value in `path`, or None when there is no such file."""
    try:
        with open(path, encoding="utf-8") as source:
            return json.load(source)
    except FileNotFoundError:
        return None


def write_json(path: str, value: Any) -> None:
    """Replace `path` by the JSON of `value` atomically and durably (temporary file, fsync, rename, fsync of the folder).

    A reader that polls for the file therefore never sees half of it, and after a power loss it is there or not.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as target:
        json.dump(value, target, separators=(",", ":"))
        target.flush()
        os.fsync(target.fileno())
    os.replace(temporary, path)
    sync_directory(os.path.dirname(path) or ".")


def sync_directory(path: str) -> None:
    """Make the names in a directory durable; a rename alone is not, until the directory itself is synced."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
