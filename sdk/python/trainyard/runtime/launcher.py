"""The launcher: ``python -m trainyard.runtime.launcher DIR [LABEL]``. An interpreter that has imported torch and forks ranks.

It imports what training scripts import, then listens on a Unix socket in DIR and waits. One request per connection, one
line of JSON each way:

- ``{"attemptDir": PATH}`` forks the shim of that attempt, which forks the ranks. The shim itself answers
  ``{"start": "warm"}`` once it has the attempt and has written `shim.json`. ``{"start": "cold", "reason": TEXT}`` means
  that nothing was started.
- ``{"ping": true}`` is answered with how the launcher is: see `Launcher.condition`.

`launcher.json` in DIR names the one launcher that serves (pid, start ticks, boot id, socket). Whoever starts a successor
does so while the old one still serves: the file changes hands when the successor is ready, and a launcher that is no
longer named there, or has not been asked anything for long, ends by itself.

A fork takes along only the thread that forks, so there must be one only: this process runs no operator, starts no thread
and never touches CUDA; the ranks do. It has no descriptor but its log, its socket, and a connection at a time.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import importlib.util
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainyard.runtime import forked, shim
from trainyard.runtime.files import read_json, write_json
from trainyard.runtime.gang import rank_environment
from trainyard.runtime.import_time import cold_reason
from trainyard.runtime.processes import boot_id, stat_of

#: What training scripts have loaded by the end of their first steps: optimisers import `torch._dynamo` when they are first
#: used (two seconds), and `run.model` imports the exporter.
MODULES = (
    "torch",
    "torch.distributed",
    "torch.nn.parallel",
    "torch.optim",
    "torch.utils.data",
    "torch._dynamo",
    "torch.export._trace",
    "trainyard.run",
    "trainyard.runtime.rank",
)
RECORD = "launcher.json"
MAX_REQUEST_BYTES = 64 * 1024
REQUEST_SECONDS = 2.0
LOOK_SECONDS = 5.0
FORSAKEN_SECONDS = 1800.0
EXIT_USAGE = 2
EXIT_NOT_SINGLE = 4


class Launcher:
    """The run loop and what it counts."""

    def __init__(self, directory: str, label: str, env: dict[str, str], version: str) -> None:
        self._label = label
        self._directory = directory
        self._env = env
        self._version = version
        self._jobs = 0
        self._first_rss = rss_bytes()
        self._asked_at = time.monotonic()
        own = stat_of(os.getpid())
        self._record = {
            "pid": os.getpid(),
            "startTicks": own.start_ticks if own else 0,
            "bootId": boot_id(),
            "socket": f"{os.getpid()}.sock",
        }

    def serve(self) -> int:
        """Listen until superseded or forsaken. Sockets are named relative to DIR: their paths may have 107 bytes only."""
        os.chdir(self._directory)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        name = str(self._record["socket"])
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        mask = os.umask(0o177)
        server.bind(name)
        os.umask(mask)
        server.listen(64)
        server.settimeout(LOOK_SECONDS)
        write_json(RECORD, self._record)
        for other in Path().glob("*.sock"):
            if other.name != name:
                other.unlink(missing_ok=True)
        say(f"ready with {rss_bytes() >> 20} MiB")
        while self._is_named() and time.monotonic() - self._asked_at < FORSAKEN_SECONDS:
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            self._asked_at = time.monotonic()
            try:
                self._answer(connection)
            except forked.Forked:
                # A socket object that is collected later would close a descriptor that is the rank's by then.
                server.detach()
                raise
            finally:
                connection.close()
            if thread_count() != 1:
                say(f"{thread_count()} threads; a process with threads must not fork")
                return EXIT_NOT_SINGLE
        with contextlib.suppress(OSError):
            os.unlink(name)
        say("no longer needed")
        return 0

    def condition(self) -> dict[str, Any]:
        """How it is: its label, whether its code is that on disk, jobs so far, memory and how much that grew, threads."""
        rss = rss_bytes()
        return {
            "pid": os.getpid(),
            "label": self._label,
            "current": self._version == code_version(),
            "jobs": self._jobs,
            "rssBytes": rss,
            "grownBytes": rss - self._first_rss,
            "threads": thread_count(),
        }

    def _is_named(self) -> bool:
        try:
            return bool(read_json(RECORD) == self._record)
        except (OSError, ValueError):
            return False

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(REQUEST_SECONDS)
        try:
            request = json.loads(read_line(connection))
            if request.get("ping"):
                send(connection, self.condition())
                return
            refusal = self._fork_shim(connection, os.path.abspath(request["attemptDir"]))
            if refusal is not None:
                send(connection, {"start": "cold", "reason": refusal})
        except (OSError, ValueError, KeyError, TypeError) as error:
            say(f"a request failed: {type(error).__name__}: {error}")
            with contextlib.suppress(OSError):
                send(connection, {"start": "cold", "reason": f"the launcher failed: {error}"})

    def _fork_shim(self, connection: socket.socket, attempt_dir: str) -> str | None:
        """Fork the shim by way of a child that ends at once, so that it is nobody's child here; return why not."""
        spec = read_json(os.path.join(attempt_dir, "spec.json"))
        if spec is None:
            return "there is no spec.json"
        reason = cold_reason(spec, attempt_dir, [rank_environment(rank["env"]) for rank in spec["ranks"]], self._env)
        if reason is not None:
            return reason
        if thread_count() != 1:
            return "the launcher has more than one thread"
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            try:
                if os.fork() != 0:
                    os._exit(0)
            except OSError:
                os._exit(1)
            raise forked.Forked(become_shim(connection.detach(), attempt_dir))
        _, status = os.waitpid(child, 0)
        if status != 0:
            return "the system lets no process be forked"
        self._jobs += 1
        return None


