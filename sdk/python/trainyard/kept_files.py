"""Keeps files with a run: artifacts, the media of its steps, and its models.

A record names each of them; the node's agent (of a run recorded offline: `trainyard sync`) sends what it names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trainyard.journal import Journal

if TYPE_CHECKING:
    from trainyard.offline import Place


class KeptFiles:
    """What one rank keeps. The paths of an offline run's records are relative to its folder, others absolute."""

    def __init__(self, journal: Journal, rank: int, place: Place | None) -> None:
        self._journal, self._rank, self._place = journal, rank, place
        self._media = 0

    def keep(self, path: str, name: str | None) -> None:
        """Keep a file, or every file of a folder; see `Run.artifact`."""
        if os.path.isdir(path):
            for folder, _, files in os.walk(path):
                for file in sorted(files):
                    whole = os.path.join(folder, file)
                    inside = os.path.relpath(whole, path)
                    self.keep(whole, f"{name or os.path.basename(os.path.abspath(path))}/{inside}")
            return
        if not os.path.isfile(path):
            raise FileNotFoundError(f"run.artifact: there is no file {path}")
        from trainyard.artifact_path import artifact_path

        kept_as = artifact_path(name or os.path.basename(path))
        file = os.path.abspath(path)
        if self._place is not None:
            from trainyard.offline import keep_file

            file = keep_file(self._place, file)
        self._journal.say({"kind": "artifact", "path": kept_as, "file": file})

    def keep_media(self, kind: str, key: str, step: int, extension: str, data: bytes) -> None:
        """Keep it as an artifact, in a file of this rank's own that nothing changes after its record is written.

        Raises
        ------
        ValueError
            For a key or step that makes no name.
        """
        from trainyard.media import media_path

        name = media_path(kind, key, step, self._rank, extension)
        if self._journal.records is None:
            return
        self._media += 1
        inside = os.path.join("media", f"rank-{self._rank}", f"{os.getpid()}-{self._media}.{extension}")
        path = os.path.join(self._journal.root, inside)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(path, "wb") as target:
            target.write(data)
        self._journal.say({"kind": "artifact", "path": name, "file": path if self._place is None else inside})

    def keep_model(
        self, path_or_module: Any, signature: Any, name: str, metrics: Mapping[str, float], features: Sequence[str]
    ) -> None:
        """Save a model, and record where; see `Run.model`."""
        from trainyard.model import save_module, save_path

        folder = name if name == "model" else os.path.join("models", name)
        directory = os.path.join(self._journal.root, folder)
        if isinstance(path_or_module, (str, os.PathLike)):
            described = save_path(directory, os.fspath(path_or_module), signature, features)
        else:
            described = save_module(directory, path_or_module, signature, features)
        record = {"kind": "model", "name": name, "dir": folder, "framework": described["framework"]}
        self._journal.say({**record, "signature": described["signature"], "metrics": dict(metrics)})
