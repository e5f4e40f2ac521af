"""The shim's part of a just-in-time checkpoint: it waits for the survivors, chooses, has one save, and puts the rest together.

It begins when a rank has failed, if every rank of the node keeps a boundary file. `look` is called whenever the shim is woken;
nothing here blocks but writing small files. Whatever goes wrong ends in "nothing was saved": then the last committed
checkpoint counts. A part is announced to the agent only when all parts of the node stand, durably.

Where the gang is on several nodes, each of their shims does the same, and they tell each other what their ranks left (see
`exchange`). From that each makes the same choice; the node of the rank that is asked to save tells the others what became of
it, and each makes the parts of its own ranks. If one cannot, its parts are missing, so the checkpoint is never committed.

Two limits hold it: survivors have to report within a time that follows from how long their steps took (then those that have
not are told to end, and it goes on without them); and all has to be over by `deadline`, when the shim ends whoever is left.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from typing import Any

from trainyard.boundary import FILE, WHOLE, Capture, kinds_of, newest_of, read_boundary
from trainyard.runtime.choice import Choice, Fallback, RankView, choose
from trainyard.runtime.exchange import Exchange
from trainyard.runtime.files import read_json, write_json
from trainyard.runtime.gang import RankProcess
from trainyard.runtime.parts import Part, announce, write_part
from trainyard.survivor import ORDERS, REPORT

DEFAULT_DEADLINE_MS = 60_000
_LEAST_REPORT_SECONDS = 5.0
_MOST_REPORT_SECONDS = 60.0
_STEPS_TO_REPORT = 3.0
#: How often it looks whether other nodes have told something.
_LISTEN_SECONDS = 0.02


def can_hand_over(ranks: list[RankProcess], world_size: int) -> bool:
    """Say whether the gang has several ranks, and each that is here has told the SDK what its state is."""
    files = (os.path.join(rank.directory, FILE) for rank in ranks)
    return world_size > 1 and all(os.path.exists(file) for file in files)


def dismiss(attempt_dir: str, ranks: Iterable[RankProcess]) -> None:
    """Let ranks that wait to hand over end as they would have: nobody will ask them any more."""
    if any(os.path.exists(os.path.join(rank.directory, FILE)) for rank in ranks):
        with contextlib.suppress(OSError):
            write_json(os.path.join(attempt_dir, ORDERS), {"over": True})


def has_reported(rank: RankProcess) -> bool:
    """Say whether a rank has failed by itself and ends when it is dismissed."""
    return os.path.exists(os.path.join(rank.directory, REPORT))


class Handover:
    """One gang's handover. `over` says that the ranks have nothing more to give."""

    def __init__(
        self, attempt_dir: str, ranks: list[RankProcess], world_size: int, deadline_ms: int, exchange: Exchange | None
    ) -> None:
        """Begin: tell the ranks that live to stop at their next boundary, where no broken collective stops them before.

        `ranks` are those of this node; `exchange` is None when they are the whole gang.
        """
        self._attempt_dir = attempt_dir
        self._ranks = {rank.rank: rank for rank in ranks}
        self._world_size = world_size
        self._exchange = exchange
        self._began = time.monotonic()
        self._deadline = self._began + deadline_ms / 1000
        self._report_by = self._began + _LEAST_REPORT_SECONDS
        self._reports: dict[int, dict[str, Any]] = {}
        self._left: dict[int, tuple[dict[str, Any], list[Capture]]] = {}
        self._views: list[RankView] | None = None
        self._choice: Choice | None = None
        self._round = 0
        self._parts: dict[int, Part] = {}
        self.over = False
        for rank in ranks:
            rank.signal(signal.SIGURG)
        self._read_left()

    def next_look(self) -> float:
        """Return when `look` is to be called at the latest, in monotonic seconds."""
        if self._exchange is not None:
            return min(time.monotonic() + _LISTEN_SECONDS, self._deadline)
        return self._deadline if self._choice is not None else min(self._report_by, self._deadline)

    def look(self) -> None:
        """Go as far as possible; never raises."""
        if self.over:
            return
        try:
            if time.monotonic() >= self._deadline:
                self._end(Fallback("DEADLINE", "The survivors had not saved the gang's state when the time for it was over."))
            else:
                self._go_on()
        except Exception as problem:
            self._end(Fallback("SAVE_FAILED", f"{type(problem).__name__}: {problem}"))

    def give_up(self, why: Fallback) -> None:
        """End it: the gang is not to be saved any more."""
        if not self.over:
            self._end(why)

    def _go_on(self) -> None:
        if self._exchange is not None:
            self._exchange.hear()
        if self._views is None and self._all_known():
            self._gather()
        if self._views is not None and self._choice is None:
            self._choose(self._views)
        if self._choice is not None and not self.over:
            self._follow_writer()
        # Last, for what another node has saved counts although it has ended since.
        if self._exchange is not None and not self.over and (why := self._exchange.end()) is not None:
            self._end(why)

    def blame(self, rank: int) -> tuple[float, int] | None:
        """Return when a rank that reported failed, and its place among those that did; None for one that did not report.

        Ranks exit when they have nothing more to give, in any order; what they failed of came before, in this order: those
        that failed by themselves, by their time, then those that failed because of another one.
        """
        if rank not in self._reports:
            return None
        order = sorted(self._reports, key=lambda each: (self._reports[each]["peer"], self._reports[each]["at"]))
        silent = len(self._ranks) - len(self._reports)
        report = self._reports[rank]
        return (time.time() if report["peer"] else report["at"]), silent + 1 + order.index(rank)

    def _all_known(self) -> bool:
        """Take in who has reported; say whether everybody has, or has ended, or has had the time for it."""
        for rank, process in self._ranks.items():
            if rank not in self._reports and (report := read_json(os.path.join(process.directory, REPORT))):
                self._reports[rank] = report
        silent = [rank for rank, process in self._ranks.items() if not process.ended and rank not in self._reports]
        if not silent:
            return True
        if time.monotonic() < self._report_by:
            return False
        for rank in silent:
            self._ranks[rank].signal(signal.SIGTERM)
        return True

    def _read_left(self) -> None:
        """Read what the ranks left, and from how long their steps took how long they may need to report."""
        for rank, process in self._ranks.items():
            with contextlib.suppress(OSError, ValueError):
                self._left[rank] = read_boundary(os.path.join(process.directory, FILE))
        for _, captures in self._left.values():
            ends = sorted(capture.at for capture in captures if capture.kind == WHOLE)
            if len(ends) > 1:
                seconds = min(_MOST_REPORT_SECONDS, _STEPS_TO_REPORT * (ends[-1] - ends[-2]) / 1e9)
                self._report_by = max(self._report_by, self._began + seconds)

    def _gather(self) -> None:
        self._read_left()
        self._views = [self._view(rank) for rank in sorted(self._ranks)]
        if self._exchange is not None:
            self._exchange.tell_views(self._views)

    def _choose(self, own: list[RankView]) -> None:
        others = [] if self._exchange is None else self._exchange.views()
        if others is None:
            return None
        views = [*own, *others]
        if sorted(view.rank for view in views) != list(range(self._world_size)):
            return self._end(Fallback("RECORD_MISSING", "The nodes of the gang do not tell of each rank once."))
        chosen = choose(views)
        if isinstance(chosen, Fallback):
            return self._end(chosen)
        self._choice = chosen
        for rank in self._ranks:
            if rank not in chosen.writers:
                self._write_part(rank, None)
        return self._ask_next(chosen)

    def _view(self, rank: int) -> RankView:
        facts, captures = self._left.get(rank, ({}, []))
        kinds, has_state = kinds_of(captures), bool(facts.get("hasState"))
        newest = {ordinal: newest_of(captures, ordinal) for ordinal in kinds}
        steps = {ordinal: (capture.step, capture.told) for ordinal, capture in newest.items() if capture is not None}
        report = self._reports.get(rank)
        if report is None or self._ranks[rank].ended:
            return RankView(rank, kinds, has_state=has_state, steps=steps)
        word = (report["ordinal"], report["canSave"], report["reason"], report["message"])
        return RankView(rank, kinds, True, *word, has_state, steps)

    def _capture(self, rank: int) -> Capture:
        capture = None if self._choice is None else newest_of(self._left[rank][1], self._choice.ordinal)
        if capture is None:
            raise RuntimeError(f"rank {rank} left nothing of the step that was chosen")
        return capture

    def _ask_next(self, choice: Choice) -> None:
        self._round += 1
        writer = choice.writers[self._round - 1]
        if writer not in self._ranks:
            return
        orders = {
            "round": self._round,
            "writer": os.path.basename(self._ranks[writer].directory),
            "ordinal": choice.ordinal,
            "dir": self._shared(),
        }
        write_json(os.path.join(self._attempt_dir, ORDERS), orders)

    def _shared(self) -> str:
        return f"{self._directory()}/shared-{self._round}"

    def _directory(self) -> str:
        return f"ckpt/{self._step}.just-in-time"

    @property
    def _step(self) -> int:
        return -1 if self._choice is None else self._choice.step

    def _follow_writer(self) -> None:
        if self._choice is None:
            return
        writer = self._choice.writers[self._round - 1]
        if writer in self._ranks:
            self._follow_own_writer(self._choice, writer)
        elif self._exchange is not None and (told := self._exchange.round(self._round)) is not None:
            saved, why = told
            if saved:
                self._finish(writer, [])
            else:
                self._next_writer(self._choice, writer, why)

    def _follow_own_writer(self, choice: Choice, writer: int) -> None:
        process = self._ranks[writer]
        answer = read_json(os.path.join(process.directory, f"saved-{self._round}.json"))
        if answer and "files" in answer:
            return self._finish(writer, answer["files"])
        if not answer and not process.ended:
            return None
        why = answer["error"] if answer else "it died while it was saving"
        sys.stderr.write(f"trainyard: rank {writer} did not save the gang's state: {why}\n")
        shutil.rmtree(os.path.join(self._attempt_dir, self._shared()), ignore_errors=True)
        if self._exchange is not None:
            self._exchange.tell_round(self._round, False, why)
        return self._next_writer(choice, writer, why)

    def _next_writer(self, choice: Choice, writer: int, why: str) -> None:
        if self._round == len(choice.writers):
            self._end(Fallback("SAVE_FAILED", f"Rank {writer} did not save the gang's state: {why}"))
        else:
            self._ask_next(choice)

    def _finish(self, writer: int, files: list[dict[str, Any]]) -> None:
        for rank in self._ranks:
            if rank not in self._parts:
                self._write_part(rank, (self._shared(), files) if rank == writer else None)
        if self._exchange is not None and writer in self._ranks:
            self._exchange.tell_round(self._round, True)
        self._end(None)

    def _write_part(self, rank: int, shared: tuple[str, list[dict[str, Any]]] | None) -> None:
        facts, _ = self._left[rank]
        place = f"{self._directory()}/rank-{rank}"
        directory = self._ranks[rank].directory
        self._parts[rank] = write_part(self._attempt_dir, place, directory, self._step, facts, self._capture(rank), shared)

    def _end(self, why: Fallback | None) -> None:
        self.over = True
        told = {
            "kind": "handover",
            "saved": why is None,
            "step": self._step if why is None else -1,
            "reason": "" if why is None else why.reason,
            "message": "" if why is None else why.message[:1000],
            "seconds": time.monotonic() - self._began,
        }
        if why is not None:
            sys.stderr.write(f"trainyard: no just-in-time checkpoint: {why.message}\n")
            if self._exchange is not None:
                with contextlib.suppress(OSError):
                    self._exchange.tell_end(why)
            if self._step >= 0:
                shutil.rmtree(os.path.join(self._attempt_dir, self._directory()), ignore_errors=True)
        # That it was saved is told once; that it was not, by each node, for it may be the only one to know.
        teller = 0 if why is None else min(self._ranks)
        for rank, process in sorted(self._ranks.items()):
            records = [self._checkpoint_record(rank)] if why is None else []
            with contextlib.suppress(OSError):
                announce(process.directory, *records, *([told] if rank == teller else []))
        dismiss(self._attempt_dir, self._ranks.values())

    def _checkpoint_record(self, rank: int) -> dict[str, Any]:
        part = self._parts[rank]
        return {
            "kind": "checkpoint",
            "justInTime": True,
            "step": self._step,
            "offset": part.offset,
            "dir": part.directory,
            "files": part.files,
            "worldSize": self._world_size,
            "metrics": {},
        }
