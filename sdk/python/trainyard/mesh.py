"""The axes of a job's parallelism as a torch `DeviceMesh`.

Rank r has the place (pipeline, data, tensor) in row-major order: tensor runs fastest, so that a tensor group is a block of
consecutive ranks, which the scheduler keeps on one node.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

AXES = ("pipeline", "data", "tensor")


class MeshError(ValueError):
    """The mesh does not fit the number of ranks, or is none."""


class Axes(NamedTuple):
    """How many ranks there are along each axis."""

    pipeline: int
    data: int
    tensor: int


def declared_axes(env: Mapping[str, str] = os.environ) -> Axes | None:
    """Return what the job declares, or None when it declares nothing.

    Raises
    ------
    MeshError
        When the variable TRAINYARD_MESH is not of its form.
    """
    text = env.get("TRAINYARD_MESH")
    if not text:
        return None
    try:
        value = json.loads(text)
        return Axes(*(int(value.get(axis) or 1) for axis in AXES))
    except (ValueError, TypeError, AttributeError) as error:
        raise MeshError(f"environment variable TRAINYARD_MESH is {text!r}; expected an object of {', '.join(AXES)}") from error


def fitted(axes: Axes | None, world_size: int, tensor: int, pipeline: int) -> Axes:
    """Return the axes for so many ranks: the declared ones, else `tensor` and `pipeline` as given, and the rest data.

    Raises
    ------
    MeshError
        When they do not make up the ranks.
    """
    if axes is None:
        data, rest = divmod(world_size, tensor * pipeline)
        if rest or data < 1:
            raise MeshError(f"{world_size} ranks are not a multiple of tensor {tensor} x pipeline {pipeline}")
        return Axes(pipeline, data, tensor)
    if axes.pipeline * axes.data * axes.tensor != world_size:
        sizes = " x ".join(f"{name} {size}" for name, size in zip(AXES, axes, strict=True))
        raise MeshError(f"the job's mesh is {sizes}, but there are {world_size} ranks")
    return axes


def device_mesh(world_size: int, tensor: int, pipeline: int, device_type: str | None) -> Any:
    """Make the mesh; starts the process group when the script has not, and has to be called on every rank."""
    import torch
    from torch.distributed.device_mesh import init_device_mesh

    axes = fitted(declared_axes(), world_size, tensor, pipeline)
    kind = device_type or ("cuda" if torch.cuda.is_available() else "cpu")
    return init_device_mesh(kind, tuple(axes), mesh_dim_names=AXES)
