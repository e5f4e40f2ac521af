"""A rank's share of a dataset split, in an order that depends on seed and epoch alone, with an exact position.

Per epoch all rows stand in one global order (the files' order, or the one that `trainyard.data.order` draws from seed and
epoch). A step of a gang of W ranks takes the next W x batch_size rows of it, and rank r those whose place is r modulo W.
The position is the number of rows that the gang has taken, the same on every rank: whatever number of ranks goes on from
there, each row of the epoch is seen once.

Every rank gets the same count, so that none waits for another at an epoch's end: the last few rows that do not go round
(at most W - 1, others each epoch when shuffled) are left out, or with ``remainder="spread"`` given to the first ranks, of
which the others then have a row less in the last batch (or none: an empty batch).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from trainyard.manifest import DatasetError, Split

if TYPE_CHECKING:
    import numpy

    from trainyard.data.batches import Batch, Wish
    from trainyard.data.bridge import EpochLoader
    from trainyard.data.loader import Loader
    from trainyard.data.rows import Rows

Remainder = Literal["drop", "spread"]
Transform = Callable[[dict[str, Any], "numpy.random.Generator"], dict[str, Any]]


class Position(NamedTuple):
    """How far the gang is: `offset` rows of `epoch`'s order are taken. `seed` and `version` say which order, of which rows."""

    epoch: int
    offset: int
    seed: int
    version: str

    @classmethod
    def revive(cls, saved: Sequence[Any], world_size: int) -> Position:
        """Return a position as a checkpoint of `world_size` ranks holds it; the first ones counted the rows of one rank."""
        if len(saved) == 2:
            return cls(int(saved[0]), int(saved[1]) * world_size, -1, "")
        epoch, offset, seed, version = saved
        return cls(int(epoch), int(offset), int(seed), str(version))


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
        *,
        folder: str | None = None,
        waited: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        """`drawn` is called before each batch with the split and "first" or "next", and with "none" at an epoch's end.

        `folder` is where shards are kept for reading by memory map; `waited` is told how many seconds each batch took to come.
        """
        self.split = split.name
        self.rank = rank
        self.world_size = world_size
        self.position = Position(0, 0, seed, split.version)
        self._resume_at: Position | None = None
        self._split = split
        self._seed = seed
        self._drawn, self._waited = drawn, waited
        self._folder = folder or os.path.join(os.path.abspath(".trainyard-local"), "arrow")
        self._rows: Rows | None = None
        if resume_at is not None:
            self.resume_at(resume_at)

    def resume_at(self, position: Position) -> None:
        """Let the next iteration go on from `position`.

        Raises
        ------
        DatasetError
            In the middle of an epoch of another dataset version.
        """
        if position.offset > 0 and position.version not in ("", self._split.version):
            raise DatasetError(
                f"cannot go on at row {position.offset} of epoch {position.epoch} of {position.version}: "
                f"split {self.split!r} is now of {self._split.version}. Use that version, or begin an epoch: "
                'load_state_dict({**state, "global_offset": 0})'
            )
        self.position = self._resume_at = position

    def state_dict(self) -> dict[str, Any]:
        """Return the position: ``{"epoch", "global_offset", "seed", "dataset_version"}``."""
        epoch, offset, seed, version = self.position
        return {"epoch": epoch, "global_offset": offset, "seed": seed, "dataset_version": version}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave, under this or another world size. A checkpoint does this by itself.

        Raises
        ------
        DatasetError
            In the middle of an epoch of another dataset version.
        """
        self.resume_at(Position(state["epoch"], state["global_offset"], state["seed"], state["dataset_version"]))

    def __len__(self) -> int:
        """Return the rows that this rank sees in a whole epoch."""
        return self.total_rows // self.world_size

    @property
    def rows(self) -> Rows:
        """The split's rows by number."""
        if self._rows is None:
            from trainyard.data.rows import Rows

            self._rows = Rows(self._split, self._folder)
        return self._rows

    @property
    def total_rows(self) -> int:
        """Rows of the whole split."""
        return self.rows.total

    @property
    def columns(self) -> list[str]:
        """Column names in the files' order."""
        return list(self.rows.columns)

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
        """Return the whole split, every rank's rows, as one array per column in the files' order, all of it in memory."""
        return self.rows.all()

    def order(self, epoch: int, *, seed: int | None = None, shuffle: bool = True) -> numpy.ndarray[Any, Any]:
        """Return the numbers (int64) of this rank's rows in a whole epoch, in order."""
        from trainyard.data.order import EpochOrder

        total = self.total_rows
        order = EpochOrder(total, self._seed if seed is None else seed, epoch, shuffle=shuffle, block=self.rows.block)
        return order.rows(0, total // self.world_size * self.world_size)[self.rank :: self.world_size]

    def batches(
        self,
        batch_size: int,
        *,
        seed: int | None = None,
        epoch: int | None = None,
        shuffle: bool = True,
        columns: Sequence[str] | None = None,
        drop_last: bool = False,
        remainder: Remainder = "drop",
        decode: Mapping[str, Callable[[Any], Any]] | None = None,
        transform: Transform | None = None,
        prefetch: int | None = None,
    ) -> Iterator[dict[str, numpy.ndarray[Any, Any]]]:
        """Yield one epoch of this rank's rows as dictionaries of arrays (column name to array of `batch_size` values).

        Without `epoch` it is the current one (`position.epoch`). The position moves before a batch is yielded, so a
        checkpoint taken in the loop's body counts that batch as done. After a resume, the first iteration goes on where
        the checkpoint stood; epochs before it yield nothing, so a loop that always counts from 0 is right too. All ranks
        use the same `batch_size`.

        Parameters
        ----------
        drop_last
            Leave out the last batch of an epoch when it is short.
        remainder
            What becomes of rows that do not go round the ranks; see the module.
        decode
            By column, what makes a value of its bytes or text (``{"image": decode_jpeg}``); values become one array.
        transform
            Makes another batch of a batch, with a generator that follows from (seed, epoch, place, rank) alone: so the same
            augmentations come again after a resume. `decode` and `transform` run in the prefetching thread and must not
            draw from global generators.
        prefetch
            Batches that are made ahead by a thread; 0 makes each when it is asked for. Without it: 2, but 0 where the split is
            held in memory and there is nothing to decode or transform, which a thread would only slow down.

        Raises
        ------
        DatasetError
            When rows cannot be read, decoded or transformed: the message names the file and the row.
        """
        from trainyard.data.batches import Wish
        from trainyard.data.prefetch import Prefetched

        wish = Wish.checked(self, batch_size, shuffle, columns, drop_last, remainder, decode, transform)
        used_seed = self._seed if seed is None else seed
        wanted = self.position.epoch if epoch is None else epoch
        start = self.begin(wanted, used_seed)
        if start is None:
            return
        made = self.make(wish, Position(wanted, start, used_seed, self._split.version))
        if prefetch is None:
            prefetch = 0 if self.rows.in_memory and not decode and transform is None else 2
        ahead = Prefetched(made, prefetch) if prefetch > 0 else None
        try:
            for batch in self.follow(ahead if ahead is not None else made):
                yield batch.values
        finally:
            if ahead is not None:
                ahead.close()

    def loader(self, batch_size: int, *, device: Any = None, pin_memory: bool | None = None, **named: Any) -> Loader:
        """Return what iterates over epochs as dictionaries of tensors; see `trainyard.data.loader.Loader`.

        `named` is passed on to `batches`.
        """
        from trainyard.data.loader import Loader

        return Loader(self, batch_size, device=device, pin_memory=pin_memory, **named)

    def torch_loader(self, batch_size: int, *, loader: Mapping[str, Any] | None = None, **named: Any) -> EpochLoader:
        """Return a `torch.utils.data.DataLoader` over this rank's batches, whose position moves as they are taken.

        `loader` is for the DataLoader (``{"num_workers": 2}``), `named` for `batches`. See `trainyard.data.bridge`.
        """
        from trainyard.data.bridge import EpochLoader

        return EpochLoader(self, batch_size, loader=loader or {}, **named)

    # For whoever makes the batches elsewhere (see `data.bridge`): begin an epoch, make its batches, follow them.

    def begin(self, epoch: int, seed: int | None = None) -> int | None:
        """Set the position to where an iteration over an epoch begins, and return it; None when nothing is left of the epoch.

        Raises
        ------
        DatasetError
            In the middle of an epoch whose order was drawn with another seed.
        """
        seed = self._seed if seed is None else seed
        at = self._resume_at
        if at is None or epoch > at.epoch:
            self._resume_at = None
            self.position = Position(epoch, 0, seed, self._split.version)
            return 0
        if epoch < at.epoch:
            return None
        if at.offset > 0 and at.seed not in (-1, seed):
            raise DatasetError(
                f"cannot go on at row {at.offset} of epoch {epoch}: that order was drawn with seed {at.seed}, "
                f"and this is seed {seed}"
            )
        self._resume_at = None
        self.position = Position(epoch, at.offset, seed, self._split.version)
        return at.offset

    def make(self, wish: Wish, at: Position, every: tuple[int, int] = (0, 1)) -> Iterator[Batch]:
        """Yield this rank's batches from a position on; with ``every=(i, n)`` the i-th of each n. Moves nothing."""
        from trainyard.data.batches import make_batches

        return make_batches(self.rows, wish, at, (self.rank, self.world_size), every)

    def follow(self, made: Iterator[Batch]) -> Generator[Batch, None, None]:
        """Yield the batches, moving the position and measuring the wait, up to the epoch's end."""
        epoch, _, seed, version = self.position
        while True:
            self._drawn(self.split, "first" if self.position.offset == 0 else "next")
            begun = time.perf_counter()
            batch = next(made, None)
            self._waited(time.perf_counter() - begun)
            if batch is None:
                break
            self.position = Position(epoch, batch.end, seed, version)
            yield batch
        self._drawn(self.split, "none")
        self.position = Position(epoch + 1, 0, seed, version)
