"""Facts about processes from /proc: who is alive, since when, in which session, under which parent.

A pid alone names nobody, because pids are used again: the pair (boot id, start ticks) beside it does.
"""

from __future__ import annotations

import os
from typing import NamedTuple

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


class ProcessStat(NamedTuple):
    """One process as /proc/<pid>/stat describes it; `start_ticks` is field 22, in clock ticks since boot."""

    pid: int
    state: str
    parent: int
    session: int
    start_ticks: int


def boot_id() -> str:
    """Return the id of this boot of the machine; pids and start ticks mean nothing across boots."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as source:
        return source.read().strip()


def stat_of(pid: int) -> ProcessStat | None:
    """Return the stat of a process, or None when it is gone (a zombie is still there, in state Z)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as source:
            text = source.read().decode("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name stands in brackets and may itself hold spaces and brackets: split after the last one.
    fields = text[text.rindex(")") + 2 :].split()
    return ProcessStat(pid, fields[0], int(fields[1]), int(fields[3]), int(fields[19]))


def is_alive(pid: int, start_ticks: int, boot: str) -> bool:
    """Say whether exactly that process (not a later one with its pid) still runs."""
    found = stat_of(pid) if boot == boot_id() else None
    return found is not None and found.start_ticks == start_ticks and found.state != "Z"


def all_processes() -> list[ProcessStat]:
    """Return every process that /proc shows now."""
    found = (stat_of(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [process for process in found if process is not None]


def prctl(option: int, value: int) -> None:
    """Call prctl(2), which the standard library does not offer.

    Raises
    ------
    OSError
        When the kernel refuses.
    """
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}, {value}): {os.strerror(number)}")
