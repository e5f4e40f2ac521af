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
#: For the handlers to write; the gang is ended when this rank exits.
_ANSWER_SECONDS = 0.1


def is_collective_timeout(error: BaseException) -> bool:
    """Say whether an error looks like that of a collective, or of the ranks' meeting, that waited too long."""
    text = str(error).lower()
    return "torch.distributed" in sys.modules and isinstance(error, RuntimeError) and ("timed out" in text or "timeout" in text)


def ask_where_others_are(attempt_dir: str, rank_dir: str) -> None:
    """Have the other ranks of this node write their stacks to their standard error; only the first rank that asks does so."""
    with contextlib.suppress(OSError, KeyError):
        os.close(os.open(os.path.join(attempt_dir, MARK), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        for name in sorted(os.listdir(attempt_dir)):
            directory = os.path.join(attempt_dir, name)
            if not name.startswith("rank-") or os.path.samefile(directory, rank_dir):
                continue
            started = read_json(os.path.join(directory, "started.json"))
            if started and started["bootId"] == boot_id():
                _ask(started["pid"], started["startTicks"], started["bootId"])
        time.sleep(_ANSWER_SECONDS)


def _ask(pid: int, start_ticks: int, boot: str) -> None:
    if is_alive(pid, start_ticks, boot) and answers(pid, TELL_SIGNAL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, TELL_SIGNAL)