def become_shim(connection: int, attempt_dir: str) -> Callable[[], int]:
    """Return what a forked child does to be the attempt's shim, and nothing of the launcher any more."""

    def run() -> int:
        os.setsid()
        log = os.open(os.path.join(attempt_dir, "shim.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.closerange(3, connection)
        os.closerange(connection + 1, 65536)
        os.chdir(attempt_dir)
        asker = socket.socket(fileno=connection)

        def ready() -> None:
            with contextlib.suppress(OSError):  # the agent may have died meanwhile; the attempt goes on
                send(asker, {"start": "warm"})
            asker.close()

        code = shim.attend(attempt_dir, ready, forks=True)
        sys.stderr.flush()
        os._exit(code)  # the copy of torch in here needs no taking down

    return run


def read_line(connection: socket.socket) -> bytes:
    """Return one line; an end of the stream ends it too."""
    received = b""
    while b"\n" not in received and len(received) < MAX_REQUEST_BYTES:
        part = connection.recv(4096)
        if not part:
            break
        received += part
    return received


def send(connection: socket.socket, answer: dict[str, Any]) -> None:
    """Send one line of JSON."""
    connection.sendall(json.dumps(answer, separators=(",", ":")).encode() + b"\n")


def thread_count() -> int:
    """Return how many threads this process has, those of C libraries too."""
    return len(os.listdir("/proc/self/task"))


def rss_bytes() -> int:
    """Return the resident set of this process."""
    with open("/proc/self/statm", encoding="ascii") as source:
        return int(source.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def code_version() -> str:
    """Return a digest of the code that ranks get from a launcher: this package's sources, and which torch is installed.

    By size and time, for it is asked every few seconds on cores that belong to the ranks.
    """
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    sources = sorted(package.rglob("*.py"))
    torch = importlib.util.find_spec("torch")
    if torch is not None and torch.origin is not None:
        sources.append(Path(torch.origin).with_name("version.py"))
    for source in sources:
        stat = source.stat()
        digest.update(f"{source}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def load() -> None:
    """Import what ranks will need, without letting a library start threads, and share it well.

    NumPy's BLAS starts its threads when it is loaded unless told otherwise; a rank gets the number that it asks for.
    """
    started_with = dict(os.environ)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for module in MODULES:
        importlib.import_module(module)
    os.environ.clear()  # torch leaves variables of its own in it
    os.environ.update(started_with)
    gc.collect()
    gc.freeze()  # collections in the ranks leave these objects, and so the pages shared


def say(text: str) -> None:
    """Write a line to the log."""
    sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} launcher {os.getpid()}: {text}\n")
    sys.stderr.flush()


def main(arguments: list[str]) -> int:
    """Load, then serve in the directory; children that become shims and ranks return from here too."""
    if len(arguments) not in (1, 2) or not os.path.isdir(arguments[0]):
        sys.stderr.write("usage: python -m trainyard.runtime.launcher DIR [LABEL]\n")
        return EXIT_USAGE
    env, version = dict(os.environ), code_version()
    load()
    if thread_count() != 1:
        say(f"{thread_count()} threads after importing {', '.join(MODULES)}; a process with threads must not fork")
        return EXIT_NOT_SINGLE
    directory, label = [*arguments, ""][:2]
    return Launcher(os.path.abspath(directory), label, env, version).serve()


if __name__ == "__main__":
    sys.exit(forked.run(lambda: main(sys.argv[1:])))
