"""What one rank may use of its node: by a cgroup (v2) of its own where the agent has one to give, else by rlimits.

A cgroup holds the rank with every process that it starts to its memory and number of processes, exactly, and the kernel
tells when it killed for lack of memory. Without one, memory is limited as RLIMIT_DATA: private writable memory of each
process, touched or not, beyond which an allocation fails with an error of its own. RLIMIT_NPROC is not used, for it counts
what the whole user runs. See cgroups(7) and setrlimit(2).
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Mapping
from typing import Any


class Limits:
    """The limits of one rank, whose cgroup (if it has any) is a child of `parent` under `name`."""

    def __init__(self, wanted: Mapping[str, Any], parent: str | None, name: str) -> None:
        self._memory = int(wanted.get("memoryBytes", 0))
        self._processes = int(wanted.get("processes", 0))
        self._open_files = int(wanted.get("openFiles", 0))
        self._cgroup = None if parent is None else _Cgroup(os.path.join(parent, name))
        self._kills_before = 0

    def watch(self) -> None:
        """Note how things stand, in the shim, before the rank is forked."""
        self._kills_before = _kills_for_memory()

    def enter(self) -> None:
        """Put the calling process, which becomes the rank, under its limits.

        Raises
        ------
        OSError
            When the agent's cgroup cannot hold another one, or lacks a controller.
        """
        if self._open_files:
            _limit(resource.RLIMIT_NOFILE, self._open_files)
        if self._cgroup is not None:
            self._cgroup.enter(self._memory, self._processes)
            return
        if self._memory:
            _limit(resource.RLIMIT_DATA, self._memory)
        if self._processes:
            os.write(2, b"trainyard: the number of processes is not limited here: this node has no cgroup to give\n")

    def killed_for_memory(self) -> bool:
        """Say whether the kernel killed the rank, which SIGKILL ended and nobody of the platform sent, for lack of memory.

        Without a memory limit of its own it is told from the machine's count of such kills while the rank ran, so another
        program's may be taken for the rank's.
        """
        if self._cgroup is not None and self._memory:
            return self._cgroup.kills_for_memory() > 0
        return _kills_for_memory() > self._kills_before

    def remove(self) -> None:
        """Remove the rank's cgroup, when nothing of the rank is left."""
        if self._cgroup is not None:
            self._cgroup.remove()


class _Cgroup:
    """The cgroup of one rank."""

    def __init__(self, path: str) -> None:
        self._path = path

    def enter(self, memory: int, processes: int) -> None:
        os.makedirs(self._path, exist_ok=True)
        if memory:
            self._set("memory.max", memory)
            # One process of a rank killed leaves a rank that hangs: they go together.
            self._set("memory.oom.group", 1)
            with contextlib.suppress(FileNotFoundError):  # a kernel without swap accounting
                self._set("memory.swap.max", 0)
        if processes:
            self._set("pids.max", processes)
        self._set("cgroup.procs", 0)  # 0 stands for who writes it

    def kills_for_memory(self) -> int:
        return _counter(os.path.join(self._path, "memory.events"), "oom_kill")

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            os.rmdir(self._path)

    def _set(self, file: str, value: int) -> None:
        with open(os.path.join(self._path, file), "w", encoding="ascii") as target:
            target.write(str(value))


def _limit(what: int, value: int) -> None:
    """Lower the soft and the hard limit, so that the rank cannot raise it again; a stricter one of the node's stays."""
    hard = resource.getrlimit(what)[1]
    most = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (most, most))


def _kills_for_memory() -> int:
    return _counter("/proc/vmstat", "oom_kill")


def _counter(path: str, name: str) -> int:
    with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as source:
        for line in source:
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0
