"""A rank that is not Python: what ``torchrun --no-python`` runs, and any program of a job of framework ``process``."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from types import FrameType
from typing import NoReturn

NO_PYTHON = "--no-python"
#: What is passed on: whatever the platform or a person may send a rank to have it end, save or say something.
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT)
_CANNOT_RUN = 126
_NOT_FOUND = 127


def become(command: list[str]) -> NoReturn:
    """Replace this process by the program; it is the rank then, with its signals and its exit code."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvp(command[0], command)  # noqa: S606 (no shell is meant)
    except OSError as error:
        _cannot_run(command, error)


def run_beneath(command: list[str]) -> None:
    """Run the program beneath this process, which has the rendezvous store to keep; signals are passed on to it.

    Returns when it has ended well; else ends this process as the program did, by code or by signal.
    """
    program: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if program is None:
            early.append(number)
        else:
            program.send_signal(number)

    for number in FORWARDED:
        signal.signal(number, pass_on)
    try:
        program = subprocess.Popen(command)
    except OSError as error:
        _cannot_run(command, error)
    for missed in early:
        program.send_signal(missed)
    code = program.wait()
    if code == 0:
        return
    if code < 0:
        with contextlib.suppress(OSError, ValueError):  # SIGKILL has no handler to reset
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def _cannot_run(command: list[str], error: OSError) -> NoReturn:
    sys.stderr.write(f"trainyard: cannot run {command[0]!r} in {os.getcwd()}: {error.strerror}\n")
    sys.exit(_NOT_FOUND if isinstance(error, FileNotFoundError) else _CANNOT_RUN)
