"""How long a rank waits for the others, as cheaply as it can be told.

A model in DistributedDataParallel exchanges its gradients while the backward pass goes on; what counts is how long the rank
waits after its own pass is done. DDP measures that itself in some of its iterations (the time of the exchange less what
overlaps with the pass), and is asked once a second.

A script that calls collectives itself has them timed by wrapping the functions of `torch.distributed`. That is done for plain
modules only: a compiled one may have collectives in its graph, where a wrapper would break it in two. On a GPU a collective
is only enqueued by its call, so little of it is seen; so is one that is called with ``async_op=True`` on a CPU.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from typing import Any

from trainyard.step_clock import StepClock

#: DDP's own default is 100; on a CPU measuring costs nothing, on a GPU it waits for the device.
_EVERY_ON_CPU = 10
#: The attribute that marks a function as wrapped already.
_TIMED = "trainyard_timed"
_COLLECTIVES = (
    "all_gather",
    "all_gather_into_tensor",
    "all_gather_object",
    "all_reduce",
    "all_to_all",
    "all_to_all_single",
    "barrier",
    "broadcast",
    "broadcast_object_list",
    "gather",
    "recv",
    "reduce",
    "reduce_scatter",
    "reduce_scatter_tensor",
    "scatter",
    "send",
)


def watch_communication(model: Any, clock: StepClock) -> None:
    """Have `clock` told what `model`'s ranks wait for each other."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return
    kind = type(model).__name__
    if kind == "DistributedDataParallel":
        if next(model.parameters()).device.type == "cpu":
            model._set_ddp_runtime_logging_sample_rate(_EVERY_ON_CPU)
        clock.exchange = functools.partial(_exchange_seconds, model)
    elif kind != "OptimizedModule" and not kind.startswith("FSDP"):
        _wrap(distributed, clock)


def _exchange_seconds(model: Any) -> float:
    facts = model._get_ddp_logging_data()
    waited: float = facts.get("backward_comm_time", 0) - facts.get("backward_compute_comm_overlap_time", 0)
    return max(0.0, waited / 1e9)


def _wrap(distributed: Any, clock: StepClock) -> None:
    inside = [False]

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            if inside[0]:
                return function(*arguments, **named)
            inside[0] = True
            begun = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                inside[0] = False
                clock.communicated(time.perf_counter() - begun)

        setattr(call, _TIMED, True)
        return call

    for name in _COLLECTIVES:
        function = getattr(distributed, name, None)
        if function is not None and not hasattr(function, _TIMED):
            setattr(distributed, name, timed(function))
