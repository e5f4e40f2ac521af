"""Rows of a split by their number, over any number of shards, in bounded memory.

Small splits (`IN_MEMORY_BYTES` of Parquet) are read once and held. Of others each shard becomes an Arrow file that is mapped
into memory (see `arrow_file`); where the disk has no room for one, the shard itself is read and held while it is among the
few used last.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from trainyard.data.arrow_file import arrow_file, open_parquet, read_groups
from trainyard.data.columns import take, view, whole
from trainyard.data.order import block_of
from trainyard.manifest import Split

if TYPE_CHECKING:
    import numpy

IN_MEMORY_BYTES = 64 << 20
#: Mapped files cost address space and a descriptor each.
MAPPED_SHARDS = 1024
#: Shards held in memory because the disk has no room.
HELD_SHARDS = 4
_LOCAL_SEED = 7


class _Segment(NamedTuple):
    """Neighbouring rows of a shard, with their columns by name as `columns.view` gives them."""

    first: int
    columns: Mapping[str, Any]


class Rows:
    """The rows of a split. Not for several threads at once."""

    def __init__(self, split: Split, folder: str, in_memory_bytes: int = IN_MEMORY_BYTES) -> None:
        """Learn how many rows the shards have; `folder` is where Arrow files may be put.

        Raises
        ------
        DatasetError
            When a shard is no Parquet file.
        """
        import numpy

        self._shards = split.shards
        self._folder = folder
        counts = [open_parquet(path).metadata.num_rows if rows is None else rows for path, _, rows in split.shards]
        self._bounds = numpy.concatenate([[0], numpy.cumsum(counts)])
        self.columns = list(open_parquet(split.shards[0].path).schema_arrow.names)
        self.in_memory = sum(os.path.getsize(shard.path) for shard in split.shards) <= in_memory_bytes
        self._open: OrderedDict[int, list[_Segment]] = OrderedDict()
        self._held: OrderedDict[int, None] = OrderedDict()
        self._chosen = _share(int(self._bounds[-1]), split.share) if split.share is not None else None
        self.total = int(self._bounds[-1]) if self._chosen is None else len(self._chosen)

    @property
    def block(self) -> int:
        """The size of a block when these rows are shuffled, by what the first shard with rows says of theirs."""
        for shard in self._shards:
            metadata = open_parquet(shard.path).metadata
            if metadata.num_rows > 0:
                size = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
                return block_of(size / metadata.num_rows)
        return block_of(1)

    def take(self, rows: numpy.ndarray[Any, Any], names: Sequence[str]) -> dict[str, numpy.ndarray[Any, Any]]:
        """Return these rows (int64, in any order) of the named columns, each as an array of its own.

        Raises
        ------
        DatasetError
            When the rows cannot be read; the message names the file and the rows.
        KeyError
            For a column that is not there.
        """
        import numpy

        if self._chosen is not None:
            rows = self._chosen[rows]
        if len(rows) == 0:
            some = self._segments(0)
            return {name: take(some[0].columns[name], numpy.empty(0, dtype=numpy.int64)) for name in names}
        numbers = numpy.searchsorted(self._bounds, rows, side="right") - 1
        parts: list[tuple[Any, _Segment, Any]] = []
        for number in numpy.unique(numbers):
            places = numpy.flatnonzero(numbers == number)
            local = rows[places] - self._bounds[number]
            segments = self._segments(int(number))
            if len(segments) == 1:
                parts.append((places, segments[0], local))
                continue
            which = numpy.searchsorted([segment.first for segment in segments], local, side="right") - 1
            for one in numpy.unique(which):
                chosen = which == one
                parts.append((places[chosen], segments[one], local[chosen] - segments[one].first))
        if len(parts) == 1:
            _, segment, local = parts[0]
            return {name: take(segment.columns[name], local) for name in names}
        return {name: _gather(len(rows), [(at, take(one.columns[name], local)) for at, one, local in parts]) for name in names}

    def all(self) -> dict[str, numpy.ndarray[Any, Any]]:
        """Return every row, as one array per column."""
        import numpy

        if self._chosen is not None:
            return self.take(numpy.arange(self.total), self.columns)
        segments = [segment for number in range(len(self._shards)) for segment in self._segments(number)]
        return {name: numpy.concatenate([whole(segment.columns[name]) for segment in segments]) for name in self.columns}

    def locate(self, row: int) -> tuple[str, int]:
        """Return the file that a row is in, and its number there."""
        import numpy

        row = row if self._chosen is None else int(self._chosen[row])
        number = int(numpy.searchsorted(self._bounds, row, side="right")) - 1
        return self._shards[number].path, row - int(self._bounds[number])

    def _segments(self, number: int) -> list[_Segment]:
        found = self._open.get(number)
        if found is None:
            found = self._open[number] = self._read(number)
        self._open.move_to_end(number)
        if number in self._held:
            self._held.move_to_end(number)
        if not self.in_memory and len(self._open) > MAPPED_SHARDS:
            self._open.popitem(last=False)
        return found

    def _read(self, number: int) -> list[_Segment]:
        import pyarrow

        shard = self._shards[number]
        path = None if self.in_memory else arrow_file(shard, self._folder)
        if path is not None:
            reader = pyarrow.ipc.open_file(pyarrow.memory_map(path))
            return _cut([reader.get_batch(index) for index in range(reader.num_record_batches)] or [_empty(reader.schema)])
        if not self.in_memory:
            self._held[number] = None
            if len(self._held) > HELD_SHARDS:
                self._open.pop(self._held.popitem(last=False)[0], None)
        tables = list(read_groups(shard.path)) or [open_parquet(shard.path).schema_arrow.empty_table()]
        return _cut(pyarrow.concat_tables(tables).combine_chunks().to_batches() or [_empty(tables[0].schema)])


def _cut(batches: list[Any]) -> list[_Segment]:
    segments, first = [], 0
    for batch in batches:
        named = zip(batch.schema.names, batch.columns, strict=True)
        segments.append(_Segment(first, {name: view(column) for name, column in named}))
        first += batch.num_rows
    return segments


def _empty(schema: Any) -> Any:
    import pyarrow

    return pyarrow.RecordBatch.from_arrays([pyarrow.array([], type=field.type) for field in schema], schema=schema)


def _gather(count: int, parts: list[tuple[Any, Any]]) -> Any:
    """Put parts, each with its places, together in one array."""
    import numpy

    kind = numpy.result_type(*(values.dtype for _, values in parts))
    together = numpy.empty((count, *parts[0][1].shape[1:]), dtype=kind)
    for places, values in parts:
        together[places] = values
    return together


def _share(total: int, share: tuple[float, float]) -> Any:
    """Return the rows of a local file that make up a split, ascending."""
    import numpy

    order = numpy.random.default_rng(_LOCAL_SEED).permutation(total)
    first, last = (round(bound * total) for bound in share)
    return numpy.sort(order[first:last])
