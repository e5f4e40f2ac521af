"""Makes what a rank computes follow from its seed: generators are seeded, and libraries choose algorithms that repeat.

The same code, data, seed, number of ranks and kind of machine then give the same weights, bit for bit. What it sets:

- Python's, NumPy's, torch's and CUDA's global generators, also of a library that is imported only after `init`;
- torch: deterministic algorithms (an operation that has none warns and goes on), cuDNN's deterministic kernels without trying
  out which is fastest, and ``CUBLAS_WORKSPACE_CONFIG=:4096:8`` unless the environment has it.

A job says ``deterministic: false`` (outside the platform: ``TRAINYARD_DETERMINISTIC=0``) when it wants the seeds without the
flags, which cost speed on a GPU.
"""

from __future__ import annotations

import os
from typing import Any

from trainyard.late_import import when_imported
from trainyard.random_state import seed_numpy, seed_python, seed_torch


def seed_all(seed: int) -> None:
    """Seed every global generator, those of libraries that are not imported yet when they are."""
    seed_python(seed)
    when_imported("numpy", lambda module: seed_numpy(module, seed))
    when_imported("torch", lambda module: seed_torch(module, seed))


def set_flags() -> None:
    """Have libraries choose algorithms that give the same each time."""
    # cuBLAS reads it when CUDA is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    when_imported("torch", _torch_flags)
    when_imported("torch._inductor.config", _compiler_flag)


def _torch_flags(torch: Any) -> None:
    # What `torch.use_deterministic_algorithms(True, warn_only=True)` does, without importing the compiler for a flag of the
    # compiler's, which takes seconds: that is set when the script imports the compiler itself.
    torch._C._set_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    # Every `torch.empty` would be filled, which only helps a script that reads what it never wrote.
    torch.utils.deterministic.fill_uninitialized_memory = False


def _compiler_flag(config: Any) -> None:
    if hasattr(config, "deterministic"):
        config.deterministic = True
