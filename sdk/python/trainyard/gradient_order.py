"""Keeps DistributedDataParallel's sums the same over a restart: three numbers do not always add up to the same in any order.

DDP packs gradients into buckets, and after its first backward pass packs them anew, in the order in which they became ready.
In which order the ranks' values of one gradient are added depends on where in a bucket it is. A resumed run would pack its
first step as a fresh one does, and from three ranks on end with other bits. So the order of the first backward pass is kept
with each checkpoint, and a resumed run lets its gradients become ready in that order once, with zeros, before training.
"""

from __future__ import annotations

import json
import os
from typing import Any

from trainyard.runtime.files import read_json

FILE = "gradient-order.json"


class GradientOrder:
    """The order in which a model's gradients became ready first; `order` is None until that is known."""

    def __init__(self, model: Any, rank_dir: str | None) -> None:
        """Listen to the first backward pass; with `rank_dir` leave there what it told."""
        self.order: list[int] | None = None
        self._path = None if rank_dir is None else os.path.join(rank_dir, FILE)
        self._seen: list[int] = []
        self._parameters = _parameters(model)
        self._hooks = [
            parameter.register_post_accumulate_grad_hook(lambda _, index=index: self._ready(index))
            for index, parameter in enumerate(self._parameters)
        ]

    def _ready(self, index: int) -> None:
        if index in self._seen:  # a second pass, and the first one did not reach every parameter
            self._seen.clear()
        self._seen.append(index)
        if len(self._seen) == len(self._parameters):
            for hook in self._hooks:
                hook.remove()
            self.keep(self._seen)

    def keep(self, order: list[int]) -> None:
        """Take the order as known, and leave it where it is found when this process has died."""
        self.order = list(order)
        if self._path is None:
            return
        temporary = f"{self._path}.tmp"
        with open(temporary, "w", encoding="utf-8") as target:
            json.dump(self.order, target)
        os.rename(temporary, self._path)

    def replay(self, model: Any, order: list[int]) -> None:
        """Have the buckets packed as they were: call it on all ranks, before training."""
        import torch

        for hook in self._hooks:
            hook.remove()
        if sorted(order) == list(range(len(self._parameters))):
            model.reducer.prepare_for_forward()
            model.reducer.prepare_for_backward([])
            for index in order:
                parameter = self._parameters[index]
                torch.autograd.backward(parameter, torch.zeros_like(parameter))
            for parameter in self._parameters:
                parameter.grad = None
        self.keep(order)


def watch(model: Any, rank_dir: str | None, world_size: int, order: list[int] | None) -> GradientOrder | None:
    """Begin to listen, or replay a known order; None where there are no buckets, or two ranks, whose sums have one order."""
    if world_size < 3 or type(model).__name__ != "DistributedDataParallel":
        return None
    if getattr(model, "find_unused_parameters", False) or getattr(model, "static_graph", False):
        return None  # such models are not packed anew after the first pass
    found = GradientOrder(model, rank_dir)
    if order is not None:
        found.replay(model, order)
    return found


def left_in(rank_dir: str) -> list[int] | None:
    """Return the order that a rank left; None when it had none."""
    order: list[int] | None = read_json(os.path.join(rank_dir, FILE))
    return order


def _parameters(model: Any) -> list[Any]:
    return [parameter for parameter in model.module.parameters() if parameter.requires_grad]
