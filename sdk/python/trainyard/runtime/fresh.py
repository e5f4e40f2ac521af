"""Makes a process that was forked from the launcher what it would be had its interpreter just been started.

What a fork hands on and an exec would not: environment, signal handlers and mask, the state of random generators, secrets
made at import, caches of what the environment said, and thread counts, which libraries read from the environment only
when they are loaded. Descriptors, session and directory are the shim's work, for warm and cold ranks alike. What cannot be
made anew in a running interpreter is listed in `import_time`, and such a job starts cold.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import NoReturn


def become_fresh(env: dict[str, str], argv: list[str]) -> None:
    """Take on an environment as if started with it by the command line `argv`."""
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    sys.orig_argv = list(argv)
    reset_signals()
    _reset_generators()
    _reset_process_state()
    _set_thread_counts(env)


def run_and_end(main: Callable[[], None]) -> NoReturn:
    """Call `main`, then end the process as Python would, except that the launcher's part of it is not taken down.

    Threads are joined, `atexit` is run, what the script made is collected (its files are flushed), and the exit code is
    that of `sys.exit`; then the process is over, as `multiprocessing` ends its forked children. To take apart some 100,000
    objects that are shared with the launcher would first copy them: 1.5 s of CPU per rank, against nothing.
    """
    before = set(sys.modules)
    try:
        main()
        code = 0
    except SystemExit as ending:
        code = _exit_code(ending.code)
    with contextlib.suppress(Exception):
        # What the interpreter itself calls to join threads at its end; there is no public name for it.
        threading._shutdown()  # type: ignore[attr-defined]
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()
    for name in set(sys.modules) - before:
        del sys.modules[name]
    gc.collect()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    ctypes.CDLL(None).fflush(None)
    os._exit(code)


def _exit_code(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, int):
        return value & 0xFF
    sys.stderr.write(f"{value}\n")
    return 1


def reset_signals() -> None:
    """Put every signal's action and the mask where Python puts them when it starts."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _reset_generators() -> None:
    """Seed the global generators from the system, as importing their libraries does."""
    import random

    random.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    if "torch" in sys.modules:
        # Not torch.seed(), which would also leave work behind for the time when CUDA is initialised.
        sys.modules["torch"].default_generator.seed()


def _reset_process_state() -> None:
    tempfile.tempdir = None  # what TMPDIR was when somebody first asked
    if "multiprocessing.process" in sys.modules:
        # A secret between a process and its own children, which all ranks of all jobs would share.
        sys.modules["multiprocessing.process"].current_process().authkey = os.urandom(32)


def _set_thread_counts(env: dict[str, str]) -> None:
    """Give torch and the BLAS of NumPy the number of threads that they would have read from the environment."""
    threads = int(env["OMP_NUM_THREADS"]) if env.get("OMP_NUM_THREADS") else len(os.sched_getaffinity(0))
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    for path in _loaded_libraries("openblas"):
        library = ctypes.CDLL(path)
        for name in ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads"):
            if hasattr(library, name):
                getattr(library, name)(threads)
                break


def _loaded_libraries(part: str) -> list[str]:
    with open("/proc/self/maps", encoding="utf-8") as maps:
        paths = {line.split(maxsplit=5)[5].strip() for line in maps if "/" in line}
    return [path for path in paths if part in os.path.basename(path)]
