"""One rank's process as the shim sees it: started in a session of its own, and ended with everything in that session."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import Any

from trainyard.runtime.files import read_json, write_json
from trainyard.runtime.forked import Forked
from trainyard.runtime.limits import Limits
from trainyard.runtime.processes import PR_SET_PDEATHSIG, all_processes, boot_id, is_alive, prctl, stat_of


class RankProcess:
    """A rank of the gang and its records in its directory (`started.json`, `exit.json`).

    With `forks` the rank goes on in the forked interpreter, which has imported torch; else it starts one of its own.
    """

    def __init__(self, spec: dict[str, Any], rank: dict[str, Any], attempt_dir: str, forks: bool = False) -> None:
        self._forks = forks
        self.rank: int = rank["rank"]
        self.directory: str = os.path.join(attempt_dir, rank["dir"])
        self.pid = 0
        self.ended = False
        self._command = [spec["python"], "-m", "trainyard.runtime.rank", self.directory]
        self._cwd: str = os.path.join(attempt_dir, rank.get("cwd") or spec["cwd"])
        name = f"{os.path.basename(attempt_dir)}-rank-{self.rank}"
        self._limits = Limits(spec.get("limits") or {}, spec.get("cgroup"), name)
        self._killed = False
        self._env = rank_environment(rank["env"])

    def start(self) -> None:
        """Fork the rank: own session, folder and limits, no input, logs appended to files, no other descriptor.

        The rank is killed by the kernel if the shim dies, for without the shim nobody would ever record how it ended.
        """
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        shim = os.getpid()
        self._limits.watch()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._become_rank(shim)
            except Forked:
                raise
            except BaseException as error:
                with contextlib.suppress(OSError):
                    os.write(2, f"trainyard: cannot start {self._command[0]} in {self._cwd}: {error}\n".encode())
            os._exit(127)
        stat = stat_of(self.pid)
        identity = {"pid": self.pid, "startTicks": stat.start_ticks if stat else 0, "bootId": boot_id()}
        write_json(os.path.join(self.directory, "started.json"), {**identity, "at": time.time()})

    def _become_rank(self, shim: int) -> None:
        os.setsid()
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        os.dup2(os.open(os.path.join(self.directory, "stderr.log"), append, 0o600), 2)
        os.dup2(os.open(os.path.join(self.directory, "stdout.log"), append, 0o600), 1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.closerange(3, 65536)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != shim:  # it died before the line above took effect
            os._exit(127)
        os.chdir(self._cwd)
        self._limits.enter()
        if self._forks:
            raise Forked(self._go_on)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.execvpe(self._command[0], self._command, self._env)  # noqa: S606 (no shell is meant)

    def _go_on(self) -> None:
        from trainyard.runtime import rank
        from trainyard.runtime.fresh import become_fresh, run_and_end

        become_fresh(self._env, self._command)
        run_and_end(lambda: rank.main(self.directory))

    def signal(self, number: int) -> None:
        """Send a signal to the rank itself; its helpers learn of it from the rank."""
        if self.pid and not self.ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill_session(self) -> None:
        """SIGKILL everything that still runs in the rank's session (data loader workers and the like)."""
        kill_session(self.pid)

    def kill(self) -> None:
        """End the rank for having outlived its grace."""
        self._killed = True
        self.kill_session()

    def record_exit(self, status: int, order: int, at: float) -> int:
        """Write `exit.json` from a wait status; return the code (128 + signal for a death by signal, as shells have it).

        `at` is when it failed, in seconds since 1970.
        """
        self.ended = True
        killed_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        code = 128 + killed_by if killed_by is not None else os.WEXITSTATUS(status)
        oom = killed_by == signal.SIGKILL and not self._killed and self._limits.killed_for_memory()
        write_exit(self.directory, code, killed_by, order, at, oom=oom)
        self._limits.remove()
        return code


def write_exit(directory: str, code: int, killed_by: int | None, order: int, at: float, *, oom: bool = False) -> None:
    """Write a rank's exit record; `order` is 1 for the first rank of the gang that failed or ended."""
    record = {"code": code, "signal": killed_by, "at": at, "order": order, **({"oom": True} if oom else {})}
    write_json(os.path.join(directory, "exit.json"), record)


def rank_environment(own: dict[str, str]) -> dict[str, str]:
    """Return the whole environment of a rank: the shim's, less anything of the platform's, then the rank's own.

    The agent's settings (addresses, credential files) must never reach the user's code, so inherited `TRAINYARD_*`
    variables are dropped. When the SDK is run from a checkout, its place goes last on PYTHONPATH.
    """
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("TRAINYARD_")}
    env = {**inherited, **own}
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if "site-packages" not in root and root not in env.get("PYTHONPATH", "").split(os.pathsep):
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [env.get("PYTHONPATH", ""), root]))
    return env


def kill_session(session: int) -> None:
    """SIGKILL every live process of a session, the leader too."""
    for process in all_processes():
        if process.session == session and process.state != "Z":
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)


def bury(ranks: list[RankProcess]) -> None:
    """Close the books of a gang whose shim died: end what is left, and record it as killed.

    The attempt is never started a second time; a new attempt has a new directory.
    """
    order = sum(read_json(os.path.join(rank.directory, "exit.json")) is not None for rank in ranks)
    for rank in ranks:
        started = read_json(os.path.join(rank.directory, "started.json"))
        # A session outlives its leader, and no process can get a pid that still names a session.
        if started and started["bootId"] == boot_id():
            leader_gone = stat_of(started["pid"]) is None
            if leader_gone or is_alive(started["pid"], started["startTicks"], started["bootId"]):
                kill_session(started["pid"])
        if read_json(os.path.join(rank.directory, "exit.json")) is None:
            order += 1
            write_exit(rank.directory, 128 + signal.SIGKILL, signal.SIGKILL, order, time.time())
            sys.stderr.write(f"trainyard: rank {rank.rank} was lost with its shim\n")
