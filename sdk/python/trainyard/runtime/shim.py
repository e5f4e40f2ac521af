"""The shim: parent of one attempt's gang on one node, which outlives the agent and records how each rank ended.

``python -m trainyard.runtime.shim ATTEMPT_DIR`` reads `spec.json` there, starts every rank, waits, and writes
`exit.json` per rank and `done.json` at the end. The first rank that fails ends the gang: the others get SIGTERM, and
after `graceMs` SIGKILL. Where the script has handed its state to the SDK they are first given the time to save it, at most
`handoverMs` (see `handover`). SIGTERM to the shim stops the gang. SIGURG has it do as if a rank of its own had failed: one on
another node has. It is a subreaper, so nothing a rank leaves behind escapes it.

It is one thread that sleeps in sigtimedwait(2) with its signals blocked: no handler ever interrupts it in the middle of
something, and no wake-up is lost. Exit codes: 0 when all ended and the records stand, 3 when another shim has the
attempt, 2 for a spec that cannot be read.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from trainyard.runtime.choice import Fallback
from trainyard.runtime.exchange import Exchange
from trainyard.runtime.files import read_json, write_json
from trainyard.runtime.gang import RankProcess, bury
from trainyard.runtime.handover import DEFAULT_DEADLINE_MS, Handover, can_hand_over, dismiss, has_reported
from trainyard.runtime.processes import PR_SET_CHILD_SUBREAPER, all_processes, boot_id, is_alive, prctl, stat_of

EXIT_BAD_SPEC = 2
EXIT_ALREADY_RUNNING = 3
DEFAULT_GRACE_MS = 10_000
#: SIGURG is a rank's word that it has written something for the shim, or the agent's that the gang has failed elsewhere.
_WAKERS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGURG)


class Shim:
    """The gang's run loop; all of its mutable state is here."""

    def __init__(self, attempt_dir: str, ranks: list[RankProcess], spec: dict[str, Any]) -> None:
        self._attempt_dir = attempt_dir
        self._world_size = int(spec.get("worldSize", len(ranks)))
        self._group = (int(spec.get("groupRank", 0)), int(spec.get("groupCount", 1)))
        self._handover_ms = int(spec.get("handoverMs", DEFAULT_DEADLINE_MS))
        self._handover: Handover | None = None
        self._ranks = {rank.rank: rank for rank in ranks}
        self._grace_seconds = int(spec.get("graceMs", DEFAULT_GRACE_MS)) / 1000
        self._by_pid: dict[int, RankProcess] = {}
        self._ended = 0
        self._kill_at: float | None = None
        self.reason = "completed"

    def run(self) -> None:
        """Start all ranks, and return when all have ended, other nodes need nothing of them, and nothing of them is left."""
        for rank in self._ranks.values():
            rank.start()
            self._by_pid[rank.pid] = rank
        while not self._is_over:
            self._reap()
            if self._handover is not None:
                self._hand_over(self._handover)
            if not self._is_over:
                self._wait()
        self._sweep()

    @property
    def _is_part(self) -> bool:
        return len(self._ranks) < self._world_size

    @property
    def _is_over(self) -> bool:
        handing_over = self._handover is not None and not self._handover.over
        return self._ended == len(self._ranks) and not handing_over

    def _wait(self) -> None:
        limits = [] if self._kill_at is None else [self._kill_at]
        if self._handover is not None and not self._handover.over:
            limits.append(self._handover.next_look())
        timeout = max(0.0, min(limits) - time.monotonic()) if limits else 3600.0
        woken = signal.sigtimedwait(_WAKERS, timeout)
        if woken is not None and woken.si_signo in (signal.SIGTERM, signal.SIGINT):
            self._stop("stopped")
        if woken is not None and woken.si_signo == signal.SIGURG and self.reason == "completed":
            self._fail()
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._kill_at = None
            for rank in self._ranks.values():
                if not rank.ended:
                    rank.kill()

    def _fail(self) -> None:
        """End the gang because a rank has failed, after it has handed its state over where it can."""
        if self.reason != "completed":
            return
        ranks = list(self._ranks.values())
        exchange = Exchange(self._attempt_dir, *self._group) if self._is_part else None
        if not can_hand_over(ranks, self._world_size):
            if exchange is not None:
                with contextlib.suppress(OSError):  # then they learn of it by its silence
                    exchange.tell_end(Fallback("NOT_KEPT", "Ranks of another node keep no record of their steps."))
            self._stop("failed")
            return
        self.reason = "failed"
        self._handover = Handover(self._attempt_dir, ranks, self._world_size, self._handover_ms, exchange)

    def _hand_over(self, handover: Handover) -> None:
        if handover.over:
            return
        handover.look()
        if handover.over:
            # The ranks know, and end by themselves, as what they failed of has them end.
            self._kill_at = time.monotonic() + self._grace_seconds

    def _stop(self, reason: str) -> None:
        if self._handover is not None and self._is_part:
            # The other nodes may be waited for in vain, and whoever stops the gang knows.
            self._handover.give_up(Fallback("STOPPED", "The gang was stopped before its nodes had agreed on what to save."))
        if self.reason != "completed":
            return
        self.reason = reason
        self._kill_at = time.monotonic() + self._grace_seconds
        dismiss(self._attempt_dir, self._ranks.values())
        for rank in self._ranks.values():
            if not has_reported(rank):
                rank.signal(signal.SIGTERM)

    def _reap(self) -> None:
        while True:
            try:
                # WNOWAIT leaves the zombie, and so its pid and session id, in place until its session is cleared.
                seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if seen is None:
                return
            rank = self._by_pid.get(seen.si_pid)
            if rank is not None:
                rank.kill_session()
            _, status = os.waitpid(seen.si_pid, 0)
            if rank is not None:
                self._ended += 1
                blame = self._handover.blame(rank.rank) if self._handover is not None else None
                at, order = blame or (time.time(), self._ended)
                if rank.record_exit(status, order, at) != 0:
                    self._fail()

    def _sweep(self) -> None:
        """End what escaped its session: the shim, as subreaper, is its parent by now or when its parent dies."""
        for rank in self._ranks.values():
            rank.kill_session()
        own = os.getpid()
        while True:
            for process in all_processes():
                if process.parent == own and process.state != "Z":
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return


