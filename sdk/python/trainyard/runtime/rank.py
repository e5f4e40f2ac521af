"""The wrapper that becomes a rank: ``python -m trainyard.runtime.rank RANK_DIR``.

It meets the other ranks, then runs the user's script as `__main__` in this very process, with the script's own argv and
sys.path. To the script it looks as under torchrun: an uncaught exception prints its traceback (without the wrapper's
frames), is written to TORCHELASTIC_ERROR_FILE in the format of torchelastic's `@record`, and exits 1; `sys.exit(n)` exits n.
"""

from __future__ import annotations

import importlib.util
import io
import os
import runpy
import sys
from types import TracebackType
from typing import Any

from trainyard.runtime.collective_timeout import set_default_timeout
from trainyard.runtime.files import read_json, write_json
from trainyard.runtime.program import NO_PYTHON, become, run_beneath
from trainyard.runtime.rendezvous import Rendezvous
from trainyard.runtime.stacks import answer_stack_signal
from trainyard.runtime.tf_config import join_cluster
from trainyard.runtime.waited_in_vain import ask_where_others_are, is_collective_timeout


def main(rank_dir: str) -> None:
    """Run the script that the attempt's `spec.json` names, as the rank that the environment names."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    rank_dir = os.path.abspath(rank_dir)
    answer_stack_signal(rank_dir)
    attempt_dir = os.environ.get("TRAINYARD_ATTEMPT_DIR") or os.path.dirname(rank_dir)
    argv: list[str] = read_json(os.path.join(attempt_dir, "spec.json"))["argv"]
    is_program = argv[0] == NO_PYTHON
    framework = os.environ.get("TRAINYARD_FRAMEWORK", "torch")
    held = join_cluster(attempt_dir, rank_dir) if framework == "tensorflow" else None
    meeting = _meet(attempt_dir, is_program) if framework == "torch" else None
    if not is_program:
        _run(argv, attempt_dir, rank_dir)
    elif meeting is None:
        become(argv[1:])
    else:
        run_beneath(argv[1:])
    if meeting is not None:
        meeting.leave()
    if held is not None:
        held.close()


def _meet(attempt_dir: str, is_program: bool) -> Rendezvous | None:
    if importlib.util.find_spec("torch") is None:
        return None
    rank = int(os.environ["RANK"])
    meeting = Rendezvous(attempt_dir, rank, int(os.environ["WORLD_SIZE"]))
    if rank == 0 or not is_program:
        import torch  # noqa: F401 (while rank 0's address is already known to all; the script then finds it loaded)

    if not is_program:
        set_default_timeout()
    meeting.open()
    return meeting


def _run(argv: list[str], attempt_dir: str, rank_dir: str) -> None:
    as_module = argv[0] == "-m"
    sys.argv = argv[1:] if as_module else list(argv)
    if not as_module and not os.path.isfile(argv[0]):
        sys.stderr.write(f"trainyard: can't open the entrypoint {argv[0]!r} in {os.getcwd()}: no such file\n")
        sys.exit(2)
    # The first entry of sys.path is there because the wrapper was started with -m; Python would put this one there.
    sys.path[0] = os.getcwd() if as_module else os.path.dirname(os.path.realpath(argv[0]))
    try:
        if as_module:
            runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(argv[0], run_name="__main__")
    except SystemExit as ending:
        if ending.code not in (None, 0):
            _hand_over(None)
            raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        _fail(error, attempt_dir, rank_dir)


def _fail(error: BaseException, attempt_dir: str, rank_dir: str) -> None:
    trace = _without_wrapper(error.__traceback__)
    error = error.with_traceback(trace)  # torch's excepthook looks here, not at its third argument
    _write_error_file(error, trace)
    sys.excepthook(type(error), error, trace)
    if is_collective_timeout(error):
        ask_where_others_are(attempt_dir, rank_dir)
    _hand_over(error)
    sys.exit(1)


def _hand_over(error: BaseException | None) -> None:
    """Let the SDK save what this rank holds, where the script has told it what that is."""
    sdk = sys.modules.get("trainyard")
    if sdk is not None and "trainyard.guard" in sys.modules:
        sdk.hand_over(error)


def _without_wrapper(trace: TracebackType | None) -> TracebackType | None:
    rest = trace
    while rest is not None and ("runpy" in rest.tb_frame.f_code.co_filename or rest.tb_frame.f_globals is globals()):
        rest = rest.tb_next
    return rest  # none where the script never began, such as for a syntax error, which tells its own place


def _write_error_file(error: BaseException, trace: TracebackType | None) -> None:
    path = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if not path or os.path.exists(path):  # there already when the script uses @record itself
        return
    import time
    import traceback

    lines = traceback.format_exception(type(error), error, trace)
    extra: dict[str, Any] = {"py_callstack": "".join(lines), "timestamp": str(int(time.time()))}
    try:
        write_json(path, {"message": {"message": f"{type(error).__name__}: {error}", "extraInfo": extra}})
    except OSError as problem:
        sys.stderr.write(f"trainyard: cannot write {path}: {problem}\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m trainyard.runtime.rank RANK_DIR\n")
        sys.exit(2)
    main(sys.argv[1])
