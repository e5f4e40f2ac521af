"""What the tests share: attempts on disk, run by the real shim in real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def wait_for(what: str, condition: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come about within {seconds} s")


class Attempt:
    """An attempt directory and its shim."""

    def __init__(self, directory: Path, script: str, ranks: int, env: dict[str, str], argv: list[str] | None, grace_ms: int):
        self.directory = directory
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
            "worldSize": ranks,
            "graceMs": grace_ms,
            "ranks": [self._rank(rank, ranks, env) for rank in range(ranks)],
        }
        (directory / "spec.json").write_text(json.dumps(spec))
        self.process: subprocess.Popen[bytes] | None = None

    def _rank(self, rank: int, ranks: int, env: dict[str, str]) -> dict[str, Any]:
        rank_dir = self.directory / f"rank-{rank}"
        own = {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(ranks),
            "LOCAL_WORLD_SIZE": str(ranks),
            "OMP_NUM_THREADS": "1",
            "TORCHELASTIC_RESTART_COUNT": "0",
            "TORCHELASTIC_ERROR_FILE": str(rank_dir / "error.json"),
            "TRAINYARD_RANK_DIR": str(rank_dir),
            "TRAINYARD_ATTEMPT_DIR": str(self.directory),
            "TRAINYARD_RUN_ID": "run_1",
        }
        return {"rank": rank, "localRank": rank, "dir": f"rank-{rank}", "env": {**own, **env}}

    def command(self) -> list[str]:
        return [sys.executable, "-m", "trainyard.runtime.shim", str(self.directory)]

    def start(self) -> "Attempt":
        self.process = subprocess.Popen(self.command(), env=shim_env(), start_new_session=True)
        return self

    def wait(self, seconds: float = 180) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

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
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TRAINYARD_")}
    return {**kept, "PYTHONPATH": str(ROOT)}


def gone(pid: int) -> bool:
    """Whether a process is over (a zombie counts: only its parent's wait is missing)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture
def attempt(tmp_path: Path) -> Any:
    """Make attempts; whatever still runs of them at the end of the test is ended."""
    made: list[Attempt] = []

    def make(
        script: str,
        *,
        ranks: int = 1,
        env: dict[str, str] | None = None,
        argv: list[str] | None = None,
        grace_ms: int = 2000,
        torch: bool = False,
    ) -> Attempt:
        framework = {} if torch else {"TRAINYARD_FRAMEWORK": "none"}
        made.append(Attempt(tmp_path / f"attempt-{len(made)}", script, ranks, {**framework, **(env or {})}, argv, grace_ms))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.process.send_signal(signal.SIGKILL)  # its ranks die with it
            one.process.wait()
