"""Checkpoints that the platform asks for, before it moves or grows the gang.

The node's agent writes the step into `checkpoint-at` of the attempt's directory, far enough ahead that every rank reads it
before it gets there. Each rank then checkpoints at the first step it asks about that is not before it, so all take the same.
"""

from __future__ import annotations

import os
import time

FILE = "checkpoint-at"
#: How often the file is looked for at most; the platform asks for a step that is seconds ahead.
_LOOK_SECONDS = 0.1


class CheckpointRequests:
    """Says at which step a checkpoint was asked for. Asks the system every tenth of a second."""

    def __init__(self, attempt_dir: str) -> None:
        self._path = os.path.join(attempt_dir, FILE)
        self._seen = 0
        self._asked: int | None = None
        self._look_at = 0.0

    def due(self, step: int) -> bool:
        """Say whether the checkpoint that was asked for is due now; True once for each request."""
        self._look(step)
        if self._asked is None or step < self._asked:
            return False
        self._asked = None
        return True

    def _look(self, step: int) -> None:
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_SECONDS
        if not os.access(self._path, os.R_OK):  # so it mostly is; a failed `stat` costs three times as much
            return
        try:
            changed = os.stat(self._path).st_mtime_ns
            if changed == self._seen:
                return
            with open(self._path, encoding="ascii") as file:
                asked = int(file.read())
        except (OSError, ValueError):
            return
        self._seen = changed
        # Who hears of it too late leaves it be: at another step than the others' its part would belong to no checkpoint.
        self._asked = asked if step <= asked else None
