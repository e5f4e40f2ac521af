"""What makes a job start cold: everything that an interpreter or its libraries take in only once, when they are loaded.

A rank forked from the launcher has the launcher's interpreter and libraries, loaded under the launcher's environment. Where
that would make a difference to the job, it gets an interpreter of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from trainyard.runtime.program import NO_PYTHON

#: Variables that are read when Python, the C library, OpenMP, BLAS or torch is loaded. A warm start needs each to have the
#: value that it had for the launcher. OMP_NUM_THREADS is set anew in the rank (see `fresh`).
NAMES = frozenset({"HOME", "LANG", "LANGUAGE", "GLIBC_TUNABLES", "VIRTUAL_ENV"})
PREFIXES = (
    "ATEN_",
    "BLIS_",
    "DISABLE_ADDMM_",
    "DNNL_",
    "GOMP_",
    "GOTO_",
    "KMP_",
    "LC_",
    "LD_",
    "MALLOC_",
    "MIMALLOC_",
    "MKL_",
    "NPY_",
    "NUMPY_",
    "OMP_",
    "ONEDNN_",
    "OPENBLAS_",
    "PYTHON",
    "PYTORCH_",
    "TORCHDYNAMO_",
    "TORCHINDUCTOR_",
    "TORCH_",
    "TRITON_",
)
#: Of these, the ones that are read when they are used.
READ_LATE = ("OMP_NUM_THREADS", "TORCH_HOME", "TORCH_NCCL_")


def is_import_time(name: str) -> bool:
    """Say whether a variable counts only when the interpreter or a library is loaded."""
    return name in NAMES or (name.startswith(PREFIXES) and not name.startswith(READ_LATE))


def cold_reason(
    spec: Mapping[str, Any], attempt_dir: str, environments: Iterable[Mapping[str, str]], own: Mapping[str, str]
) -> str | None:
    """Say why an attempt's ranks cannot be forked from this process, or None when they can.

    `environments` are the ranks' whole environments, `own` the one that this process was started with.
    """
    if spec["argv"][0] == NO_PYTHON:
        return "the job runs a program that is not Python"
    if spec["python"] != sys.orig_argv[0]:
        return f"the job runs under another interpreter, {spec['python']}"
    for env in environments:
        if env.get("TRAINYARD_FRAMEWORK", "torch") != "torch":
            return "the job's framework is not torch"
        for name in sorted({*env, *own}):
            if is_import_time(name) and env.get(name) != own.get(name):
                return f"{name} is read only when Python or its libraries are loaded"
        threads = env.get("OMP_NUM_THREADS", "1")
        if not threads.isdecimal() or int(threads) == 0:
            return "OMP_NUM_THREADS is not one number"
    return _shadowed(spec, attempt_dir)


def _shadowed(spec: Mapping[str, Any], attempt_dir: str) -> str | None:
    """Find a module of the job that would have been imported instead of one that is loaded here."""
    loaded = {name.partition(".")[0] for name in sys.modules} - {"__main__"}
    cwd = os.path.join(attempt_dir, spec["cwd"])
    script = spec["argv"][0]
    folders = {cwd} if script == "-m" else {cwd, os.path.dirname(os.path.realpath(os.path.join(cwd, script)))}
    for folder in sorted(folders):
        for entry in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            name, dot, kind = entry.partition(".")
            is_module = kind.endswith(("py", "so")) if dot else os.path.exists(os.path.join(folder, entry, "__init__.py"))
            if is_module and name in loaded:
                return f"the job's own {entry} stands for a module that is loaded already"
    return None
