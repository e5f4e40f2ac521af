"""The run as a training script sees it."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from trainyard.checkpoint_requests import CheckpointRequests
from trainyard.description import Description
from trainyard.environment import Environment
from trainyard.journal import Journal
from trainyard.kept_files import KeptFiles
from trainyard.metric_values import finite, number
from trainyard.records import encode_metrics
from trainyard.step_times import StepTimes
from trainyard.training_state import TrainingState

if TYPE_CHECKING:
    from trainyard.cadence import Cadence
    from trainyard.dataset import Dataset, Position
    from trainyard.offline import EndWatch, Place
    from trainyard.saving import Saver


class Run:
    """One rank's handle on the run. Made by `trainyard.init()`; not for sharing between threads.

    Every call works the same on all ranks; what only one rank has to do (save the model), only rank 0 does.
    """

    def __init__(self, environment: Environment, params: Mapping[str, Any] | None = None, place: Place | None = None) -> None:
        self._env = environment
        self._place = place
        self._journal = Journal(environment, place)
        self._records = self._journal.records
        self._description = Description(environment, params, self._journal, place is not None)
        self._files = KeptFiles(self._journal, environment.rank, place)
        self._times = StepTimes(self._journal)
        self._training = TrainingState(environment, self._journal, self._times)
        self._requests = None if environment.local else CheckpointRequests(environment.attempt_dir)
        self._saver: Saver | None = None
        self._cadence: Cadence | None = None
        self._watch: EndWatch | None = None
        self._last_values: dict[str, float] = {}
        self._step = 0
        self._stepped = False
        self._last_checkpoint: int | None = None
        if place is not None:
            from trainyard.offline import EndWatch

            self._watch = EndWatch()
            self._description.tell_environment()
        if environment.deterministic:
            from trainyard.determinism import set_flags

            set_flags()
        if environment.seed is not None:
            self.seed_everything(environment.seed)
        atexit.register(self._flush_at_exit)

    @property
    def id(self) -> str:
        """The run's id; ``local`` outside the platform when nothing is recorded."""
        return self._place.run_id if self._place is not None else self._env.run_id

    @property
    def attempt(self) -> int:
        """Which launch of the job this is, from 1."""
        return self._env.attempt

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""
        return self._env.rank

    @property
    def world_size(self) -> int:
        """How many ranks there are."""
        return self._env.world_size

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0."""
        return self._env.rank == 0

    @property
    def params(self) -> dict[str, Any]:
        """The job's parameters over the defaults that were given to `init`."""
        return self._description.params

    @property
    def data_paths(self) -> list[str]:
        """The host paths that the job reads its data from; empty outside the platform."""
        return self._env.data_paths

    @property
    def position(self) -> dict[str, Position]:
        """How far each split has been read."""
        return self._training.position

    def mesh(self, *, tensor: int = 1, pipeline: int = 1, device_type: str | None = None) -> Any:
        """Return the job's mesh as a `torch.distributed.device_mesh.DeviceMesh` with the axes pipeline, data and tensor.

        ``run.mesh()["data"]`` is what `fully_shard` takes, ``["tensor"]`` what `parallelize_module` takes. Where the job
        declares no mesh (or outside the platform), `tensor` and `pipeline` say its sizes, and data is the rest of the
        ranks. Call it on every rank; it starts the process group when the script has not.

        Raises
        ------
        MeshError
            When the sizes do not make up the number of ranks.
        """
        from trainyard.mesh import device_mesh

        return device_mesh(self.world_size, tensor, pipeline, device_type)

    def seed_everything(self, seed: int) -> None:
        """Seed Python's, NumPy's, PyTorch's and CUDA's global generators, also of a library that is imported later.

        All ranks get the same seed, for what must agree (model initialisation) does so then; a script that wants different
        streams per rank seeds them itself after that. `init` does it with the job's seed.
        """
        from trainyard.determinism import seed_all

        seed_all(seed)

    def first_step(self) -> None:
        """Say that training has begun; the first `log` or `checkpoint` says it by itself."""
        if not self._stepped:
            self._stepped = True
            self._journal.say({"kind": "first_step", "at": time.time()})
            self._description.tell_environment()

    def log(self, values: Mapping[str, Any], step: int | None = None) -> None:
        """Log numbers at a step (without one: the step after the last). Costs microseconds and never waits.

        Values are ints, floats, or anything with `.item()` (a tensor or array of one element; on a GPU that waits for it).
        NaN and infinities are kept.

        Raises
        ------
        TypeError
            For a value that is not a number; the message names the key.
        """
        if not self._stepped:
            self.first_step()
        self._step = self._step + 1 if step is None else step
        numbers = {key: value if type(value) is float else number(key, value) for key, value in values.items()}
        self._last_values.update(numbers)
        if self._records is not None:
            self._records.append(encode_metrics(time.time(), self._step, numbers))
            self._times.tick(self._step)
        if self._cadence is not None:
            self._cadence.logged(numbers)
        if self._training.guard is not None:
            self._training.guard.told(None)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Add parameters to the run; rank 0's count. A parameter never changes once it is logged.

        Raises
        ------
        ValueError
            For a parameter that has another value; the message names both.
        """
        self._description.add_params(params)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags, words about the run that may change; rank 0's count."""
        self._description.set_tags(tags)

    def note(self, text: str, step: int | None = None, *, key: str = "") -> None:
        """Note something about the run, in Markdown; it is kept with the rank and the time. Notes do not change.

        With a step, and perhaps a metric's key, it is about that place, where charts can show it.

        Raises
        ------
        ValueError
            For a key without a step, or a step that float64 does not count exactly.
        """
        self._description.note(text, step, key)

    def log_histogram(self, key: str, values: Any, step: int | None = None, *, bins: int | Sequence[float] = 64) -> None:
        """Log how numbers (an array or tensor of any shape, or a list) are distributed at a step, by default the last one.

        They are counted in `bins` ranges from least to greatest, or between the edges given. Of each key, step and rank the
        last one stands.

        Raises
        ------
        ValueError
            For a key that makes no path, a step below 0, or bins that are too many or do not rise.
        """
        from trainyard import media

        self._files.keep_media("histogram", key, self._step if step is None else step, "json", media.histogram(values, bins))

    def log_image(self, key: str, image: Any, step: int | None = None) -> None:
        """Log a picture at a step: a path, bytes, a Pillow image, or an array or tensor as `trainyard.media.image` takes it.

        Raises
        ------
        ValueError
            For a key or step as in `log_histogram`, for what is no picture, or more than 2 MiB.
        """
        from trainyard import media

        extension, data = media.image(image)
        self._files.keep_media("image", key, self._step if step is None else step, extension, data)

    def log_table(self, key: str, data: Any, step: int | None = None, *, columns: Sequence[str] | None = None) -> None:
        """Log rows of cells at a step: columns by name, mappings, a DataFrame, or rows with `columns`.

        Raises
        ------
        ValueError
            For a key or step as in `log_histogram`, for ragged rows, or a table over the limits of `trainyard.media.table`.
        """
        from trainyard import media

        self._files.keep_media("table", key, self._step if step is None else step, "json", media.table(data, columns))

    def should_checkpoint(self, step: int) -> bool:
        """Say whether a checkpoint is due at this step. Ask at each step, on every rank.

        It is due as the job's `checkpoint` says (`everySteps`, `every`, `best`, whichever comes first), and when the platform
        asks for one before it moves the gang. All ranks get the same answer for the same step.
        """
        if self._training.guard is not None:
            self._training.guard.told(step)
        if self._records is not None:
            self._times.tick(step)
        asked = self._requests is not None and self._requests.due(step)
        if self._cadence is None:
            from trainyard.cadence import cadence_for

            self._cadence = cadence_for(self._env)
            self._cadence.logged(self._last_values)
        return self._cadence.due(step) or asked

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Say that this rank does something else than training steps for a while, such as ``evaluation``.

        Meanwhile the gang does not count as hung, however long it takes.
        """
        return self._times.phase(name)

    def checkpoint(
        self,
        step: int,
        *,
        model: Any = None,
        optimizer: Any = None,
        scheduler: Any = None,
        scaler: Any = None,
        state: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
    ) -> None:
        """Save what is needed to go on from after `step`. Call it on every rank.

        Copies the state to host memory, which is used again by the next checkpoint, and returns; a thread writes it. Model,
        optimizer, scheduler and scaler (anything with `state_dict()`) are taken as the same on all ranks and stored by rank 0;
        sharded ones (FSDP2) by each rank its shards. `state`, the generators' states and the data position are stored by each
        rank. A second checkpoint waits until the first is written.

        Raises
        ------
        CheckpointError
            When the checkpoint before could not be written.
        TypeError
            When `state` holds something that a checkpoint cannot.
        """
        begun = time.perf_counter()
        self._training.refuse_fresh_start()
        if self._training.guard is not None:
            self._training.guard.told(step)
        if step == self._last_checkpoint:
            return
        saver = self._begin_saver()
        saver.wait()
        if not self._stepped:
            self.first_step()
        offset = self._journal.size()
        values = {key: number(key, value) for key, value in metrics.items()} if metrics else dict(self._last_values)

        shared = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "scaler": scaler}
        parts, told = saver.take(shared, state, lambda: self._training.facts(step), self._training.own)
        record = {"kind": "checkpoint", "step": step, "offset": offset, "worldSize": self.world_size}
        saver.write(step, parts, told, {**record, "metrics": finite(values)})
        self._last_checkpoint = step
        self._times.clock.checkpointed(time.perf_counter() - begun)
        if self._cadence is not None:
            self._cadence.taken()

    def resume(
        self,
        *,
        model: Any = None,
        optimizer: Any = None,
        scheduler: Any = None,
        scaler: Any = None,
        state: dict[str, Any] | None = None,
        replicated: bool | None = None,
    ) -> int:
        """Put everything back as the checkpoint has it, and return its step; 0, and no change, when there is none.

        Call it once, after model and optimizer are made (and wrapped) and before training; random numbers drawn afterwards
        are those that the unbroken run would draw. `state` (a dict) is updated in place from the checkpoint's.

        From then on the SDK also watches over what it was given, so that no step is lost when a rank dies: the survivors
        save the newest whole step. That needs the same parameters on all ranks: a model in DistributedDataParallel, or
        `replicated=True` from a script that keeps them the same in another way.

        Raises
        ------
        CheckpointError
            When the checkpoint is not whole, lacks a part that is asked for, has one that is not, or has one that does not fit;
            and when another number of ranks made it and it holds what cannot be divided anew.
        """
        parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "scaler": scaler}
        step = self._training.resume(parts, state, replicated, self._step)
        if step is None:
            return 0
        self._step = self._last_checkpoint = step
        return step

    def state(
        self,
        *,
        model: Any,
        optimizer: Any,
        scheduler: Any = None,
        scaler: Any = None,
        state: dict[str, Any] | None = None,
        replicated: bool | None = None,
    ) -> None:
        """Hand the SDK what the training's state is, without resuming: as `resume` does, for a script that loads its own.

        From then on the survivors of a rank's death save the newest whole step, where they can; see `resume`.
        """
        parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "scaler": scaler}
        self._training.take_over(parts, state, replicated, self._step)

    def dataset(self, split: str = "train") -> Dataset:
        """Return this rank's share of a split; the same object each time.

        Raises
        ------
        DatasetError
            When the run has no dataset or the dataset has no such split.
        """
        return self._training.dataset(split)

    def watch(self, model: Any, every: int = 100) -> None:
        """Log the gradients' norm and the memory in use at every so many steps of the model's optimizer, with the next `log`.

        The metrics are ``trainyard/watch/grad_norm`` (of rank 0; with several parameter groups also
        ``trainyard/watch/grad_norm/<name or number>``), ``trainyard/watch/rss_bytes``, and on a GPU
        ``trainyard/watch/cuda_allocated_bytes`` and ``trainyard/watch/cuda_peak_bytes``. There each look waits for the device.
        Call it on every rank.

        Raises
        ------
        ValueError
            When `every` is below 1.
        """
        if every < 1:
            raise ValueError(f"every is {every}; expected at least 1")
        from trainyard.model_watch import watch_model

        watch_model(model, every, self._times.see, self.is_main)

    def artifact(self, path: str, name: str | None = None) -> None:
        """Keep a file (or every file of a folder) with the run, under `name` or its own name.

        Raises
        ------
        FileNotFoundError
            When there is nothing at `path`.
        ValueError
            When the name leads out of the run (``../x``) or is otherwise none that an artifact can have.
        """
        self._files.keep(path, name)

    def model(
        self,
        path_or_module: Any,
        signature: Any,
        *,
        name: str = "model",
        metrics: Mapping[str, Any] | None = None,
        features: Sequence[str] = (),
    ) -> None:
        """Save the run's model. Rank 0 does it; on other ranks nothing happens.

        Parameters
        ----------
        path_or_module
            A PyTorch module (exported as torch.export `.pt2`, batch dimension free), or the path of what you saved.
        signature
            With a module: an example input, a tensor or tuple of tensors, batch first. With a path: a dictionary
            ``{"inputs": [{"name", "dtype", "shape"}], "outputs": [...]}``.
        features
            The dataset columns that make up the input, in order; the evaluation reads them.
        """
        self._training.refuse_fresh_start()
        if not self.is_main:
            return
        numbers = {key: number(key, value) for key, value in (metrics or {}).items()}
        self._files.keep_model(path_or_module, signature, name, finite(numbers), features)

    def finish(self) -> None:
        """Wait until everything is written. Outside the platform this also ends the run: it is not resumed any more.

        A run that is recorded for `trainyard sync` has completed by it. Without this call it ends with the process, by
        what the process ends with.

        Raises
        ------
        CheckpointError
            When the last checkpoint could not be written.
        """
        if self._saver is not None:
            self._saver.wait()
        self._description.wait()
        if self._env.local:
            from trainyard.checkpoint import prune_local

            prune_local(os.path.join(self._env.attempt_dir, "ckpt"), self.rank, keep=0)
        self._end("completed")

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.finish()
        elif self._watch is not None and kind is not None:
            self._watch.failed(kind, error)
            self._end(self._watch.status, self._watch.message)

    def _begin_saver(self) -> Saver:
        from trainyard.saving import Saver

        if self._saver is None:
            self._saver = Saver(self._env, self._journal.say, self._checkpoint_took)
        return self._saver

    def _checkpoint_took(self, seconds: float) -> None:
        if self._cadence is not None:
            self._cadence.wrote(seconds)

    def _end(self, status: str, message: str = "") -> None:
        """Write the last record of an offline run, once, by the process that began it."""
        watch, self._watch = self._watch, None
        if watch is None or self._place is None or not watch.is_own_process:
            return
        self._description.wait()
        self._journal.say({"kind": "end", "status": status, "at": time.time(), "message": message})
        if self.is_main:
            sys.stderr.write(f"trainyard: recorded {self.id}; send it by: trainyard sync {self._place.directory}\n")

    def hand_over(self, error: BaseException | None) -> None:
        """Let the survivors' state be saved; called by the platform when the script has ended with an error."""
        self._training.hand_over(error)

    def _flush_at_exit(self) -> None:
        if self._saver is not None and threading.current_thread() is threading.main_thread():
            try:
                self._saver.wait()
            except RuntimeError as error:
                sys.stderr.write(f"trainyard: {error}\n")
        if self._watch is not None:
            self._end(self._watch.status, self._watch.message)
        else:
            self._description.wait()
