"""The run as a training script sees it."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from trainyard.checkpoint_requests import CheckpointRequests
from trainyard.environment import Environment
from trainyard.records import RecordWriter, encode_metrics, encode_object
from trainyard.step_clock import StepClock

if TYPE_CHECKING:
    from trainyard.cadence import Cadence
    from trainyard.dataset import Dataset, Position
    from trainyard.gradient_order import GradientOrder
    from trainyard.guard import Guard
    from trainyard.offline import EndWatch, Place
    from trainyard.saving import Saver


class Run:
    """One rank's handle on the run. Made by `trainyard.init()`; not for sharing between threads.

    Every call works the same on all ranks; what only one rank has to do (save the model), only rank 0 does.
    """

    def __init__(self, environment: Environment, params: Mapping[str, Any] | None = None, place: Place | None = None) -> None:
        self._env = environment
        self._records: RecordWriter | None = None
        self._saver: Saver | None = None
        self._cadence: Cadence | None = None
        self._own_state = False
        self._datasets: dict[str, Dataset] = {}
        self._resume_positions: dict[str, Position] = {}
        self._params = {**(params or {}), **environment.params}
        self._last_values: dict[str, float] = {}
        self._step = 0
        self._last_checkpoint: int | None = None
        self._resumed = False
        self._guard: Guard | None = None
        self._order: GradientOrder | None = None
        self._stepped = False
        self._clock = StepClock()
        self._seen: dict[str, float] = {}
        self._requests = None if environment.local else CheckpointRequests(environment.attempt_dir)
        self._place = place
        self._watch: EndWatch | None = None
        self._facts: threading.Thread | None = None
        self._media = 0
        self._told: dict[str, Any] = dict(environment.params)
        if place is not None:
            self._begin_offline(place)
        elif not environment.local:
            os.makedirs(environment.rank_dir, mode=0o700, exist_ok=True)
            self._records = RecordWriter(os.path.join(environment.rank_dir, "records.bin"))
            self._tell_params({key: value for key, value in (params or {}).items() if key not in environment.params})
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
        return self._params

    @property
    def data_paths(self) -> list[str]:
        """The host paths that the job reads its data from; empty outside the platform."""
        return self._env.data_paths

    @property
    def position(self) -> dict[str, Position]:
        """How far each split has been read."""
        return {name: dataset.position for name, dataset in self._datasets.items()}

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
            self._append({"kind": "first_step", "at": time.time()})
            self._tell_environment()

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
        numbers = {key: value if type(value) is float else _number(key, value) for key, value in values.items()}
        self._last_values.update(numbers)
        if self._records is not None:
            self._records.append(encode_metrics(time.time(), self._step, numbers))
            self._tick(self._step)
        if self._cadence is not None:
            self._cadence.logged(numbers)
        if self._guard is not None:
            self._guard.told(None)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Add parameters to the run; rank 0's count. A parameter never changes once it is logged.

        Raises
        ------
        ValueError
            For a parameter that has another value; the message names both.
        """
        from trainyard.plain import plain

        for key, value in plain(params).items():
            if key in self._told and self._told[key] != value:
                raise ValueError(
                    f"parameter {key!r} is {self._told[key]!r} and was now given as {value!r}; "
                    "parameters do not change once logged: log it under another name"
                )
        self._params.update(params)
        self._tell_params(params)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags, words about the run that may change; rank 0's count."""
        self._say("tags", {key: value if isinstance(value, str) else str(value) for key, value in tags.items()})

    def note(self, text: str) -> None:
        """Note something about the run, in Markdown; it is kept with the rank and the time. Notes do not change."""
        self._append({"kind": "note", "text": text, "at": time.time()})

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

        self._log_media("histogram", key, step, "json", media.histogram(values, bins))

    def log_image(self, key: str, image: Any, step: int | None = None) -> None:
        """Log a picture at a step: a path, bytes, a Pillow image, or an array or tensor as `trainyard.media.image` takes it.

        Raises
        ------
        ValueError
            For a key or step as in `log_histogram`, for what is no picture, or more than 2 MiB.
        """
        from trainyard import media

        extension, data = media.image(image)
        self._log_media("image", key, step, extension, data)

    def log_table(self, key: str, data: Any, step: int | None = None, *, columns: Sequence[str] | None = None) -> None:
        """Log rows of cells at a step: columns by name, mappings, a DataFrame, or rows with `columns`.

        Raises
        ------
        ValueError
            For a key or step as in `log_histogram`, for ragged rows, or a table over the limits of `trainyard.media.table`.
        """
        from trainyard import media

        self._log_media("table", key, step, "json", media.table(data, columns))

    def should_checkpoint(self, step: int) -> bool:
        """Say whether a checkpoint is due at this step. Ask at each step, on every rank.

        It is due as the job's `checkpoint` says (`everySteps`, `every`, `best`, whichever comes first), and when the platform
        asks for one before it moves the gang. All ranks get the same answer for the same step.
        """
        if self._guard is not None:
            self._guard.told(step)
        if self._records is not None:
            self._tick(step)
        asked = self._requests is not None and self._requests.due(step)
        if self._cadence is None:
            self._cadence = self._begin_cadence()
            self._cadence.logged(self._last_values)
        return self._cadence.due(step) or asked

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Say that this rank does something else than training steps for a while, such as ``evaluation``.

        Meanwhile the gang does not count as hung, however long it takes.
        """
        self._append({"kind": "phase", "name": name})
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._clock.was_away(time.perf_counter() - begun)
            self._append({"kind": "phase", "name": ""})

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
        from trainyard import random_state

        begun = time.perf_counter()
        self._refuse_fresh_start()
        if self._guard is not None:
            self._guard.told(step)
        if step == self._last_checkpoint:
            return
        saver = self._begin_saver()
        saver.wait()
        if not self._stepped:
            self.first_step()
        offset = self._records.size() if self._records is not None else 0
        values = {key: _number(key, value) for key, value in metrics.items()} if metrics else dict(self._last_values)

        def facts() -> dict[str, Any]:
            order = None if self._order is None else self._order.order
            return {
                "step": step,
                "rank": self.rank,
                "worldSize": self.world_size,
                "random": random_state.capture(),
                "positions": {**self._resume_positions, **self.position},
                **({} if order is None else {"gradientOrder": order}),
            }

        shared = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "scaler": scaler}
        parts, told = saver.take(shared, state, facts, self._own_state)
        record = {"kind": "checkpoint", "step": step, "offset": offset, "worldSize": self.world_size}
        saver.write(step, parts, told, {**record, "metrics": _finite(values)})
        self._last_checkpoint = step
        self._clock.checkpointed(time.perf_counter() - begun)
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
        from trainyard import random_state
        from trainyard.checkpoint import newest_local
        from trainyard.dataset import Position
        from trainyard.resume import load

        self._resumed = True
        self._own_state = self._keeps_own_state(replicated)
        parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "scaler": scaler}
        root = self._env.resume_dir
        if root is None and self._env.local:
            root = newest_local(os.path.join(self._env.attempt_dir, "ckpt"), self.world_size)
        if root is not None:
            facts = load(root, self.rank, self.world_size, parts, state)
            world_size = int(facts["worldSize"])
            self._resume_positions = {name: Position.revive(at, world_size) for name, at in facts["positions"].items()}
            for name, dataset in self._datasets.items():
                if name in self._resume_positions:
                    dataset.resume_at(self._resume_positions.pop(name))
            self._step = self._last_checkpoint = int(facts["step"])
            self._watch_order(model, facts.get("gradientOrder"))
            random_state.restore(facts["random"])
            if facts.get("reseed") is not None:
                self.seed_everything(facts["reseed"])
        else:
            self._watch_order(model, None)
        self._watch_over(parts, state, replicated)
        self._clock.start_at(self._step)
        self._watch_communication(model)
        return self._step if root is not None else 0

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
        self._resumed = True
        self._own_state = self._keeps_own_state(replicated)
        parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "scaler": scaler}
        self._watch_order(model, None)
        self._watch_over(parts, state, replicated)
        self._watch_communication(model)

    def dataset(self, split: str = "train") -> Dataset:
        """Return this rank's share of a split; the same object each time.

        Raises
        ------
        DatasetError
            When the run has no dataset or the dataset has no such split.
        """
        if split not in self._datasets:
            from trainyard.dataset import Dataset
            from trainyard.manifest import find_split

            found = find_split(self._env.manifest, split)
            at = self._resume_positions.pop(split, None)
            self._datasets[split] = Dataset(
                found,
                self.rank,
                self.world_size,
                self._env.seed or 0,
                at,
                self._drawn,
                folder=os.path.join(self._env.attempt_dir, "arrow"),
                waited=self._waited,
            )
        return self._datasets[split]

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

        watch_model(model, every, self._see, self.is_main)

    def artifact(self, path: str, name: str | None = None) -> None:
        """Keep a file (or every file of a folder) with the run, under `name` or its own name.

        Raises
        ------
        FileNotFoundError
            When there is nothing at `path`.
        ValueError
            When the name leads out of the run (``../x``) or is otherwise none that an artifact can have.
        """
        if os.path.isdir(path):
            for folder, _, files in os.walk(path):
                for file in sorted(files):
                    whole = os.path.join(folder, file)
                    inside = os.path.relpath(whole, path)
                    self.artifact(whole, f"{name or os.path.basename(os.path.abspath(path))}/{inside}")
            return
        if not os.path.isfile(path):
            raise FileNotFoundError(f"run.artifact: there is no file {path}")
        from trainyard.artifact_path import artifact_path

        kept_as = artifact_path(name or os.path.basename(path))
        file = os.path.abspath(path)
        if self._place is not None:
            from trainyard.offline import keep_file

            file = keep_file(self._place, file)
        self._append({"kind": "artifact", "path": kept_as, "file": file})

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
        self._refuse_fresh_start()
        if not self.is_main:
            return
        from trainyard.model import save_module, save_path

        folder = name if name == "model" else os.path.join("models", name)
        root = self._place.directory if self._place is not None else self._env.attempt_dir
        directory = os.path.join(root, folder)
        if isinstance(path_or_module, (str, os.PathLike)):
            described = save_path(directory, os.fspath(path_or_module), signature, features)
        else:
            described = save_module(directory, path_or_module, signature, features)
        record = {"kind": "model", "name": name, "dir": folder, "framework": described["framework"]}
        numbers = {key: _number(key, value) for key, value in (metrics or {}).items()}
        self._append({**record, "signature": described["signature"], "metrics": _finite(numbers)})

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
        if self._facts is not None:
            self._facts.join()
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

    def _begin_cadence(self) -> Cadence:
        from trainyard.cadence import Cadence, Policy, board_for

        env = self._env
        policy = Policy(env.every_steps, env.every_seconds, env.best)
        if env.world_size == 1:
            return Cadence(policy, 0, None).for_one_rank()
        board = None if env.local else board_for(env.attempt_dir, env.local_world_size, env.world_size)
        return Cadence(policy, env.rank, board)

    def _begin_saver(self) -> Saver:
        from trainyard.saving import Saver

        if self._saver is None:
            self._saver = Saver(self._env, self._append, self._checkpoint_took)
        return self._saver

    def _checkpoint_took(self, seconds: float) -> None:
        if self._cadence is not None:
            self._cadence.wrote(seconds)

    def _keeps_own_state(self, replicated: bool | None) -> bool:
        """Say whether model and optimizer are other ones on each rank: as the script says, or as the stages of a pipeline."""
        from trainyard.mesh import declared_axes

        axes = declared_axes(os.environ)
        return replicated is False or (axes is not None and axes.pipeline > 1)

    def _begin_offline(self, place: Place) -> None:
        from trainyard.offline import EndWatch, OfflineWriter

        self._records = OfflineWriter(place)
        self._watch = EndWatch()
        self._tell_params(self._params)
        self._tell_environment()

    def _tell_environment(self) -> None:
        """Record what the run runs on and with, once, by rank 0; on the platform when the first step is done, to delay none."""
        if self._facts is None and self._records is not None and self.is_main:
            # Beside the script: reading a few hundred packages' metadata would cost it tens of milliseconds.
            self._facts = threading.Thread(target=self._log_environment, name="trainyard-environment", daemon=True)
            self._facts.start()

    def _log_environment(self) -> None:
        from trainyard.facts import environment

        found = {**environment(), "reproducibility": self._reproducibility()}
        if self._place is not None:
            self._append({"kind": "environment", "environment": found})
            return
        path = os.path.join(self._env.rank_dir, "environment.json")
        with open(path, "w", encoding="utf-8") as target:
            json.dump(found, target)
        self._append({"kind": "artifact", "path": "environment.json", "file": path})

    def _reproducibility(self) -> dict[str, Any]:
        env = self._env
        return {"seed": env.seed, "deterministic": env.deterministic, "worldSize": env.world_size}

    def _tell_params(self, params: Mapping[str, Any]) -> None:
        from trainyard.plain import plain

        if params:
            self._told.update(plain(params))
            self._say("params", params)

    def _log_media(self, kind: str, key: str, step: int | None, extension: str, data: bytes) -> None:
        """Keep it as an artifact, in a file of this rank's own that nothing changes after its record is written."""
        from trainyard.media import media_path

        name = media_path(kind, key, self._step if step is None else step, self.rank, extension)
        if self._records is None:
            return
        self._media += 1
        root = self._env.attempt_dir if self._place is None else self._place.directory
        inside = os.path.join("media", f"rank-{self.rank}", f"{os.getpid()}-{self._media}.{extension}")
        path = os.path.join(root, inside)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(path, "wb") as target:
            target.write(data)
        self._append({"kind": "artifact", "path": name, "file": path if self._place is None else inside})

    def _say(self, kind: str, values: Mapping[str, Any]) -> None:
        """Record words of rank 0."""
        if self._records is not None and self.is_main:
            from trainyard.plain import plain

            self._append({"kind": kind, kind: plain(values)})

    def _end(self, status: str, message: str = "") -> None:
        """Write the last record of an offline run, once, by the process that began it."""
        watch, self._watch = self._watch, None
        if watch is None or self._place is None or not watch.is_own_process:
            return
        if self._facts is not None:
            self._facts.join()
        self._append({"kind": "end", "status": status, "at": time.time(), "message": message})
        if self.is_main:
            sys.stderr.write(f"trainyard: recorded {self.id}; send it by: trainyard sync {self._place.directory}\n")

    def _see(self, figures: Mapping[str, float]) -> None:
        self._seen.update(figures)

    def _tick(self, step: int) -> None:
        """Tell, once a second, where the steps' time went, and with it what `watch` has seen."""
        now = time.perf_counter()
        told = self._clock.stepped(step, now)
        if self._seen:
            told = {**self._seen, **(told or {})}
            self._seen = {}
        if told is not None and self._records is not None:
            self._records.append(encode_metrics(time.time(), step, told))

    def _waited(self, seconds: float) -> None:
        self._clock.waited(seconds)
        told = self._clock.drew(time.perf_counter())
        if told is not None and self._records is not None:
            self._records.append(encode_metrics(time.time(), self._clock.step, told))

    def _watch_order(self, model: Any, order: list[int] | None) -> None:
        """See to it that gradients are added up in one order over restarts."""
        from trainyard.gradient_order import watch

        if self._order is None and model is not None:
            rank_dir = None if self._env.local else self._env.rank_dir
            self._order = watch(model, rank_dir, self.world_size, order)

    def _watch_over(self, parts: Mapping[str, Any], state: Mapping[str, Any] | None, replicated: bool | None) -> None:
        """See to it that survivors can save what the script has handed over, and say whether they can."""
        if self._env.local or self._records is None or self._guard is not None:
            return
        from trainyard.guard import Guard, begin

        records = self._records
        begun = begin(
            self._env,
            parts,
            state,
            replicated,
            positions=lambda: {**self._resume_positions, **self.position},
            offset=records.size,
            base=self._step,
        )
        self._guard = begun if isinstance(begun, Guard) else None
        if self.is_main:
            mode = "just-in-time" if self._guard is not None else "last-checkpoint"
            why = {"reason": "", "message": ""} if isinstance(begun, Guard) else begun._asdict()
            self._append({"kind": "recovery", "mode": mode, **why})

    def _watch_communication(self, model: Any) -> None:
        if self._records is not None and model is not None and self.world_size > 1:
            from trainyard.communication import watch_communication

            watch_communication(model, self._clock)

    def _drawn(self, split: str, what: str) -> None:
        """Take note that the loop asked for a batch: the `first` or `next` of an epoch, or there was none left (`none`)."""
        self._refuse_fresh_start()
        if self._guard is None:
            return
        if what == "none":
            self._guard.exhausted(split)
        else:
            self._guard.drawn(split, what == "first")

    def _refuse_fresh_start(self) -> None:
        if self._env.resume_dir is not None and not self._resumed:
            from trainyard.checkpoint import CheckpointError

            raise CheckpointError(
                "this attempt goes on from a checkpoint, and the script trains without having loaded it: "
                "call run.resume(model=..., optimizer=...) before training"
            )

    def hand_over(self, error: BaseException | None) -> None:
        """Let the survivors' state be saved; called by the platform when the script has ended with an error."""
        if self._guard is not None:
            from trainyard.survivor import hand_over

            hand_over(self._guard, self._env.rank_dir, self._env.attempt_dir, error)

    def _append(self, record: dict[str, Any]) -> None:
        if self._records is not None:
            self._records.append(encode_object(record))

    def _flush_at_exit(self) -> None:
        if self._saver is not None and threading.current_thread() is threading.main_thread():
            try:
                self._saver.wait()
            except RuntimeError as error:
                sys.stderr.write(f"trainyard: {error}\n")
        if self._watch is not None:
            self._end(self._watch.status, self._watch.message)
        elif self._facts is not None:
            self._facts.join()


def _number(key: str, value: Any) -> float:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, (int, float)):
        return float(value)
    raise TypeError(f"metric {key!r} is a {type(value).__name__}; expected a number")


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    """Leave out NaN and infinities, which JSON cannot hold."""
    return {key: value for key, value in values.items() if value - value == 0}
