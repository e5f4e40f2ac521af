"""When a checkpoint is due, so that all ranks take it at the same step.

By steps each rank counts for itself. By time and by the best value of a metric rank 0 decides, for clocks and losses differ
from rank to rank, and announces a step that the others have not reached. That holds without a collective of its own: ranks of
a data-parallel gang go in step, so whoever has done step n+1 has had rank 0's gradients for it, which rank 0 gave after its
announcement at step n. Ranks that are further apart (they count micro-steps, say) find that they hear of it too late, and say
so; then rank 0 looks further ahead. A checkpoint that a rank has left out is never committed.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import struct
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from trainyard.environment import Environment

FILE = "checkpoint-due"
LATE = "checkpoint-late"
#: Of the time, the share that checkpoints for the best value of a metric may cost the training loop and its writer.
_BEST_SHARE = 0.05
_MOST_AHEAD = 4096
#: A store on another node is asked at every so many steps; each time costs a round trip.
_STORE_STRIDE = 4
#: What ranks on one node share: how many announcements there were, and the step of the last.
_ANNOUNCED, _NUMBER = struct.Struct("=qq"), struct.Struct("=q")


class Policy(NamedTuple):
    """What the job file says; zero: not by steps, not by time. `best` is the metric and whether a larger value is better."""

    every_steps: int
    every_seconds: float
    best: tuple[str, bool] | None


class Board(Protocol):
    """Where rank 0 announces steps, and the others say that they heard too late."""

    stride: int

    def announce(self, step: int) -> None:
        """Say to all ranks at which step the next checkpoint is."""

    def announced(self) -> int | None:
        """Return the step, once for each announcement."""

    def be_late(self) -> None:
        """Say that the announcement came too late."""

    def take_late(self) -> bool:
        """Return whether anybody was late since it was last asked."""


class Cadence:
    """One rank's word on whether a checkpoint is due."""

    def __init__(self, policy: Policy, rank: int, board: Board | None, clock: Callable[[], float] = time.monotonic) -> None:
        """`board` is None where there is one rank, or the ranks have no way to agree."""
        self._policy, self._rank, self._board, self._clock = policy, rank, board, clock
        self._alone = False
        self._began = self._last = clock()
        self._cost = 0.0
        self._best: float | None = None
        self._better = False
        self._at: int | None = None
        self._ahead = 1
        self._asked: int | None = None

    def for_one_rank(self) -> Cadence:
        """Decide at once, with nobody to agree with."""
        self._alone = True
        return self

    def logged(self, values: Mapping[str, float]) -> None:
        """Take note of what was logged."""
        if self._policy.best is None or self._rank != 0:
            return
        value = values.get(self._policy.best[0])
        if value is None or math.isnan(value):
            return
        if self._best is None or (value > self._best if self._policy.best[1] else value < self._best):
            self._best, self._better = value, True

    def due(self, step: int) -> bool:
        """Say whether a checkpoint is due at this step; ask at each one."""
        by_steps = step > 0 and self._policy.every_steps > 0 and step % self._policy.every_steps == 0
        if self._alone:
            return by_steps or self._wanted()
        if self._board is None or not (self._policy.every_seconds or self._policy.best):
            return by_steps
        return self._agreed(step, self._board) or by_steps

    def taken(self) -> None:
        """Take note that a checkpoint was begun."""
        self._last, self._better = self._clock(), False

    def wrote(self, seconds: float) -> None:
        """Take note of what the checkpoint cost, from the copy to the end of its writing."""
        self._cost = seconds

    def _wanted(self) -> bool:
        now = self._clock()
        if self._policy.every_seconds > 0 and now - self._last >= self._policy.every_seconds:
            return True
        return self._better and now - self._last >= self._cost / _BEST_SHARE

    def _agreed(self, step: int, board: Board) -> bool:
        if step % board.stride:
            return False
        if self._rank == 0:
            self._lead(step, board)
        else:
            heard = board.announced()
            if heard is not None:
                if heard < step:
                    board.be_late()
                else:
                    self._at = heard
        if self._at != step:
            return False
        self._at = None
        return True

    def _lead(self, step: int, board: Board) -> None:
        if self._asked is not None and step >= self._asked + self._ahead * board.stride:
            self._asked = None
            if board.take_late():
                self._ahead = min(4 * self._ahead, _MOST_AHEAD)
                self._announce(step, board)
        if self._at is None and self._asked is None and self._wanted():
            self._announce(step, board)

    def _announce(self, step: int, board: Board) -> None:
        self._at = self._asked = (step // board.stride + self._ahead) * board.stride
        board.announce(self._at)


class FileBoard:
    """A board for ranks on one node: a file of the attempt's directory that they all have in their memory."""

    stride = 1

    def __init__(self, attempt_dir: str) -> None:
        self._late = os.path.join(attempt_dir, LATE)
        self._heard = 0
        self._shared: mmap.mmap | None = None
        with contextlib.suppress(OSError):  # a full disk costs the checkpoint, not the training
            descriptor = os.open(os.path.join(attempt_dir, FILE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, _ANNOUNCED.size)
                self._shared = mmap.mmap(descriptor, _ANNOUNCED.size)
            finally:
                os.close(descriptor)

    def announce(self, step: int) -> None:
        """Say to all ranks at which step the next checkpoint is."""
        if self._shared is not None:
            self._heard += 1
            _NUMBER.pack_into(self._shared, _NUMBER.size, step)
            # Last, so that whoever sees it sees the step too.
            _NUMBER.pack_into(self._shared, 0, self._heard)

    def announced(self) -> int | None:
        """Return the step, once for each announcement."""
        if self._shared is None:
            return None
        number, step = _ANNOUNCED.unpack_from(self._shared)
        if number == self._heard:
            return None
        self._heard = number
        told: int = step
        return told

    def be_late(self) -> None:
        """Say that the announcement came too late."""
        with contextlib.suppress(OSError):
            os.close(os.open(self._late, os.O_CREAT | os.O_WRONLY, 0o600))

    def take_late(self) -> bool:
        """Return whether anybody was late since it was last asked."""
        try:
            os.unlink(self._late)
        except OSError:
            return False
        return True


class StoreBoard:
    """A board for ranks on several nodes: the store by which they met."""

    stride = _STORE_STRIDE

    def __init__(self, store: Any) -> None:
        self._store = store
        self._next = 0

    def announce(self, step: int) -> None:
        """Say to all ranks at which step the next checkpoint is."""
        self._store.set(f"trainyard/checkpoint/{self._next}", str(step))
        self._next += 1

    def announced(self) -> int | None:
        """Return the step, once for each announcement."""
        step = None
        while self._store.check([f"trainyard/checkpoint/{self._next}"]):
            step = int(self._store.get(f"trainyard/checkpoint/{self._next}"))
            self._next += 1
        return step

    def be_late(self) -> None:
        """Say that the announcement came too late."""
        self._store.set(f"trainyard/checkpoint-late/{self._next}", "")

    def take_late(self) -> bool:
        """Return whether anybody was late since it was last asked."""
        return bool(self._store.check([f"trainyard/checkpoint-late/{self._next}"]))


def board_for(attempt_dir: str, local_world_size: int, world_size: int) -> Board | None:
    """Return what the gang's ranks can agree by; None for several nodes without `torch.distributed`."""
    if local_world_size == world_size:
        return FileBoard(attempt_dir)
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    store = distributed.distributed_c10d._get_default_store()
    return StoreBoard(store)


def cadence_for(environment: Environment) -> Cadence:
    """Return the cadence of one rank, as the job's `checkpoint` says and with what its gang can agree by."""
    policy = Policy(environment.every_steps, environment.every_seconds, environment.best)
    if environment.world_size == 1:
        return Cadence(policy, 0, None).for_one_rank()
    board = None
    if not environment.local:
        board = board_for(environment.attempt_dir, environment.local_world_size, environment.world_size)
    return Cadence(policy, environment.rank, board)
