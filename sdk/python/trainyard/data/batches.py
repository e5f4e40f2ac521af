"""Which rows make up each step's batch, and the batches themselves."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from trainyard.data.order import EpochOrder
from trainyard.manifest import DatasetError

if TYPE_CHECKING:
    import numpy

    from trainyard.data.rows import Rows
    from trainyard.dataset import Dataset, Position


class Wish(NamedTuple):
    """What a loop asks of an epoch's batches; see `Dataset.batches`."""

    batch_size: int
    shuffle: bool
    columns: Sequence[str]
    drop_last: bool
    remainder: str
    decode: Mapping[str, Callable[[Any], Any]]
    transform: Callable[[dict[str, Any], numpy.random.Generator], dict[str, Any]] | None

    @classmethod
    def checked(
        cls,
        dataset: Dataset,
        batch_size: int,
        shuffle: bool = True,
        columns: Sequence[str] | None = None,
        drop_last: bool = False,
        remainder: str = "drop",
        decode: Mapping[str, Callable[[Any], Any]] | None = None,
        transform: Callable[[dict[str, Any], numpy.random.Generator], dict[str, Any]] | None = None,
    ) -> Wish:
        """Return the wish, with the columns it means.

        Raises
        ------
        ValueError
            For a batch size below 1 or another `remainder`.
        DatasetError
            For a column that the split does not have.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; expected at least 1")
        if remainder not in ("drop", "spread"):
            raise ValueError(f"remainder is {remainder!r}; expected 'drop' or 'spread'")
        names = list(columns) if columns is not None else dataset.columns
        unknown = [name for name in (*names, *(decode or {})) if name not in dataset.columns]
        if unknown:
            raise DatasetError(f"split {dataset.split!r} has no column {', '.join(unknown)}; it has {dataset.columns}")
        return cls(batch_size, shuffle, names, drop_last, remainder, decode or {}, transform)


class Batch(NamedTuple):
    """A rank's rows of a step by column, and the gang's position after it."""

    values: dict[str, Any]
    end: int


def plan_steps(total: int, start: int, world_size: int, wish: Wish) -> Iterator[tuple[int, int]]:
    """Yield the steps from position `start` to the epoch's end: the places (first, after the last) of the rows each takes.

    They are the same on every rank.
    """
    end = total if wish.remainder == "spread" else start + (total - start) // world_size * world_size
    whole = world_size * wish.batch_size
    for first in range(start, end, whole):
        last = min(first + whole, end)
        if wish.drop_last and last - first < whole:
            return
        yield first, last


def make_batches(rows: Rows, wish: Wish, at: Position, place: tuple[int, int], every: tuple[int, int]) -> Iterator[Batch]:
    """Yield a rank's batches from position `at`; `place` is (rank, world size), `every` (i, n) leaves all but the i-th of n.

    Raises
    ------
    DatasetError
        When rows cannot be read, decoded or transformed: the message names the file and the row.
    """
    import numpy

    rank, world_size = place
    order = EpochOrder(rows.total, at.seed, at.epoch, shuffle=wish.shuffle, block=rows.block)
    steps = plan_steps(rows.total, at.offset, world_size, wish)
    for first, last in itertools.islice(steps, every[0], None, every[1]):
        chosen = order.rows(first, last)[rank::world_size]
        values: dict[str, Any] = rows.take(chosen, wish.columns)
        for name in wish.decode.keys() & values.keys():
            values[name] = _decoded(rows, chosen, name, values[name], wish.decode[name])
        if wish.transform is not None:
            generator = numpy.random.default_rng((at.seed, at.epoch, first, rank))
            try:
                values = wish.transform(values, generator)
            except Exception as error:
                raise DatasetError(
                    f"transform failed on a batch of {len(chosen)} rows that {_from(rows, chosen)}: {_text(error)}"
                ) from error
        yield Batch(values, last)


def _decoded(rows: Rows, chosen: Any, name: str, values: Any, decode: Callable[[Any], Any]) -> Any:
    import numpy

    made = []
    for row, value in zip(chosen, values, strict=True):
        try:
            made.append(numpy.asarray(decode(value)))
            if made[-1].shape != made[0].shape:
                raise ValueError(f"it has shape {made[-1].shape}, and that of the batch's first row {made[0].shape}")
        except Exception as error:
            path, number = rows.locate(int(row))
            raise DatasetError(f"{path}: row {number}: column {name!r} cannot be decoded: {_text(error)}") from error
    return numpy.stack(made) if made else values


def _from(rows: Rows, chosen: Any) -> str:
    if len(chosen) == 0:
        return "is empty"
    path, number = rows.locate(int(chosen[0]))
    return f"begins with row {number} of {path}"


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
