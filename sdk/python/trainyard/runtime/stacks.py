"""Where a rank is: on a signal, every thread's Python frames go to a file that the node's agent reads.

The handler is `faulthandler`'s, in C: it answers also while the interpreter waits in a collective or holds its lock. The
signal is a real-time one, since programs use SIGUSR1 and SIGUSR2 for themselves; the agent sends it only to a process that
handles it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os

STACK_SIGNAL = 42
STACK_FILE = "stacks.txt"


def answer_stack_signal(rank_dir: str) -> None:
    """Write every thread's frames to `stacks.txt` in `rank_dir` whenever the signal comes; kept for the process's life."""
    with contextlib.suppress(OSError):
        file = os.open(os.path.join(rank_dir, STACK_FILE), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        faulthandler.register(STACK_SIGNAL, file=file, all_threads=True)
