"""Tells, once a second, where a rank's steps spend their time, and with it what `run.watch` has seen."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping

from trainyard.journal import Journal
from trainyard.step_clock import StepClock


class StepTimes:
    """One rank's clock and what it tells. Asking it at each step costs well under a microsecond."""

    def __init__(self, journal: Journal) -> None:
        self.clock = StepClock()
        self._journal = journal
        self._seen: dict[str, float] = {}

    def see(self, figures: Mapping[str, float]) -> None:
        """Tell these figures too, with the next step."""
        self._seen.update(figures)

    def tick(self, step: int) -> None:
        """Take note that the script is at a step."""
        told = self.clock.stepped(step, time.perf_counter())
        if self._seen:
            told = {**self._seen, **(told or {})}
            self._seen = {}
        if told is not None:
            self._journal.measure(step, told)

    def waited(self, seconds: float) -> None:
        """Take note that the loop has waited for a batch that it has now."""
        self.clock.waited(seconds)
        told = self.clock.drew(time.perf_counter())
        if told is not None:
            self._journal.measure(self.clock.step, told)

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what is done meanwhile to no step, and have the gang not taken for hung."""
        self._journal.say({"kind": "phase", "name": name})
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.clock.was_away(time.perf_counter() - begun)
            self._journal.say({"kind": "phase", "name": ""})
