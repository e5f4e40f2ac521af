"""Trainyard's in-rank SDK: metrics, checkpoints, datasets and models from inside a training script.

    import trainyard

    run = trainyard.init()
    step = run.resume(model=model, optimizer=optimizer)
    for batch in run.dataset("train").batches(32):
        ...
        step += 1
        run.log({"loss": loss}, step=step)
        if run.should_checkpoint(step):
            run.checkpoint(step, model=model, optimizer=optimizer)
    run.model(model, example_input)
    run.finish()

On the platform the rank's environment says where everything goes. Outside it the same script runs on its own: logging does
nothing, checkpoints and models land under `./.trainyard-local/`. Importing this package costs milliseconds and imports
neither torch, numpy nor pyarrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from trainyard.dataset import Dataset
    from trainyard.run import Run

__all__ = ["Dataset", "Run", "init"]
__version__ = "0.1.0"

_run: Run | None = None


def init(params: Mapping[str, Any] | None = None) -> Run:
    """Return this process's run; the first call makes it (and seeds all generators when TRAINYARD_SEED is set).

    `params` are defaults: those that the job sets come over them.
    """
    global _run  # noqa: PLW0603 (one run per process, like the rank it stands for)
    if _run is None:
        from trainyard.environment import Environment
        from trainyard.run import Run

        _run = Run(Environment.read(), params)
    return _run


def __getattr__(name: str) -> object:
    """Import `Run` and `Dataset` when they are first asked for."""
    if name == "Run":
        from trainyard.run import Run

        return Run
    if name == "Dataset":
        from trainyard.dataset import Dataset

        return Dataset
    raise AttributeError(f"module 'trainyard' has no attribute {name!r}")
