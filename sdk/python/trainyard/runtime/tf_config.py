"""TensorFlow's way of telling a worker its cluster: the variable TF_CONFIG, with the address of every worker.

All addresses must be known before any worker starts, and TensorFlow binds its port itself. So that nobody takes the port
in between, each rank's wrapper binds one that the kernel picks (port 0) and keeps that socket, bound but never listening,
for the rank's whole life. With SO_REUSEADDR on both sides Linux lets the server in the rank bind the same port and listen;
whoever asks for any free port never gets one that is held. gRPC, and so TensorFlow, sets SO_REUSEADDR, as most servers do.
"""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Any

from trainyard.runtime.files import read_json, write_json
from trainyard.runtime.rendezvous import WAIT_SECONDS


def hold_port(host: str) -> socket.socket:
    """Bind a port that nobody else has, for as long as the socket is kept."""
    held = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind((host, 0))
    held.set_inheritable(True)  # a rank that is another program (`--no-python`) keeps it too
    return held


def join_cluster(attempt_dir: str, rank_dir: str) -> socket.socket:
    """Hold a port, tell it to the other ranks, learn theirs, and set TF_CONFIG. Keep what is returned.

    Raises
    ------
    TimeoutError
        When some rank has told no port within `WAIT_SECONDS`.
    """
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    host = os.environ.get("TRAINYARD_NODE_ADDRESS", "127.0.0.1")
    held = hold_port(host)
    write_json(os.path.join(rank_dir, "endpoint.json"), {"host": host, "port": held.getsockname()[1]})
    deadline = time.monotonic() + WAIT_SECONDS
    while None in (endpoints := _endpoints(attempt_dir, world_size)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"rank {endpoints.index(None)} told no address within {WAIT_SECONDS:.0f} s; look at its log")
        time.sleep(0.01)
    workers = [_join(endpoint) for endpoint in endpoints]
    config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": rank}}
    os.environ["TF_CONFIG"] = json.dumps(config)
    return held


def _endpoints(attempt_dir: str, world_size: int) -> list[Any]:
    """Return what each rank has told, by rank: on one node its own file, on several what the agent has gathered."""
    if os.environ.get("LOCAL_WORLD_SIZE") == str(world_size):
        return [read_json(os.path.join(attempt_dir, f"rank-{rank}", "endpoint.json")) for rank in range(world_size)]
    gathered = read_json(os.path.join(attempt_dir, "endpoints.json")) or {}
    return [gathered.get(str(rank)) for rank in range(world_size)]


def _join(endpoint: dict[str, Any]) -> str:
    host = f"[{endpoint['host']}]" if ":" in endpoint["host"] else endpoint["host"]
    return f"{host}:{endpoint['port']}"
