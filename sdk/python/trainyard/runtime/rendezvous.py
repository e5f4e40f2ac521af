"""How the ranks of an attempt find each other: torchrun's agent-store contract, without its port race.

Rank 0 listens on port 0 and publishes the real port in `rendezvous.json` before it spends seconds on importing torch; the
listening socket then becomes the TCPStore's. Other ranks read the file (on other nodes the agent writes it). All set
MASTER_ADDR, MASTER_PORT and TORCHELASTIC_USE_AGENT_STORE=True, so `init_process_group()` connects as a client everywhere.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from typing import Any

from trainyard.runtime.files import read_json, write_json

WAIT_SECONDS = 600.0
LINGER_SECONDS = 60.0
_LEFT_KEY = "trainyard/ranks-left"


def _listen(host: str, backlog: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, 0), family=family, backlog=backlog)
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL and not isinstance(error, socket.gaierror):
            raise
        message = f"cannot listen on {host}, under which other nodes are to reach this one: {error.strerror}"
        raise OSError(error.errno, f"{message}; set TRAINYARD_ADDRESS of its agent to an address of this machine") from None


class Rendezvous:
    """One rank's end of the meeting. Make it first, then import torch, then `open()`."""

    def __init__(self, attempt_dir: str, rank: int, world_size: int) -> None:
        self._path = os.path.join(attempt_dir, "rendezvous.json")
        self._attempt_dir = attempt_dir
        self._rank = rank
        self._world_size = world_size
        self._socket: socket.socket | None = None
        self._store: Any = None
        if rank == 0:
            host = os.environ.get("MASTER_ADDR") or "127.0.0.1"
            self._socket = _listen(host, max(128, world_size))
            write_json(self._path, {"host": host, "port": self._socket.getsockname()[1]})

    def open(self) -> None:
        """Serve the store (rank 0) or wait for its address (others), and set the environment of the script.

        Raises
        ------
        TimeoutError
            When rank 0 has published no address within `WAIT_SECONDS`.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while (address := read_json(self._path)) is None:
            if time.monotonic() > deadline:
                message = f"rank 0 published no address in {self._path} within {WAIT_SECONDS:.0f} s"
                raise TimeoutError(f"{message}; look at the log of rank 0 to see what kept it")
            time.sleep(0.01)
        os.environ["MASTER_ADDR"] = address["host"]
        os.environ["MASTER_PORT"] = str(address["port"])
        os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"
        if address["host"] == "127.0.0.1":
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        if self._socket is not None:
            from torch.distributed import TCPStore

            self._store = TCPStore(
                address["host"],
                address["port"],
                is_master=True,
                wait_for_workers=False,
                master_listen_fd=self._socket.detach(),
            )

    def leave(self) -> None:
        """End well: rank 0 keeps the store up until the others have left, as torchrun's agent would.

        A script whose rank 0 returns first must not take the store from ranks that still use it. Bounded, and never fails
        a run that has succeeded.
        """
        if self._world_size == 1 or "MASTER_PORT" not in os.environ:
            return
        try:
            if self._store is None:
                # On one node rank 0 sees the exit records too; a program's wrapper need not load torch only to say good-bye.
                if not self._on_one_node() or "torch" in sys.modules:
                    self._tell_rank_0()
                return
            deadline = time.monotonic() + LINGER_SECONDS
            while self._store.add(_LEFT_KEY, 0) < self._world_size - 1 and time.monotonic() < deadline:
                if self._others_have_ended():
                    return
                time.sleep(0.02)
        except Exception:
            return

    def _on_one_node(self) -> bool:
        return os.environ.get("LOCAL_WORLD_SIZE") == str(self._world_size)

    def _tell_rank_0(self) -> None:
        from datetime import timedelta

        from torch.distributed import TCPStore

        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = TCPStore(host, port, is_master=False, wait_for_workers=False, timeout=timedelta(seconds=5))
        store.add(_LEFT_KEY, 1)

    def _others_have_ended(self) -> bool:
        if not self._on_one_node():
            return False
        others = (rank for rank in range(self._world_size) if rank != self._rank)
        return all(os.path.exists(os.path.join(self._attempt_dir, f"rank-{rank}", "exit.json")) for rank in others)
