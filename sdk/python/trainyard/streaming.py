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
        self._files: list[dict[str, Any]] = []
        self._text = b""

    def describe(self) -> list[dict[str, Any]]:
        """Make the pipes; return what the files in them are: path, size, SHA-256."""
        shutil.rmtree(self._directory, ignore_errors=True)
        os.makedirs(self._directory, mode=0o700)
        described = [{"path": f"{name}.pt", **_digest(self._writer_of(name))} for name in self._parts]
        sizes = [{"path": file["path"], "sizeBytes": file["sizeBytes"]} for file in described]
        self._text = json.dumps({"schema": 1, **self._facts, "files": sizes}).encode()
        described.append({"path": "rank.json", **_digest(lambda target: target.write(self._text))})
        for file in described:
            os.mkfifo(os.path.join(self._directory, file["path"]), 0o600)
        self._files = described
        return described

    def serve(self) -> None:
        """Give the bytes to whoever opens the pipes, until the folder is gone."""
        while True:
            for file in self._files:
                try:
                    self._serve_one(file["path"])
                except FileNotFoundError:
                    if not os.path.isdir(self._directory):
                        return
            time.sleep(_LOOK_SECONDS)

    def _serve_one(self, name: str) -> None:
        try:
            pipe = os.open(os.path.join(self._directory, name), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nobody reads
                return
            raise
        target = _Pipe(pipe)
        try:
            # Without the room it is only slower.
            _try(lambda: fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES))
            if name == "rank.json":
                target.write(self._text)
            else:
                self._writer_of(name.removesuffix(".pt"))(target)
        except (BrokenPipeError, RuntimeError):
            if not target.broken:  # torch tells of a reader that is gone by an error of its own
                raise
        finally:
            os.close(pipe)

    def _writer_of(self, part: str) -> Callable[[Any], Any]:
        import torch

        return lambda target: torch.save(self._parts[part], target)


class _Pipe:
    """A pipe that does not block, as a file to write to. Waits for room, and ends with the reader."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.broken = False

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
        return total

    def flush(self) -> None:
        """Do nothing: what is written is with the reader."""


class _Hashed:
    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self.hash.update(view)
        self.size += len(view)
        return len(view)

    def flush(self) -> None:
        pass


def _digest(write: Callable[[Any], Any]) -> dict[str, Any]:
    target = _Hashed()
    write(target)
    return {"sizeBytes": target.size, "digest": target.hash.hexdigest()}


def _try(action: Callable[[], Any]) -> None:
    try:
        action()
    except OSError:
        return
