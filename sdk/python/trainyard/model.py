"""Saving a model so that it runs without the code that made it, and loading it without running code from the file.

A PyTorch module is exported by `torch.export` with a dynamic batch dimension into `model.pt2`: graph as JSON, weights as
raw bytes. Paths of the source are left out, so the same weights give the same bytes. Beside it stands `model.json`:
``{"schema": 1, "framework": "torch", "format": "torch.export", "file": "model.pt2", "signature": {...}, "features": [...]}``.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Sequence
from typing import Any

from trainyard.runtime.files import read_json, sync_directory
from trainyard.snapshot import unwrap

DYNAMIC = -1


class ModelError(RuntimeError):
    """A model that cannot be saved or loaded; the message says why and what to do."""


def save_module(directory: str, module: Any, example: Any, features: Sequence[str]) -> dict[str, Any]:
    """Export a module (in eval mode, on the CPU, from a copy) and return its description.

    `example` is a tensor, or a tuple of tensors whose first dimension is the batch.

    Raises
    ------
    ModelError
        When the module cannot be exported.
    """
    import copy
    import logging

    import torch

    plain = copy.deepcopy(unwrap(module)).to("cpu").eval()
    inputs = tuple(value.detach().cpu() for value in (example if isinstance(example, (tuple, list)) else (example,)))
    # A batch of one would be taken for a constant.
    inputs = tuple(value if value.shape[0] > 1 else torch.cat([value, value]) for value in inputs)
    batch = torch.export.Dim("batch")
    logging.getLogger("torch.export").setLevel(logging.ERROR)
    try:
        with torch.no_grad():
            outputs = plain(*inputs)
            program = torch.export.export(plain, inputs, dynamic_shapes=tuple({0: batch} for _ in inputs))
    except Exception as error:
        raise ModelError(
            f"{type(plain).__name__} cannot be exported by torch.export: {error}. "
            "Save it yourself and pass run.model(path, signature)"
        ) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    _prepare(directory)
    torch.export.save(program, os.path.join(directory, "model.pt2"))
    names = ["input"] if len(inputs) == 1 else [f"input_{index}" for index in range(len(inputs))]
    results = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
    returned = ["output"] if len(results) == 1 else [f"output_{index}" for index in range(len(results))]
    signature = {"inputs": _describe(names, inputs), "outputs": _describe(returned, results)}
    return _write_description(directory, "torch.export", "model.pt2", signature, features)


def save_path(directory: str, path: str, signature: dict[str, Any], features: Sequence[str]) -> dict[str, Any]:
    """Copy a file or folder that the script saved itself, and return its description."""
    if not os.path.exists(path):
        raise ModelError(f"run.model: {path} is neither a file nor a folder")
    _prepare(directory)
    if os.path.isdir(path):
        shutil.copytree(path, directory, dirs_exist_ok=True)
        return _write_description(directory, "custom", ".", signature, features)
    name = os.path.basename(path)
    shutil.copyfile(path, os.path.join(directory, name))
    return _write_description(directory, "torch.export" if name.endswith(".pt2") else "custom", name, signature, features)


def load_module(directory: str) -> tuple[Any, dict[str, Any]]:
    """Return (callable module, description) of a model that `save_module` made.

    Raises
    ------
    ModelError
        When it is of another format, or when the file asks for unpickling (the exporter does so for tensor subclasses and
        custom objects; pickle may run any code, so such a model is refused).
    """
    description = read_json(os.path.join(directory, "model.json"))
    if description is None:
        raise ModelError(f"{directory} holds no model.json; it was not saved by run.model")
    if description["format"] != "torch.export":
        raise ModelError(f"the model in {directory} has format {description['format']!r}; only torch.export can be loaded")
    path = os.path.join(directory, description["file"])
    _refuse_pickles(path)
    import torch

    return torch.export.load(path).module(), description


def _refuse_pickles(path: str) -> None:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith("_config.json") and '"use_pickle": true' in archive.read(name).decode("utf-8"):
                raise ModelError(f"{path}: {name} names pickled objects, which may run code; export plain tensors only")


def _prepare(directory: str) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory, mode=0o700)


def _describe(names: Sequence[str], tensors: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "dtype": str(tensor.dtype).removeprefix("torch."), "shape": [DYNAMIC, *tensor.shape[1:]]}
        for name, tensor in zip(names, tensors, strict=True)
    ]


def _write_description(
    directory: str, form: str, file: str, signature: dict[str, Any], features: Sequence[str]
) -> dict[str, Any]:
    description = {
        "schema": 1,
        "framework": "torch",
        "format": form,
        "file": file,
        "signature": signature,
        "features": list(features),
    }
    with open(os.path.join(directory, "model.json"), "w", encoding="utf-8") as target:
        json.dump(description, target, indent=2)
        target.flush()
        os.fsync(target.fileno())
    sync_directory(directory)
    return description
