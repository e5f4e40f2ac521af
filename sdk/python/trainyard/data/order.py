"""The one order in which an epoch shows all samples, which follows from (number of samples, seed, epoch) alone.

No rank and no world size has a part in it: rank r of W takes, of the next W x batch samples, those whose place is r modulo W.
So a position is one number, how many samples the gang has consumed, and any number of ranks can go on from it.

As many samples as make up a *window* are shuffled as a whole. More are shuffled in two levels, so that neither the order nor
the data has to be held: *blocks* (runs of neighbours) are drawn in a random order, and the samples of `BLOCKS_IN_WINDOW` blocks
drawn one after the other are shuffled together. A window's order costs eight bytes a sample and is made when it is reached;
what is read meanwhile lies in a few places of the disk. Blocks of large samples have fewer of them: before the first batch no
more has to be made ready than a window's shards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy

MAX_BLOCK = 1 << 16
MIN_BLOCK = 1 << 6
#: Bytes of a block, about.
BLOCK_BYTES = 64 << 20
BLOCKS_IN_WINDOW = 16


def block_of(sample_bytes: float) -> int:
    """Return how many samples of that size, as their files say it, make up a block: a power of two.

    It is part of the order: whoever changes it has epochs that were begun go on elsewhere.
    """
    fitting = int(BLOCK_BYTES / max(1.0, sample_bytes))
    return min(MAX_BLOCK, max(MIN_BLOCK, 1 << max(0, fitting.bit_length() - 1)))


class EpochOrder:
    """Order of one epoch. `rows(first, last)` are the samples at those places."""

    def __init__(self, total: int, seed: int, epoch: int, *, shuffle: bool = True, block: int = MAX_BLOCK) -> None:
        """`seed` and `epoch` are not negative; `block` as `block_of` gives it."""
        import numpy

        self.total = total
        self._key = (seed, epoch)
        self._shuffle = shuffle
        self._block = block
        self._at: tuple[int, Any] | None = None
        self._blocks: Any = None
        self._starts: Any = None
        if shuffle and total > BLOCKS_IN_WINDOW * block:
            count = -(-total // block)
            self._blocks = numpy.random.default_rng(self._key).permutation(count)
            sizes: Any = numpy.full(count, block, dtype=numpy.int64)
            sizes[self._blocks == count - 1] = total - (count - 1) * block
            windows = numpy.arange(0, count, BLOCKS_IN_WINDOW)
            self._starts = numpy.concatenate([[0], numpy.cumsum(numpy.add.reduceat(sizes, windows))])

    def rows(self, first: int, last: int) -> numpy.ndarray[Any, Any]:
        """Return the samples (int64) at the places from `first` up to, not including, `last`."""
        import numpy

        if not self._shuffle:
            return numpy.arange(first, last)
        if self._starts is None:
            whole: numpy.ndarray[Any, Any] = self._in_window(0)[first:last]
            return whole
        pieces = []
        while first < last:
            number = int(numpy.searchsorted(self._starts, first, side="right")) - 1
            begin, end = int(self._starts[number]), min(last, int(self._starts[number + 1]))
            pieces.append(self._in_window(number)[first - begin : end - begin])
            first = end
        joined: numpy.ndarray[Any, Any] = numpy.concatenate([numpy.empty(0, dtype=numpy.int64), *pieces])
        return joined

    def _in_window(self, number: int) -> Any:
        if self._at is None or self._at[0] != number:
            self._at = (number, self._draw(number))
        return self._at[1]

    def _draw(self, number: int) -> Any:
        import numpy

        if self._blocks is None:
            return numpy.random.default_rng(self._key).permutation(self.total)
        blocks = self._blocks[number * BLOCKS_IN_WINDOW : (number + 1) * BLOCKS_IN_WINDOW]
        runs = [numpy.arange(one * self._block, min((one + 1) * self._block, self.total)) for one in blocks]
        rows = numpy.concatenate(runs)
        numpy.random.default_rng((*self._key, number)).shuffle(rows)
        return rows
