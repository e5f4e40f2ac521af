"""What a run says about itself: its parameters, tags and notes, and what it runs on and with."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trainyard.journal import Journal

if TYPE_CHECKING:
    from trainyard.environment import Environment


class Description:
    """One rank's word about the run. Of parameters, tags and the environment rank 0's counts, and only it says them."""

    def __init__(self, environment: Environment, params: Mapping[str, Any] | None, journal: Journal, offline: bool) -> None:
        """`params` are the script's defaults: those that the job sets come over them, and are on the record already."""
        self._env, self._journal, self._offline = environment, journal, offline
        self.params = {**(params or {}), **environment.params}
        self._told: dict[str, Any] = dict(environment.params)
        self._thread: threading.Thread | None = None
        if offline:
            self._tell_params(self.params)
        elif journal.records is not None:
            self._tell_params({key: value for key, value in (params or {}).items() if key not in environment.params})

    def add_params(self, params: Mapping[str, Any]) -> None:
        """Add parameters.

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
        self.params.update(params)
        self._tell_params(params)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags, as texts."""
        self._say("tags", {key: value if isinstance(value, str) else str(value) for key, value in tags.items()})

    def note(self, text: str, step: int | None, key: str) -> None:
        """Add a note of this rank's."""
        from trainyard.media import MAX_STEP

        if step is None and key:
            raise ValueError(f"a note about metric {key!r} is about a step of it, too: give step=…")
        if step is not None and not -MAX_STEP <= step <= MAX_STEP:
            raise ValueError(f"step {step}: expected -{MAX_STEP} to {MAX_STEP}")
        place = {} if step is None else {"step": int(step), "key": key}
        self._journal.say({"kind": "note", "text": text, "at": time.time(), **place})

    def tell_environment(self) -> None:
        """Record what the run runs on and with, once. Returns at once; `wait` waits until it is recorded."""
        if self._thread is None and self._journal.records is not None and self._env.rank == 0:
            # Beside the script: reading a few hundred packages' metadata would cost it tens of milliseconds.
            self._thread = threading.Thread(target=self._log_environment, name="trainyard-environment", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Wait until the environment is recorded, where that has begun."""
        if self._thread is not None:
            self._thread.join()

    def _log_environment(self) -> None:
        from trainyard.facts import environment

        env = self._env
        reproducibility = {"seed": env.seed, "deterministic": env.deterministic, "worldSize": env.world_size}
        found = {**environment(), "reproducibility": reproducibility}
        if self._offline:
            self._journal.say({"kind": "environment", "environment": found})
            return
        path = os.path.join(env.rank_dir, "environment.json")
        with open(path, "w", encoding="utf-8") as target:
            json.dump(found, target)
        self._journal.say({"kind": "artifact", "path": "environment.json", "file": path})

    def _tell_params(self, params: Mapping[str, Any]) -> None:
        from trainyard.plain import plain

        if params:
            self._told.update(plain(params))
            self._say("params", params)

    def _say(self, kind: str, values: Mapping[str, Any]) -> None:
        from trainyard.plain import plain

        if self._journal.records is not None and self._env.rank == 0:
            self._journal.say({"kind": kind, kind: plain(values)})
