"""What a run ran on and with: enough to see later in what two runs differed."""

from __future__ import annotations

import os
import platform
import sys
from typing import Any


def environment() -> dict[str, Any]:
    """Return interpreter, machine, command line, code's commit and installed packages.

    Takes some ten milliseconds, mostly for the list of packages; nothing is imported and no program is started.
    """
    return {
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
        "machine": {
            "host": platform.node(),
            "system": platform.system(),
            "release": platform.release(),
            "architecture": platform.machine(),
            "cpus": os.cpu_count() or 0,
            "memoryBytes": _memory_bytes(),
            "gpus": _gpus(),
        },
        "command": [sys.executable, *sys.argv],
        "directory": os.getcwd(),
        "git": _git(os.getcwd()),
        "numerics": _numerics(),
        "packages": _packages(),
    }


def _numerics() -> dict[str, Any]:
    """Tell what else decides about the last bits of a sum: threads, and the libraries that torch was built with."""
    found: dict[str, Any] = {"threads": os.environ.get("OMP_NUM_THREADS", ""), "hashSeed": os.environ.get("PYTHONHASHSEED", "")}
    torch = sys.modules.get("torch")
    if torch is not None:
        found |= {"torch": str(torch.__version__), "cuda": torch.version.cuda or "", "torchThreads": torch.get_num_threads()}
    return found


def _packages() -> dict[str, str]:
    from importlib.metadata import distributions

    found: dict[str, str] = {}
    for distribution in distributions():
        try:
            name, version = distribution.metadata["Name"], distribution.version
        except Exception:  # noqa: S112 (one package's broken metadata hides no other package)
            continue
        if name and version:
            found.setdefault(name.lower().replace("_", "-"), version)
    return dict(sorted(found.items()))


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def _gpus() -> list[str]:
    """Name the NVIDIA devices by what their driver shows; asking CUDA would initialise it in this process."""
    root = "/proc/driver/nvidia/gpus"
    models: list[str] = []
    for name in sorted(os.listdir(root)) if os.path.isdir(root) else []:
        try:
            with open(os.path.join(root, name, "information"), encoding="utf-8") as source:
                lines = source.read().splitlines()
        except OSError:
            continue
        models += [line.split(":", 1)[1].strip() for line in lines if line.startswith("Model:")]
    return models


def _git(directory: str) -> dict[str, str]:
    """Return commit and branch, read from the repository's files; empty outside one."""
    while not os.path.isdir(os.path.join(directory, ".git")):
        parent = os.path.dirname(directory)
        if parent == directory:
            return {}
        directory = parent
    folder = os.path.join(directory, ".git")
    head = _text(os.path.join(folder, "HEAD"))
    if not head.startswith("ref: "):
        return {"commit": head} if head else {}
    name = head.removeprefix("ref: ")
    commit = _text(os.path.join(folder, *name.split("/"))) or _packed(folder, name)
    return {"commit": commit, "branch": name.removeprefix("refs/heads/")} if commit else {}


def _packed(folder: str, name: str) -> str:
    for line in _text(os.path.join(folder, "packed-refs")).splitlines():
        if line.endswith(f" {name}"):
            return line.split(" ", 1)[0]
    return ""


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as source:
            return source.read().strip()
    except (OSError, UnicodeDecodeError):
        return ""