def main(arguments: list[str]) -> int:
    """Run the shim on an attempt directory; see the module for the exit codes."""
    if len(arguments) != 1:
        return _bad_spec()
    return attend(os.path.abspath(arguments[0]))


def attend(attempt_dir: str, ready: Callable[[], None] = lambda: None, forks: bool = False) -> int:
    """Be the shim of an attempt; return the exit code.

    `ready` is called once this process has the attempt and `shim.json` says so, before any rank is started. With `forks`
    the ranks go on in this very interpreter, by raising `Forked` in each child.
    """
    spec = read_json(os.path.join(attempt_dir, "spec.json"))
    if spec is None:
        return _bad_spec()
    lock = os.open(os.path.join(attempt_dir, "shim.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return EXIT_ALREADY_RUNNING
    earlier = read_json(os.path.join(attempt_dir, "shim.json"))
    if earlier and is_alive(earlier["pid"], earlier["startTicks"], earlier["bootId"]):
        return EXIT_ALREADY_RUNNING
    if read_json(os.path.join(attempt_dir, "done.json")) is None:
        ranks = [RankProcess(spec, rank, attempt_dir, forks) for rank in spec["ranks"]]
        _run_attempt(attempt_dir, ranks, spec, earlier is not None, ready)
    return 0


def _bad_spec() -> int:
    sys.stderr.write("trainyard shim: expected one argument, an attempt directory that holds spec.json\n")
    return EXIT_BAD_SPEC


def _run_attempt(
    attempt_dir: str, ranks: list[RankProcess], spec: dict[str, Any], started_before: bool, ready: Callable[[], None]
) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAKERS)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    own = stat_of(os.getpid())
    identity = {"pid": os.getpid(), "startTicks": own.start_ticks if own else 0, "bootId": boot_id()}
    if started_before:
        bury(ranks)
        reason = "lost"
    else:
        write_json(os.path.join(attempt_dir, "shim.json"), identity)
        ready()
        # An agent that must not let it start takes the spec away and then looks for shim.json. In this order either it
        # finds the file, and knows of this process, or this process finds the spec gone.
        if not os.path.exists(os.path.join(attempt_dir, "spec.json")):
            return
        shim = Shim(attempt_dir, ranks, spec)
        shim.run()
        reason = shim.reason
    write_json(os.path.join(attempt_dir, "done.json"), {"at": time.time(), "reason": reason})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
