"""Which Parquet files make up a split: from the platform's dataset manifest, or from one local Parquet file.

Manifest: ``{"name", "version", "features", "splits": {"train": {"rows": N, "shards": [{"path", "rows", "digest"}]}}}``.
A local file has no splits, so it is cut 70/15/15 into train, validation and test by a fixed permutation of its rows; that
is for trying a script out, and differs from the platform's stratified splits.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from trainyard.runtime.files import read_json

LOCAL_SPLITS = {"train": (0.0, 0.7), "validation": (0.7, 0.85), "test": (0.85, 1.0)}


class DatasetError(RuntimeError):
    """A dataset that is not there, not what the script asks for, or not readable; the message says where and what to do."""


class Shard(NamedTuple):
    """One Parquet file. `digest` is its content's SHA-256, empty for a local file; `rows` is None where only the file tells."""

    path: str
    digest: str
    rows: int | None


class Split(NamedTuple):
    """The files of a split in order, and the share of their rows that belongs to it (all but for a local file).

    `version` names the dataset version; empty for a local file.
    """

    name: str
    shards: list[Shard]
    share: tuple[float, float] | None
    version: str


def read_manifest(path: str | None) -> dict[str, Any]:
    """Return the manifest, or an empty one for a local Parquet file.

    Raises
    ------
    DatasetError
        When no dataset is given or the file is not there.
    """
    if path is None:
        raise DatasetError(
            "this run has no dataset; name one in the job (dataset: {name: ...}), or outside the platform set "
            "TRAINYARD_DATASET_MANIFEST to a Parquet file"
        )
    if not os.path.isfile(path):
        raise DatasetError(f"TRAINYARD_DATASET_MANIFEST names {path}, which is not a file")
    if path.endswith(".parquet"):
        return {}
    manifest: dict[str, Any] = read_json(path)
    return manifest


def find_split(path: str | None, name: str) -> Split:
    """Return a split of the dataset in `path`.

    Raises
    ------
    DatasetError
        When there is no such split, or it has no rows; the message lists those there are.
    """
    manifest = read_manifest(path)
    if not manifest:
        if name not in LOCAL_SPLITS:
            raise DatasetError(f"no split {name!r} in a local file; expected one of {', '.join(LOCAL_SPLITS)}")
        return Split(name, [Shard(str(path), "", None)], LOCAL_SPLITS[name], "")
    splits = manifest["splits"]
    if name not in splits or not splits[name]["shards"]:
        raise DatasetError(f"dataset {manifest.get('name')} has no split {name!r}; it has {', '.join(sorted(splits))}")
    shards = [Shard(shard["path"], shard.get("digest", ""), shard.get("rows")) for shard in splits[name]["shards"]]
    return Split(name, shards, None, f"{manifest.get('name', '')}@{manifest.get('version', '')}")
