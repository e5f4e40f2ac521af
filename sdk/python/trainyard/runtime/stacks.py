"""Where a rank is: on a signal, every thread's Python frames go to a file that the node's agent reads, or to standard error.

The handler is `faulthandler`'s, in C: it answers also while the interpreter waits in a collective or holds its lock. The
signals are real-time ones, since programs use SIGUSR1 and SIGUSR2 for themselves. A process that does not handle them would
be ended by them, so they are sent only to one that does.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os

#: The agent's, for `trainyard stacks` and for hung gangs: into the file.
STACK_SIGNAL = 42
STACK_FILE = "stacks.txt"
#: Another rank's, which has waited in vain: into standard error, and so into the job's log.
TELL_SIGNAL = 43


def answer_stack_signal(rank_dir: str) -> None:
    """Tell every thread's frames whenever one of the signals comes; kept for the process's life."""
    with contextlib.suppress(OSError):
        file = os.open(os.path.join(rank_dir, STACK_FILE), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        faulthandler.register(STACK_SIGNAL, file=file, all_threads=True)
        faulthandler.register(TELL_SIGNAL, file=2, all_threads=True)


def answers(pid: int, signal_number: int) -> bool:
    """Say whether a process handles a signal."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as source:
            caught = next(line for line in source if line.startswith("SigCgt:"))
    except (OSError, StopIteration):
        return False
    return bool(int(caught.split()[1], 16) >> (signal_number - 1) & 1)
