"""What the tests share: attempts on disk, run by the real shim in real processes."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]


# A wait ends as soon as what is waited for holds, so a long one costs a slow or busy machine's time only.
PATIENCE = 120.0


def wait_for(what: str, condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come about within {seconds} s")


class Spread(NamedTuple):
    """What of a gang one node has: `ranks` of `world_size`; it is the node `group` of `groups`."""

    ranks: Sequence[int]
    world_size: int
    group: int
    groups: int


class Attempt:
    """An attempt directory and its shim."""

    def __init__(
        self,
        directory: Path,
        script: str,
        ranks: int,
        env: dict[str, str],
        argv: list[str] | None,
        grace_ms: int,
        handover_ms: int = 60_000,
        spread: "Spread | None" = None,
    ):
        self.directory = directory
        self.ranks = ranks
        spread = spread or Spread(range(ranks), ranks, 0, 1)
        (directory / "work").mkdir(parents=True)
        (directory / "work" / "script.py").write_text(script)
        spec = {
            "schema": 1,
            "python": sys.executable,
            "argv": argv or ["script.py"],
            "cwd": "work",
            "attempt": 1,
            "jobId": "job_1",
            "runId": "run_1",
            "worldSize": spread.world_size,
            "groupRank": spread.group,
            "groupCount": spread.groups,
            "graceMs": grace_ms,
            "handoverMs": handover_ms,
            "ranks": [self._rank(rank, local, spread, env) for local, rank in enumerate(spread.ranks)],
        }
        (directory / "spec.json").write_text(json.dumps(spec))
        self.process: subprocess.Popen[bytes] | None = None
        self.shim_pid: int | None = None  # of a warm start

    def _rank(self, rank: int, local: int, spread: "Spread", env: dict[str, str]) -> dict[str, Any]:
        rank_dir = self.directory / f"rank-{rank}"
        own = {
            "RANK": str(rank),
            "LOCAL_RANK": str(local),
            "WORLD_SIZE": str(spread.world_size),
            "LOCAL_WORLD_SIZE": str(len(spread.ranks)),
            "OMP_NUM_THREADS": "1",
            "TORCHELASTIC_RESTART_COUNT": "0",
            "TORCHELASTIC_ERROR_FILE": str(rank_dir / "error.json"),
            "TRAINYARD_RANK_DIR": str(rank_dir),
            "TRAINYARD_ATTEMPT_DIR": str(self.directory),
            "TRAINYARD_RUN_ID": "run_1",
        }
        return {"rank": rank, "localRank": local, "dir": f"rank-{rank}", "env": {**own, **env}}

    def command(self) -> list[str]:
        return [sys.executable, "-m", "trainyard.runtime.shim", str(self.directory)]

    def start(self) -> "Attempt":
        self.process = subprocess.Popen(self.command(), env=shim_env(), start_new_session=True)
        return self

    def wait(self, seconds: float = 180) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def wait_done(self, seconds: float = PATIENCE) -> dict[str, Any]:
        return wait_for("the end of the gang", lambda: self.json("done.json"), seconds)

    def json(self, path: str) -> Any:
        file = self.directory / path
        return json.loads(file.read_text()) if file.exists() else None

    def text(self, rank: int, stream: str = "stdout") -> str:
        file = self.directory / f"rank-{rank}" / f"{stream}.log"
        return file.read_text() if file.exists() else ""

    def exit_of(self, rank: int) -> Any:
        return self.json(f"rank-{rank}/exit.json")

    def started(self, rank: int) -> Any:
        return wait_for(f"start of rank {rank}", lambda: self.json(f"rank-{rank}/started.json"))

    def wait_for_text(self, rank: int, text: str) -> None:
        wait_for(f"{text!r} in the output of rank {rank}", lambda: text in self.text(rank))


def shim_env() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TRAINYARD_", "PYTEST_"))}
    return {**kept, "PYTHONPATH": str(ROOT)}


def gone(pid: int) -> bool:
    """Whether a process is over (a zombie counts: only its parent's wait is missing)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Attempts:
    """Makes attempts, from any thread; whatever still runs of them at the end is ended."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._numbers = itertools.count()
        self._made: list[Attempt] = []

    def __call__(
        self,
        script: str,
        *,
        ranks: int = 1,
        env: dict[str, str] | None = None,
        argv: list[str] | None = None,
        grace_ms: int = 20_000,
        handover_ms: int = 60_000,
        torch: bool = False,
        spread: Spread | None = None,
    ) -> Attempt:
        framework = {} if torch else {"TRAINYARD_FRAMEWORK": "none"}
        place = self._folder / f"attempt-{next(self._numbers)}"
        one = Attempt(place, script, ranks, {**framework, **(env or {})}, argv, grace_ms, handover_ms, spread)
        self._made.append(one)
        return one

    def end(self) -> None:
        for one in self._made:
            if one.process is not None and one.process.poll() is None:
                one.process.send_signal(signal.SIGKILL)  # its ranks die with it
                one.process.wait()
            if one.shim_pid is not None and one.json("done.json") is None and not gone(one.shim_pid):
                os.kill(one.shim_pid, signal.SIGKILL)


@pytest.fixture
def attempt(tmp_path: Path) -> Any:
    """Make attempts."""
    made = Attempts(tmp_path)
    yield made
    made.end()


class Launcher:
    """A real launcher in a folder of its own."""

    def __init__(self, directory: Path):
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Launcher":
        command = [sys.executable, "-m", "trainyard.runtime.launcher", str(self.directory)]
        with open(self.directory / "launcher.log", "ab") as log:
            self.process = subprocess.Popen(
                command,
                env=shim_env(),
                cwd=self.directory,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        pid = self.process.pid
        wait_for("the launcher", lambda: self.process.poll() is not None or self.record().get("pid") == pid)
        assert self.process.poll() is None, (self.directory / "launcher.log").read_text()
        return self

    def record(self) -> dict[str, Any]:
        file = self.directory / "launcher.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        place = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX) as asker:
                asker.settimeout(PATIENCE)
                asker.connect(f"/proc/self/fd/{place}/{self.record()['socket']}")
                asker.sendall(json.dumps(request).encode() + b"\n")
                return json.loads(asker.makefile().readline())
        finally:
            os.close(place)

    def launch(self, one: Attempt) -> dict[str, Any]:
        answer = self.ask({"attemptDir": str(one.directory)})
        one.shim_pid = one.json("shim.json")["pid"] if answer["start"] == "warm" else None
        return answer

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: Any) -> Any:
    """The launcher that most tests share: it takes seconds to load."""
    one = Launcher(tmp_path_factory.mktemp("launcher")).start()
    yield one
    one.stop()
