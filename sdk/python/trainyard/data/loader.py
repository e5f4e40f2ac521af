"""Batches as tensors, epoch after epoch, on the CPU or already on their way to a GPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainyard.dataset import Dataset


class Loader:
    """Iterates over one epoch at a time: ``for epoch in range(loader.epoch, epochs): for batch in loader: ...``.

    A batch is a dictionary of column name to tensor; a column of text or bytes stays an array of objects. The tensors share
    the memory of the arrays that `Dataset.batches` gathers, which nobody else uses. For a GPU they lie in page-locked memory
    and are copied without making the loop wait.
    """

    def __init__(
        self, dataset: Dataset, batch_size: int, *, device: Any = None, pin_memory: bool | None = None, **named: Any
    ) -> None:
        """`pin_memory` is by default whether `device` is a GPU; `named` goes to `Dataset.batches`."""
        import torch

        self.dataset = dataset
        self.batch_size = batch_size
        self._named = named
        self._torch = torch
        self._device = None if device is None else torch.device(device)
        on_gpu = self._device is not None and self._device.type == "cuda"
        self._pin = on_gpu if pin_memory is None else pin_memory

    @property
    def epoch(self) -> int:
        """The epoch that the next iteration is of, or goes on with."""
        return self.dataset.position.epoch

    def __len__(self) -> int:
        """Return the batches of a whole epoch."""
        from trainyard.data.batches import Wish, plan_steps

        known = {name: value for name, value in self._named.items() if name not in ("seed", "epoch", "prefetch")}
        wish = Wish.checked(self.dataset, self.batch_size, **known)
        return sum(1 for _ in plan_steps(self.dataset.total_rows, 0, self.dataset.world_size, wish))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self.dataset.batches(self.batch_size, **self._named):
            yield {name: self._placed(tensor(values)) for name, values in batch.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return the position: ``{"epoch", "global_offset", "seed", "dataset_version"}``."""
        return self.dataset.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave, under this or another world size."""
        self.dataset.load_state_dict(state)

    def _placed(self, values: Any) -> Any:
        if not isinstance(values, self._torch.Tensor):
            return values
        if self._pin:
            values = values.pin_memory()
        return values if self._device is None else values.to(self._device, non_blocking=self._pin)


def tensor(values: Any) -> Any:
    """Return an array as a tensor over the same memory; what torch has no type for stays as it is."""
    import torch

    is_number = not isinstance(values, torch.Tensor) and values.dtype.kind in "biufc"
    return torch.from_numpy(values) if is_number else values
