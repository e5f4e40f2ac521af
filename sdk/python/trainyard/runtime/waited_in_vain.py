"""What a rank does when its collective has timed out: it has the others of its node say where they are, before they are ended.

Its own error says only how long it waited. The one that did not come is somewhere else, and its log shows where.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

from trainyard.runtime.files import read_json
from trainyard.runtime.processes import boot_id, is_alive
from trainyard.runtime.stacks import TELL_SIGNAL, answers

MARK = "collective-timed-out"
#: How long the others may take to begin their answers, which one that is stopped never does, and to end them. The gang is
#: ended when this rank exits.
_BEGIN_SECONDS = 2.0
_WRITE_SECONDS = 0.1
_LOOK_SECONDS = 0.01


def is_collective_timeout(error: BaseException) -> bool:
    """Say whether an error looks like that of a collective, or of the ranks' meeting, that waited too long."""
    text = str(error).lower()
    return "torch.distributed" in sys.modules and isinstance(error, RuntimeError) and ("timed out" in text or "timeout" in text)


def ask_where_others_are(attempt_dir: str, rank_dir: str) -> None:
    """Have the other ranks of this node write their stacks to their standard error; only the first rank that asks does so."""
    with contextlib.suppress(OSError, KeyError):
        os.close(os.open(os.path.join(attempt_dir, MARK), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        names = [name for name in sorted(os.listdir(attempt_dir)) if name.startswith("rank-")]
        others = [os.path.join(attempt_dir, name) for name in names if name != os.path.basename(rank_dir)]
        logs = [log for directory in others if (log := _ask(directory)) is not None]
        deadline = time.monotonic() + _BEGIN_SECONDS
        while time.monotonic() < deadline and any(os.path.getsize(path) == size for path, size in logs):
            time.sleep(_LOOK_SECONDS)
        time.sleep(_WRITE_SECONDS)


def _ask(directory: str) -> tuple[str, int] | None:
    """Ask the rank of a directory; return the file that its answer goes to and its size before, None when it gives none."""
    started = read_json(os.path.join(directory, "started.json"))
    if not started or started["bootId"] != boot_id():
        return None
    pid = started["pid"]
    if not is_alive(pid, started["startTicks"], started["bootId"]) or not answers(pid, TELL_SIGNAL):
        return None
    log = os.path.join(directory, "stderr.log")
    size = os.path.getsize(log)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, TELL_SIGNAL)
    return log, size
