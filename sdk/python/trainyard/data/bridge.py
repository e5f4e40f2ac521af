"""A `torch.utils.data.DataLoader` over a dataset's batches, for code that wants one.

With worker processes, worker i of n makes every n-th batch, and the DataLoader takes them in turns: the order is the same as
without. The position moves in the process that takes the batches, as each is taken, so a checkpoint is exact although the
workers are ahead of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from trainyard.data.batches import Batch, Wish
from trainyard.data.loader import tensor
from trainyard.dataset import Position

if TYPE_CHECKING:
    from trainyard.dataset import Dataset


class Batches(IterableDataset):
    """One rank's batches from a position on, as tensors; each worker process makes its share of them."""

    def __init__(self, dataset: Dataset, wish: Wish) -> None:
        self.source = dataset
        self.wish = wish
        self.at: Position | None = None

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        every = (0, 1) if worker is None else (worker.id, worker.num_workers)
        at = self.at if self.at is not None else self.source.position
        for values, end in self.source.make(self.wish, at, every):
            yield Batch({name: tensor(column) for name, column in values.items()}, end)


class EpochLoader(DataLoader):
    """A DataLoader whose iterator is one epoch, or what is left of it, as dictionaries of tensors."""

    def __init__(self, dataset: Dataset, batch_size: int, *, loader: Mapping[str, Any], **named: Any) -> None:
        """`loader` is for `DataLoader`; `named` is as for `Dataset.batches` (without `epoch` and `prefetch`)."""
        seed = named.pop("seed", None)
        super().__init__(Batches(dataset, Wish.checked(dataset, batch_size, **named)), batch_size=None, **loader)
        self._seed = seed

    def __iter__(self) -> Iterator[dict[str, Any]]:
        source = self.dataset.source
        if source.begin(source.position.epoch, self._seed) is None:
            return
        self.dataset.at = source.position
        for batch in source.follow(super().__iter__()):
            yield batch.values

    def state_dict(self) -> dict[str, Any]:
        """Return the position, as `Dataset.state_dict` does."""
        state: dict[str, Any] = self.dataset.source.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.dataset.source.load_state_dict(state)
