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
nothing, checkpoints and models land under `./.trainyard-local/`; with `init(offline=DIR)` (or ``TRAINYARD_OFFLINE``, or
``TRAINYARD_URL`` and ``TRAINYARD_TOKEN``) everything is recorded in a folder that `trainyard sync` sends. Importing this
package costs milliseconds and imports neither torch, numpy nor pyarrow.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from trainyard.dataset import Dataset
    from trainyard.run import Run

__all__ = ["Dataset", "Run", "init"]
__version__ = "0.1.0"

_run: Run | None = None


def init(
    params: Mapping[str, Any] | None = None,
    *,
    offline: str | None = None,
    experiment: str | None = None,
    name: str | None = None,
    tags: Mapping[str, Any] | None = None,
) -> Run:
    """Return this process's run; the first call makes it (and seeds all generators when TRAINYARD_SEED is set).

    Parameters
    ----------
    params
        Defaults: those that the job sets come over them.
    offline
        Outside the platform: the folder to record the run in, for `trainyard sync` to send. On the platform it has no effect.
    experiment, name
        What the run recorded there belongs to (``TRAINYARD_EXPERIMENT``, else ``default``) and is called (the script's name);
        a job's run has both from its job file.
    tags
        Words about the run, as by `run.set_tags`.

    Raises
    ------
    OfflineError
        When the run cannot be recorded in that folder.
    """
    global _run  # noqa: PLW0603 (one run per process, like the rank it stands for)
    if _run is None:
        from trainyard.environment import Environment
        from trainyard.run import Run

        environment = Environment.read()
        place = None
        if environment.local and (offline or _recorded_by_environment()):
            from trainyard.offline import directory_of, open_place

            root = directory_of(offline)
            if root is not None:
                place = open_place(
                    root, rank=environment.rank, world_size=environment.world_size, experiment=experiment, name=name
                )
        _run = Run(environment, params, place)
        if tags:
            _run.set_tags(tags)
    return _run


def hand_over(error: BaseException | None) -> None:
    """Let this rank's state be saved after the script has ended with an error; for the platform, not for scripts."""
    if _run is not None:
        _run.hand_over(error)


def _recorded_by_environment() -> bool:
    return any(os.environ.get(name) for name in ("TRAINYARD_OFFLINE", "TRAINYARD_URL"))


def __getattr__(name: str) -> object:
    """Import `Run` and `Dataset` when they are first asked for."""
    if name == "Run":
        from trainyard.run import Run

        return Run
    if name == "Dataset":
        from trainyard.dataset import Dataset

        return Dataset
    raise AttributeError(f"module 'trainyard' has no attribute {name!r}")
