"""A rank's share of a dataset split, in an order that depends on seed and epoch alone, with an exact position.

Per epoch all rows stand in one global order (the files' order, or a permutation drawn from (seed, epoch)). Rank r of W takes
the rows i with i % W == r, cut so that every rank has the same count: no rank waits for another at an epoch's end, and
at most W - 1 rows (others each epoch when shuffled) are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from trainyard.manifest import DatasetError, Split

if TYPE_CHECKING:
    import numpy


class Position(NamedTuple):
    """How far a rank is: `rows` of this rank's share of `epoch` have been yielded."""

    epoch: int
    rows: int


class Dataset:
    """One split as one rank sees it. Rows are read when first needed."""

    def __init__(
        self,
        split: Split,
        rank: int,
        world_size: int,
        seed: int,
        resume_at: Position | None = None,
        drawn: Callable[[str, str], None] = lambda _split, _what: None,
    ) -> None:
        """`drawn` is called before each batch with the split and "first" or "next", and with "none" at an epoch's end."""
        self.split = split.name
        self.rank = rank
        self.world_size = world_size
        self.position = Position(0, 0)
        self._resume_at: Position | None = None
        if resume_at is not None:
            self.resume_at(resume_at)
        self._split = split
        self._seed = seed
        self._drawn = drawn
        self._arrays: dict[str, numpy.ndarray[Any, Any]] | None = None

    def resume_at(self, position: Position) -> None:
        """Let the next iteration go on from `position`."""
        self.position = self._resume_at = position

    def __len__(self) -> int:
        """Return the rows that this rank sees in an epoch."""
        return self.total_rows // self.world_size

    @property
    def total_rows(self) -> int:
        """Rows of the whole split."""
        arrays = self.arrays()
        return len(next(iter(arrays.values()))) if arrays else 0

    @property
    def columns(self) -> list[str]:
        """Column names in the files' order."""
        return list(self.arrays())

    def match(self, *patterns: str) -> list[str]:
        """Return the columns that match any of the shell patterns (``pixel_*``), in the files' order.

        Raises
        ------
        DatasetError
            When nothing matches.
        """
        found = [column for column in self.columns if any(fnmatchcase(column, pattern) for pattern in patterns)]
        if not found:
            raise DatasetError(f"no column of split {self.split!r} matches {', '.join(patterns)}; it has {self.columns}")
        return found

    def arrays(self) -> dict[str, numpy.ndarray[Any, Any]]:
        """Return the whole split, every rank's rows, as one array per column in the files' order."""
        if self._arrays is None:
            table = self._split.load()
            self._arrays = {name: table.column(name).to_numpy() for name in table.column_names}
        return self._arrays

    def order(self, epoch: int, *, seed: int | None = None, shuffle: bool = True) -> numpy.ndarray[Any, Any]:
        """Return the indices (int64) of this rank's rows in an epoch, in order."""
        import numpy

        total = self.total_rows
        if shuffle:
            generator = numpy.random.default_rng([self._seed if seed is None else seed, epoch])
            order = generator.permutation(total)
        else:
            order = numpy.arange(total)
        share: numpy.ndarray[Any, Any] = order[self.rank : total // self.world_size * self.world_size : self.world_size]
        return share

    def batches(
        self,
        batch_size: int,
        *,
        seed: int | None = None,
        epoch: int | None = None,
        shuffle: bool = True,
        columns: Sequence[str] | None = None,
        drop_last: bool = False,
    ) -> Iterator[dict[str, numpy.ndarray[Any, Any]]]:
        """Yield one epoch of this rank's rows as dictionaries of arrays (column name to array of `batch_size` values).

        Without `epoch` it is the current one (`position.epoch`). The position moves before a batch is yielded, so a
        checkpoint taken in the loop's body counts that batch as done. After a resume, the first iteration goes on where
        the checkpoint stood; epochs before it yield nothing, so a loop that always counts from 0 is right too.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; expected at least 1")
        arrays = self.arrays()
        names = list(columns) if columns is not None else list(arrays)
        wanted = self.position.epoch if epoch is None else epoch
        start = 0
        if self._resume_at is not None:
            if wanted < self._resume_at.epoch:
                return
            start = self._resume_at.rows if wanted == self._resume_at.epoch else 0
            self._resume_at = None
        rows = self.order(wanted, seed=seed, shuffle=shuffle)
        end = len(rows) // batch_size * batch_size if drop_last else len(rows)
        self.position = Position(wanted, start)
        for first in range(start, end, batch_size):
            self._drawn(self.split, "next" if first > 0 else "first")
            chosen = rows[first : min(first + batch_size, end)]
            self.position = Position(wanted, first + len(chosen))
            yield {name: arrays[name][chosen] for name in names}
        self._drawn(self.split, "none")
        self.position = Position(wanted + 1, 0)
