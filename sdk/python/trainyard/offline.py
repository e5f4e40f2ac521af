"""Runs recorded without a platform: a folder that `trainyard sync` sends, while it grows or later.

A run is a folder named by its id, which is chosen here and kept for good::

    <directory>/run_…/
        run.json                 what the run is called; written once, by whichever rank comes first
        rank-<n>/records.bin     what the rank says (see records.py), with the object kinds below
        rank-<n>/writer.json     which process writes it, on which boot of which host
        files/<token>/<name>     copies of artifacts
        model/, models/<name>/   saved models
        sync/                    how far `trainyard sync` has come; nothing here reads it

Object records besides a rank's usual ones: ``params {params}``, ``tags {tags}``, ``environment {environment}`` and
``end {status, at, message}`` with status ``completed``, ``failed`` or ``killed``. The paths in ``artifact`` and ``model``
records are relative to the run's folder, so that the folder can be moved to another machine as it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple

from trainyard.records import RecordWriter, readable_bytes
from trainyard.run_id import is_run_id, new_run_id
from trainyard.runtime.files import read_json, write_json
from trainyard.runtime.processes import boot_id, stat_of

SCHEMA = 1
DEFAULT_DIRECTORY = os.path.join(".trainyard-local", "runs")


class OfflineError(RuntimeError):
    """A run cannot be recorded there; the message says why and what to do."""


class Place(NamedTuple):
    """Where one rank of an offline run is recorded."""

    run_id: str
    directory: str
    rank_dir: str


def directory_of(given: str | None, env: Mapping[str, str] = os.environ) -> str | None:
    """Return the folder that runs are recorded in; None when nobody asked for it.

    It is what `init(offline=…)` says, else ``TRAINYARD_OFFLINE``, else a folder of its own where ``TRAINYARD_URL`` and
    ``TRAINYARD_TOKEN`` name a platform to send to.
    """
    named = given or env.get("TRAINYARD_OFFLINE")
    if named:
        return os.path.abspath(named)
    reachable = env.get("TRAINYARD_URL") and env.get("TRAINYARD_TOKEN")
    return os.path.abspath(DEFAULT_DIRECTORY) if reachable else None


def open_place(
    root: str, *, rank: int, world_size: int, experiment: str | None, name: str | None, env: Mapping[str, str] = os.environ
) -> Place:
    """Make the run's folder, or find it when another rank has made it or ``TRAINYARD_RUN_ID`` names it.

    Ranks of one `torchrun` on a node find each other by their common parent; over several nodes the variable is needed.

    Raises
    ------
    OfflineError
        When the id is malformed, or the folder holds another version's format, or a live process writes this rank already.
    """
    os.makedirs(root, mode=0o700, exist_ok=True)
    run_id = env.get("TRAINYARD_RUN_ID") or (new_run_id() if world_size == 1 else _shared_id(root))
    if not is_run_id(run_id):
        raise OfflineError(
            f"TRAINYARD_RUN_ID is {run_id[:80]!r}; expected run_ and 26 characters, as trainyard.init() makes them"
        )
    directory = os.path.join(root, run_id)
    rank_dir = os.path.join(directory, f"rank-{rank}")
    os.makedirs(rank_dir, mode=0o700, exist_ok=True)
    facts = {
        "schema": SCHEMA,
        "runId": run_id,
        "experiment": experiment or env.get("TRAINYARD_EXPERIMENT") or "default",
        "name": name or os.path.splitext(os.path.basename(sys.argv[0] or ""))[0] or "run",
        "createdAt": time.time(),
        "worldSize": world_size,
    }
    _write_once(os.path.join(directory, "run.json"), facts)
    found = read_json(os.path.join(directory, "run.json")) or {}
    if found.get("schema") != SCHEMA:
        raise OfflineError(f"{directory} is in format {found.get('schema')!r}; this version of trainyard writes {SCHEMA}")
    return Place(run_id, directory, rank_dir)


class OfflineWriter(RecordWriter):
    """The record file of one rank, held by this process alone. What a crash cut short at its end is taken away first."""

    def __init__(self, place: Place) -> None:
        path = os.path.join(place.rank_dir, "records.bin")
        super().__init__(path)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OfflineError(f"another process writes {path}; give this run another TRAINYARD_RUN_ID") from error
        with open(path, "rb") as source:
            whole, last = readable_bytes(source)
        if last is not None and last.get("kind") == "end":
            raise OfflineError(
                f"run {place.run_id} in {place.directory} has ended; leave TRAINYARD_RUN_ID out to begin another"
            )
        if whole < self.size():
            self.cut(whole)
        write_json(os.path.join(place.rank_dir, "writer.json"), _writer())


def keep_file(place: Place, path: str) -> str:
    """Copy a file into the run's folder and return its path there.

    The copy is what makes the record true: what the script does to the file afterwards changes nothing.
    """
    inside = os.path.join("files", secrets.token_hex(8), os.path.basename(path))
    target = os.path.join(place.directory, inside)
    os.makedirs(os.path.dirname(target), mode=0o700)
    shutil.copyfile(path, target)
    return inside


class EndWatch:
    """Sees how the process ends when the script does not say it: by an exception nobody caught, or by an exit code."""

    def __init__(self) -> None:
        self.status = "completed"
        self.message = ""
        self._pid = os.getpid()
        self._hook = sys.excepthook
        self._exit = sys.exit
        sys.excepthook = self._uncaught
        # An exit code reaches neither the hook nor atexit; scripts end by `sys.exit(main())`.
        sys.exit = self._exiting  # type: ignore[assignment]

    @property
    def is_own_process(self) -> bool:
        """Whether this is the process that began the run, and not a fork of it."""
        return os.getpid() == self._pid

    def failed(self, kind: type[BaseException], error: BaseException | None) -> None:
        """Take note of the exception that ends the run."""
        if issubclass(kind, SystemExit):
            self._left(getattr(error, "code", None))
            return
        self.status = "killed" if issubclass(kind, KeyboardInterrupt) else "failed"
        self.message = f"{kind.__name__}: {error}"[:1000]

    def _uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        self.failed(kind, error)
        self._hook(kind, error, trace)

    def _exiting(self, code: Any = None) -> None:
        self._left(code)
        self._exit(code)

    def _left(self, code: Any) -> None:
        self.status, self.message = ("completed", "") if code in (None, 0) else ("failed", f"exit with {code!r}"[:1000])


def _shared_id(root: str) -> str:
    parent = stat_of(os.getppid())
    started = parent.start_ticks if parent is not None else 0
    restart = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    path = os.path.join(root, f".gang-{_boot()[:8]}-{os.getppid()}-{started}-{restart}.json")
    _write_once(path, {"runId": new_run_id()})
    found = read_json(path) or {}
    return str(found.get("runId", ""))


def _write_once(path: str, value: Mapping[str, Any]) -> None:
    """Write a file that appears whole, unless it is there already: the first of several processes wins."""
    if os.path.exists(path):
        return
    own = f"{path}.{os.getpid()}"
    with open(own, "w", encoding="utf-8") as target:
        json.dump(value, target)
        target.flush()
        os.fsync(target.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(own, path)
    os.unlink(own)


def _writer() -> dict[str, Any]:
    own = stat_of(os.getpid())
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "startedAt": f"{_boot()}/{own.start_ticks}" if own is not None else "",
    }


def _boot() -> str:
    """Return the boot's id where the system tells it (Linux)."""
    try:
        return boot_id()
    except FileNotFoundError:
        return ""
