"""Where a rank's steps spend their time: waiting for data, communicating, checkpointing, and the rest, which is computing.

The parts are added up as they happen and told once a second as the metrics ``trainyard/step/...``, each a mean over the
steps of that second (or of the one step that took longer). A *step* is what the script numbers, in `run.log` or
`run.should_checkpoint`; a rank that numbers none counts the batches that it draws.

Adding costs well under a microsecond; so does asking, at each step, whether a second has passed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

INTERVAL_SECONDS = 1.0
PREFIX = "trainyard/step/"


class Parts(NamedTuple):
    """Seconds of the parts that are measured; what is left of a step is computing."""

    data: float
    communication: float
    checkpoint: float


class StepClock:
    """Adds up the parts of the steps since they were told last. Times are of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        #: Seconds that the gradients' exchange holds up one step, where something tells (DistributedDataParallel).
        self.exchange: Callable[[], float] = _nothing
        self._since: float | None = None
        self._step = 0
        self._due = 0.0
        self._data = self._communication = self._checkpoint = self._away = 0.0
        self._draws = 0
        self._numbered = False

    def waited(self, seconds: float) -> None:
        """Add a wait for a batch."""
        self._data += seconds
        self._draws += 1

    def communicated(self, seconds: float) -> None:
        """Add a collective that was waited for."""
        self._communication += seconds

    def checkpointed(self, seconds: float) -> None:
        """Add what a checkpoint held up the loop."""
        self._checkpoint += seconds

    def was_away(self, seconds: float) -> None:
        """Add time that belongs to no step."""
        self._away += seconds

    def stepped(self, step: int, now: float) -> dict[str, float] | None:
        """Take note that the script is at `step`; return what is to be told, if it is time for that."""
        self._numbered = True
        if self._since is None or step < self._step:
            self._begin(step, now)
        if now < self._due or step == self._step:
            return None
        return self._tell(step - self._step, step, now)

    def drew(self, now: float) -> dict[str, float] | None:
        """Take note that a batch was drawn; return what is to be told by a rank that numbers no steps."""
        if self._numbered:
            return None
        if self._since is None:
            self._begin(self._step, now)
        if now < self._due or self._draws == 0:
            return None
        return self._tell(self._draws, self._step + self._draws, now)

    @property
    def step(self) -> int:
        """The step told last, or begun with."""
        return self._step

    def start_at(self, step: int) -> None:
        """Count batches from this step on."""
        self._step = step

    def _begin(self, step: int, now: float) -> None:
        self._since, self._step, self._due = now, step, now + INTERVAL_SECONDS
        self._data = self._communication = self._checkpoint = self._away = 0.0
        self._draws = 0

    def _tell(self, steps: int, step: int, now: float) -> dict[str, float]:
        assert self._since is not None  # noqa: S101 (both callers have begun)
        told = means(
            now - self._since - self._away, steps, Parts(self._data, self._communication, self._checkpoint), self.exchange()
        )
        self._begin(step, now)
        return told


def means(seconds: float, steps: int, parts: Parts, exchange: float) -> dict[str, float]:
    """Return what one of `steps` steps took that took `seconds` together; `exchange` is of one step already."""
    each = max(0.0, seconds / steps)
    data, communication, checkpoint = (min(each, part / steps) for part in parts)
    communication = min(communication + exchange, max(0.0, each - data - checkpoint))
    return {
        f"{PREFIX}seconds": each,
        f"{PREFIX}data_seconds": data,
        f"{PREFIX}compute_seconds": max(0.0, each - data - communication - checkpoint),
        f"{PREFIX}communication_seconds": communication,
        f"{PREFIX}checkpoint_seconds": checkpoint,
    }


def _nothing() -> float:
    return 0.0
