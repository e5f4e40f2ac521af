"""State that is spread over the ranks (FSDP2, tensor parallelism), by `torch.distributed.checkpoint`.

Each rank writes its own shards, in that module's format, into `sharded/` of its part: no rank waits for another, so it can be
done beside the training loop, whose collectives it must not mix with. What a part holds of which tensor is in its `.metadata`;
put together, those of all parts describe the whole, and any number of ranks reads from them what it needs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from trainyard.checkpoint import CheckpointError

FOLDER = "sharded"
METADATA = ".metadata"
#: Beside the classes of its own module, what a `.metadata` may name: loading a checkpoint never runs code from it.
_ADMITTED = {
    ("torch", "Size"),
    ("torch.serialization", "_get_layout"),
    ("torch.distributed.checkpoint.filesystem", "_StorageInfo"),
    ("collections", "OrderedDict"),
}
_METADATA_MODULE = "torch.distributed.checkpoint.metadata"


def is_sharded(model: Any) -> bool:
    """Say whether a model's parameters are distributed tensors.

    Raises
    ------
    CheckpointError
        For the older FullyShardedDataParallel, whose state is of another kind.
    """
    if model is None or not hasattr(model, "parameters"):
        return False
    torch = sys.modules.get("torch")
    if torch is None or "torch.distributed.tensor" not in sys.modules:
        return False
    if any(type(module).__name__ == "FullyShardedDataParallel" for module in model.modules()):
        raise CheckpointError("a FullyShardedDataParallel model cannot be checkpointed; shard it with fully_shard (FSDP2)")
    tensor_type = sys.modules["torch.distributed.tensor"].DTensor
    return any(isinstance(parameter, tensor_type) for parameter in model.parameters())


def state_of(model: Any, optimizer: Any) -> dict[str, Any]:
    """Return the sharded state of both, with names that do not depend on how many ranks there are."""
    from torch.distributed.checkpoint.state_dict import get_state_dict

    if optimizer is None:
        return {"model": get_state_dict(model, ())[0]}
    of_model, of_optimizer = get_state_dict(model, optimizer)
    return {"model": of_model, "optimizer": of_optimizer}


def write(state: dict[str, Any], directory: str) -> list[str]:
    """Write this rank's shards of a snapshot of `state_of` durably; return the files' names."""
    _save(state, directory, None)
    return sorted(os.listdir(directory))


def write_to(state: dict[str, Any], target_of: Callable[[str], Any]) -> None:
    """Write the same bytes to what `target_of` gives for each file's name, which has `write`, `tell`, `flush` and `close`.

    `.metadata` comes last, once the other files are written.
    """
    from torch.distributed.checkpoint.filesystem import FileSystem

    class Targets(FileSystem):
        """Folders and renaming mean nothing there."""

        @contextlib.contextmanager
        def create_stream(self, path: Any, _mode: str) -> Iterator[Any]:
            yield target_of(os.path.basename(path).removesuffix(".tmp"))

        def exists(self, _path: Any) -> bool:
            return False

        def mkdir(self, _path: Any) -> None: ...

        def rename(self, _path: Any, _new_path: Any) -> None: ...

    _save(state, FOLDER, Targets())


def _save(state: dict[str, Any], directory: str, elsewhere: Any) -> None:
    """Save to a directory, or to the file system `elsewhere`."""
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.default_planner import DefaultSavePlanner, create_default_global_save_plan

    class Planner(DefaultSavePlanner):
        """Plans for this rank alone. That the shards make up whole tensors is found by who puts the parts together."""

        def create_global_plan(self, all_plans: list[Any]) -> tuple[list[Any], Any]:
            plans, metadata = create_default_global_save_plan(all_plans)
            self.global_plan = plans
            self.metadata = dataclasses.replace(metadata, planner_data=all_plans[0].planner_data)
            return plans, self.metadata

    class Writer(dcp.FileSystemWriter):
        """Writes nothing that differs between two checkpoints of the same state."""

        def storage_meta(self) -> None:
            return None

    writer = Writer(directory, sync_files=elsewhere is None)
    if elsewhere is not None:
        writer.fs = elsewhere
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no process group takes part is meant
        dcp.save(state, storage_writer=writer, planner=Planner(), no_dist=True)


def load(root: str, saved_world_size: int, model: Any, optimizer: Any) -> None:
    """Give model and optimizer their state from the checkpoint in `root`, whatever the number of ranks that wrote it.

    Raises
    ------
    CheckpointError
        When it is not whole, or of another model or optimizer.
    """
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner, _validate_global_plan
    from torch.distributed.checkpoint.state_dict import set_state_dict

    whole = _together(root, saved_world_size)
    problems = _validate_global_plan([], whole)
    if problems:
        raise CheckpointError(f"cannot resume: the checkpoint in {root} is not whole: {problems[0]}")

    class Reader(dcp.FileSystemReader):
        def read_metadata(self, *_: Any, **__: Any) -> Any:
            return whole

    class Planner(DefaultLoadPlanner):
        def load_bytes(self, read_item: Any, value: Any) -> None:
            import torch
            from torch.distributed.checkpoint._nested_dict import set_element

            loaded = torch.load(value, weights_only=True)
            set_element(self.original_state_dict, self.mappings[read_item.dest_index.fqn], loaded)

        def create_local_plan(self) -> Any:
            other = sorted(set(whole.state_dict_metadata) ^ set(self.state_dict))
            if other:
                raise CheckpointError(
                    "cannot resume: the checkpoint is of another model or optimizer; only one of the two has "
                    + ", ".join(other[:5])
                )
            return super().create_local_plan()

    state = state_of(model, optimizer)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dcp.load(state, storage_reader=Reader(root), planner=Planner(), no_dist=True)
    except dcp.api.CheckpointException as failure:
        why = next(iter(failure.failures.values()))[0]
        if isinstance(why, CheckpointError):
            raise why from None
        raise CheckpointError(f"cannot resume: the checkpoint's sharded state does not fit: {why}") from failure
    optimizers = () if optimizer is None else optimizer
    set_state_dict(model, optimizers, model_state_dict=state["model"], optim_state_dict=state.get("optimizer", {}))


def _together(root: str, saved_world_size: int) -> Any:
    """Return the metadata of the whole, with files as they are below `root`."""
    whole: Any = None
    seen: set[Any] = set()
    for rank in range(saved_world_size):
        folder = os.path.join(f"rank-{rank}", FOLDER)
        with open(os.path.join(root, folder, METADATA), "rb") as source:
            one = _Unpickler(source).load()
        if whole is None:
            whole = dataclasses.replace(one, state_dict_metadata={}, storage_data={})
        for index, place in one.storage_data.items():
            at = dataclasses.replace(place, relative_path=os.path.join(folder, place.relative_path))
            whole.storage_data.setdefault(index, at)
        for name, described in one.state_dict_metadata.items():
            known = whole.state_dict_metadata.setdefault(name, described)
            for chunk in getattr(described, "chunks", ()):
                # A tensor that several ranks hold alike is in each of their parts.
                if (name, tuple(chunk.offsets)) not in seen and known is not described:
                    known.chunks.append(chunk)
                seen.add((name, tuple(chunk.offsets)))
    return whole


def _member(of: Any, name: str) -> Any:
    """Return a member of an enumeration, as `getattr` would; nothing else is a checkpoint's to ask for."""
    if isinstance(of, enum.EnumMeta) and name in of.__members__:
        return of[name]
    raise CheckpointError(f"cannot resume: the checkpoint's metadata asks for {name} of {of!r}, which it never does")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        import torch

        if module == _METADATA_MODULE or (module, name) in _ADMITTED:
            return super().find_class(module, name)
        if (module, name) == ("builtins", "getattr"):
            return _member  # how Python up to 3.11.3 writes a member of an enumeration
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        raise CheckpointError(f"cannot resume: the checkpoint's metadata names {module}.{name}, which it never does")
