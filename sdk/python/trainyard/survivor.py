"""What a rank does when it fails and others may have died: it tells the shim what it holds, and saves it if it is asked to.

Called by the rank's wrapper when the script has ended with an error, so the script needs no handling of its own. The rank and
its shim talk by files in the rank's directory, each written whole, and wake each other by signals that mean nothing else:

- `survivor.json`, by the rank: how far its parameters are (`ordinal`), whether they can be saved, whose fault its end is.
- `handover.json` in the attempt's directory, by the shim: who shall save which step where, or that it is over.
- `saved-<round>.json`, by the rank that was asked: the files, or the error.

The rank waits for "over" with its state in memory, for the one that saves may die too. The shim ends whoever waits too long,
and the kernel ends the rank with its shim.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from trainyard.boundary import FILE, newest_of, read_boundary
from trainyard.runtime.files import read_json, write_json

if TYPE_CHECKING:
    from trainyard.guard import Guard

REPORT = "survivor.json"
ORDERS = "handover.json"
_LOOK_SECONDS = 0.002


def hand_over(guard: Guard, rank_dir: str, attempt_dir: str, error: BaseException | None) -> None:
    """Report, wait, and save if asked; returns when there is nothing left to do. Never raises."""
    try:
        shim = os.getppid()
        refusal = guard.whole()
        report = {
            "at": time.time(),
            "ordinal": guard.ordinal,
            "canSave": refusal is None,
            "reason": refusal.reason if refusal else "",
            "message": refusal.message if refusal else "",
            "peer": is_peers_fault(error),
        }
        write_json(os.path.join(rank_dir, REPORT), report)
        os.kill(shim, signal.SIGURG)
        # Others may wait for this rank's part of a collective; they must learn that it will never come.
        sever()
        _serve(guard, rank_dir, attempt_dir, shim)
    except Exception as problem:
        sys.stderr.write(f"trainyard: this rank's state is not handed over: {problem}\n")


def _serve(guard: Guard, rank_dir: str, attempt_dir: str, shim: int) -> None:
    served = 0
    while os.getppid() == shim:
        orders = read_json(os.path.join(attempt_dir, ORDERS))
        if orders and orders.get("over"):
            return
        if orders and orders["round"] > served and orders["writer"] == os.path.basename(rank_dir):
            served = orders["round"]
            try:
                answer: dict[str, Any] = {
                    "files": save(guard, rank_dir, os.path.join(attempt_dir, orders["dir"]), orders["ordinal"])
                }
            except Exception as problem:
                answer = {"error": f"{type(problem).__name__}: {problem}"}
            with contextlib.suppress(OSError):  # the shim's deadline covers a report that cannot be written either
                write_json(os.path.join(rank_dir, f"saved-{served}.json"), answer)
                os.kill(shim, signal.SIGURG)
        time.sleep(_LOOK_SECONDS)


def save(guard: Guard, rank_dir: str, directory: str, ordinal: int) -> list[dict[str, Any]]:
    """Write what is the same on all ranks to `directory`; return the files.

    Nothing is copied first: the loop has ended, so nothing moves any more. Buffers are those of the boundary.
    """
    import torch

    from trainyard.snapshot import snapshot, unwrap

    os.makedirs(directory, mode=0o700, exist_ok=True)
    facts, captures = read_boundary(os.path.join(rank_dir, FILE))
    capture = newest_of(captures, ordinal)
    files = []
    for name, part in guard.parts.items():
        if part is None:
            continue
        state = snapshot(unwrap(part).state_dict(), name, copy=False)
        if name == "model" and capture is not None:
            from trainyard.buffers import tensors_of

            for key, tensor in tensors_of(facts["buffers"], capture.buffers).items():
                if key in state:
                    state[key] = tensor
        path = os.path.join(directory, f"{name}.pt")
        with open(path, "wb") as target:
            torch.save(state, target)
            target.flush()
            os.fsync(target.fileno())
        files.append({"path": f"{name}.pt", "sizeBytes": os.path.getsize(path)})
    return files


def is_peers_fault(error: BaseException | None) -> bool:
    """Say whether an error tells of another rank's end rather than of this one's own fault."""
    from trainyard.collective_status import CollectivesFailedError
    from trainyard.guard import PeerLostError

    if error is None or isinstance(error, (PeerLostError, CollectivesFailedError)):
        return error is not None
    distributed = sys.modules.get("torch.distributed")
    kinds = tuple(getattr(distributed, name) for name in ("DistError",) if hasattr(distributed, name))
    text = str(error).lower()
    return isinstance(error, kinds) or (isinstance(error, RuntimeError) and "gloo" in text)


def sever() -> None:
    """Shut every TCP connection of this process down, so that whoever waits at its other end learns of it at once."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError, ValueError):
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            one = socket.socket(fileno=os.dup(int(name)))
            try:
                if one.family in (socket.AF_INET, socket.AF_INET6) and one.type == socket.SOCK_STREAM:
                    one.getpeername()  # not a socket that listens: shut down, it would have Gloo end the process
                    one.shutdown(socket.SHUT_RDWR)
            finally:
                one.close()
