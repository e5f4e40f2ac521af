"""Where a rank says what it has to say, whether anybody records it or not."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trainyard.records import RecordWriter, encode_metrics, encode_object

if TYPE_CHECKING:
    from trainyard.environment import Environment
    from trainyard.offline import Place


class Journal:
    """One rank's record file; where nothing is recorded it takes everything and keeps nothing.

    `records` is the file itself, for the hot path; `root` is the folder that the paths in the records are below.
    """

    def __init__(self, environment: Environment, place: Place | None) -> None:
        self.records: RecordWriter | None = None
        self.root = environment.attempt_dir if place is None else place.directory
        if place is not None:
            from trainyard.offline import OfflineWriter

            self.records = OfflineWriter(place)
        elif not environment.local:
            os.makedirs(environment.rank_dir, mode=0o700, exist_ok=True)
            self.records = RecordWriter(os.path.join(environment.rank_dir, "records.bin"))

    def say(self, record: Mapping[str, Any]) -> None:
        """Record an object."""
        if self.records is not None:
            self.records.append(encode_object(record))

    def measure(self, step: int, values: Mapping[str, float]) -> None:
        """Record metrics of a step, as of now."""
        if self.records is not None:
            self.records.append(encode_metrics(time.time(), step, values))

    def size(self) -> int:
        """Return the offset of the next record."""
        return self.records.size() if self.records is not None else 0
