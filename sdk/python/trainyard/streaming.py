"""A checkpoint's bytes on their way from memory through the node's agent into the blob store, without a copy on the disk.

Each file of the part is a named pipe, where the file would be. The record that tells the agent of the checkpoint holds the
files' digests and sizes, for which the bytes are made once and only hashed: what the store has already is not sent at all, and
what is sent is held against its digest at the other end. The agent opens the pipes that it needs, in any order and as often as
it needs (it may die and begin anew), and removes the folder when the part is reported; until then the snapshot stays.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import select
import shutil
import time
from collections.abc import Callable
from typing import Any

_PIPE_BYTES = 1 << 20
_LOOK_SECONDS = 0.01


class Stream:
    """One rank's part of one checkpoint, served from memory."""

    def __init__(self, directory: str, parts: dict[str, Any], facts: dict[str, Any]) -> None:
        self._directory, self._parts, self._facts = directory, parts, facts
        #: By the file's path: what writes it.
        self._writers: dict[str, Callable[[Any], Any]] = {}

    def describe(self) -> list[dict[str, Any]]:
        """Make the pipes; return what the files in them are: path, size, SHA-256."""
        shutil.rmtree(self._directory, ignore_errors=True)
        os.makedirs(self._directory, mode=0o700)
        described = [file for name, value in self._parts.items() for file in self._describe_part(name, value)]
        sizes = [{"path": file["path"], "sizeBytes": file["sizeBytes"]} for file in described]
        text = json.dumps({"schema": 1, **self._facts, "files": sizes}).encode()
        described.append(self._describe_one("rank.json", lambda target: target.write(text)))
        for file in described:
            path = os.path.join(self._directory, file["path"])
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            os.mkfifo(path, 0o600)
        return described

    def serve(self) -> None:
        """Give the bytes to whoever opens the pipes, until the folder is gone."""
        while True:
            for path, write in self._writers.items():
                try:
                    self._serve_one(path, write)
                except FileNotFoundError:
                    if not os.path.isdir(self._directory):
                        return
            time.sleep(_LOOK_SECONDS)

    def _serve_one(self, path: str, write: Callable[[Any], Any]) -> None:
        try:
            pipe = os.open(os.path.join(self._directory, path), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nobody reads
                return
            raise
        target = _Pipe(pipe)
        try:
            # Without the room it is only slower.
            _try(lambda: fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES))
            write(target)
        except BaseException:
            if not target.broken:  # torch tells of a reader that is gone by errors of its own, one of which is no Exception
                raise
        finally:
            os.close(pipe)

    def _describe_part(self, name: str, value: Any) -> list[dict[str, Any]]:
        if name == "sharded":
            return self._describe_shards(value)
        import torch

        return [self._describe_one(f"{name}.pt", lambda target: torch.save(value, target))]

    def _describe_one(self, path: str, write: Callable[[Any], Any]) -> dict[str, Any]:
        target = _Hashed()
        write(target)
        self._writers[path] = write
        return target.describe(path)

    def _describe_shards(self, state: dict[str, Any]) -> list[dict[str, Any]]:
        """Make the files once, as they come, of which each is made again by itself when it is read."""
        from trainyard import sharding

        hashed: dict[str, _Hashed] = {}
        sharding.write_to(state, lambda name: hashed.setdefault(name, _Hashed(keep=name == sharding.METADATA)))

        def of(name: str) -> Callable[[Any], Any]:
            kept = hashed[name].kept
            if kept is not None:
                return lambda target: target.write(kept)
            return lambda target: sharding.write_to(state, lambda other: target if other == name else _Hashed())

        paths = {name: os.path.join(sharding.FOLDER, name) for name in hashed}
        self._writers.update({path: of(name) for name, path in paths.items()})
        return [hashed[name].describe(path) for name, path in paths.items()]


class _Pipe:
    """A pipe that does not block, as a file to write to. Waits for room, and ends with the reader."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._written = 0
        self.broken = False

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._written

    def write(self, data: Any) -> int:
        """Write all of it.

        Raises
        ------
        BrokenPipeError
            When nobody reads any more.
        """
        left = memoryview(data).cast("B")
        total = len(left)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BrokenPipeError:
                self.broken = True
                raise
            except BlockingIOError:
                select.select([], [self._descriptor], [], 1.0)
        self._written += total
        return total

    def flush(self) -> None:
        """Do nothing: what is written is with the reader."""

    def close(self) -> None:
        """Do nothing: whoever opened the pipe closes it."""


class _Hashed:
    """A file of which only digest and size are kept, and the bytes where that is asked for."""

    def __init__(self, keep: bool = False) -> None:
        self.kept: bytearray | None = bytearray() if keep else None
        self._hash = hashlib.sha256()
        self._size = 0

    def tell(self) -> int:
        return self._size

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._hash.update(view)
        self._size += len(view)
        if self.kept is not None:
            self.kept += view
        return len(view)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def describe(self, path: str) -> dict[str, Any]:
        return {"path": path, "sizeBytes": self._size, "digest": self._hash.hexdigest()}


def _try(action: Callable[[], Any]) -> None:
    try:
        action()
    except OSError:
        return
