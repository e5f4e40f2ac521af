"""One rank's checkpoints: what is copied while the loop stands still, and what is done with it behind the loop."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from trainyard.checkpoint import SHARED, CheckpointWriter, Written, prune_local, write_part
from trainyard.host_memory import HostMemory
from trainyard.sharding import is_sharded, state_of
from trainyard.snapshot import snapshot, unwrap

if TYPE_CHECKING:
    from trainyard.environment import Environment

#: Left on the disk for what ranks write besides checkpoints, when it is decided whether one fits.
SPARE_BYTES = 256 << 20


class Saver:
    """Takes snapshots and has them written, one at a time."""

    def __init__(
        self, environment: Environment, append: Callable[[dict[str, Any]], None], wrote: Callable[[float], None]
    ) -> None:
        """`append` says a record to the node's agent; `wrote` is told how long a checkpoint took."""
        self._env, self._append, self._wrote = environment, append, wrote
        self._memory = HostMemory()
        self._writer = CheckpointWriter()

    def wait(self) -> None:
        """Wait for the checkpoint in flight; raises `CheckpointError` when it could not be written."""
        self._writer.wait()

    def take(
        self, shared: Mapping[str, Any], state: Mapping[str, Any] | None, facts: Callable[[], dict[str, Any]], own: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Copy what a checkpoint holds; return the parts by name, and the facts as they were at that moment.

        `own` says that each rank's model and optimizer are its own and not the same on all.
        """
        self._memory.begin()
        parts: dict[str, Any] = {}
        model, optimizer = shared.get("model"), shared.get("optimizer")
        sharded = is_sharded(unwrap(model)) if model is not None else False
        if sharded:
            parts["sharded"] = snapshot(state_of(unwrap(model), optimizer), "sharded", memory=self._memory)
        for name in SHARED:
            value = shared.get(name)
            if value is None or (sharded and name in ("model", "optimizer")) or not (own or self._env.rank == 0):
                continue
            parts[name] = snapshot(unwrap(value).state_dict(), name, memory=self._memory)
        if state is not None:
            parts["state"] = snapshot(dict(state), "state", memory=self._memory)
        told = {**facts(), **({"sharded": True} if sharded else {}), **({"own": True} if own else {})}
        self._memory.end()
        return parts, told

    def write(self, step: int, parts: dict[str, Any], facts: dict[str, Any], record: dict[str, Any]) -> None:
        """Have it written behind the loop; `record` is what the agent is told when it is there."""
        directory = os.path.join("ckpt", str(step), f"rank-{self._env.rank}")
        place = os.path.join(self._env.attempt_dir, directory)
        os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
        began = time.monotonic()
        if self._streams(parts):
            from trainyard.streaming import Stream

            stream = Stream(place, parts, facts)

            def send() -> None:
                self._say({**record, "dir": directory, "files": stream.describe(), "stream": True})
                stream.serve()
                self._wrote(time.monotonic() - began)

            self._writer.start(send, parts)
            return

        def store() -> None:
            written = write_part(place, parts, facts)
            self._wrote(time.monotonic() - began)
            self._tell(written, {**record, "dir": directory})

        if self._env.local:
            import shutil

            shutil.rmtree(place, ignore_errors=True)
        self._writer.start(store, parts)

    def _tell(self, written: Written, record: dict[str, Any]) -> None:
        self._say({**record, "files": written.files})
        if self._env.local:
            prune_local(os.path.join(self._env.attempt_dir, "ckpt"), self._env.rank)

    def _say(self, record: dict[str, Any]) -> None:
        """Append the record; where the disk has no room for it, wait for some."""
        while True:
            try:
                return self._append(record)
            except OSError as error:
                sys.stderr.write(f"trainyard: a checkpoint is not told yet: {error}\n")
                time.sleep(1)

    def _streams(self, parts: Mapping[str, Any]) -> bool:
        if self._env.local:
            return False
        if self._env.stream:
            return True
        found = os.statvfs(self._env.attempt_dir)
        return found.f_bavail * found.f_frsize < bytes_of(parts) + min(SPARE_BYTES, found.f_blocks * found.f_frsize // 20)


def bytes_of(value: Any) -> int:
    """Return the bytes of all tensors in a snapshot; of sharded ones, of this rank's shards."""
    if isinstance(value, dict):
        return sum(bytes_of(item) for item in value.values())
    if isinstance(value, (list, tuple, set)):
        return sum(bytes_of(item) for item in value)
    own = value.to_local() if hasattr(value, "to_local") else value
    return int(own.numel() * own.element_size()) if hasattr(own, "element_size") else 0
