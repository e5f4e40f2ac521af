"""The state of every random generator a script may use, as JSON: captured exactly, restored exactly, seeded.

Captured is what the script has imported; `determinism` seeds a library that comes later when it comes.
"""

from __future__ import annotations

import base64
import sys
from typing import Any


def seed_python(seed: int) -> None:
    """Seed Python's global generator."""
    import random

    random.seed(seed)


def seed_numpy(numpy: Any, seed: int) -> None:
    """Seed NumPy's global generator, which takes 32 bits."""
    numpy.random.seed(seed % 2**32)


def seed_torch(torch: Any, seed: int) -> None:
    """Seed torch's global generators, those of CUDA included."""
    torch.manual_seed(seed)


def capture() -> dict[str, Any]:
    """Return the generators' states as a JSON value."""
    import random

    version, internal, gauss = random.getstate()
    state: dict[str, Any] = {"python": [version, list(internal), gauss]}
    numpy = sys.modules.get("numpy")
    if numpy is not None and "numpy.random" in sys.modules:
        name, keys, position, has_gauss, cached = numpy.random.get_state()
        state["numpy"] = [name, keys.tolist(), int(position), int(has_gauss), float(cached)]
    torch = sys.modules.get("torch")
    if torch is not None:
        state["torch"] = _to_text(torch.get_rng_state())
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            state["cuda"] = [_to_text(device) for device in torch.cuda.get_rng_state_all()]
    return state


def restore(state: dict[str, Any]) -> None:
    """Put the generators back into a captured state (importing NumPy or PyTorch when the state names them)."""
    import random

    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    if "numpy" in state:
        import numpy

        name, keys, position, has_gauss, cached = state["numpy"]
        numpy.random.set_state((name, numpy.array(keys, dtype=numpy.uint32), position, has_gauss, cached))
    if "torch" in state:
        import torch

        torch.set_rng_state(_from_text(torch, state["torch"]))
        if "cuda" in state and torch.cuda.is_available():
            torch.cuda.set_rng_state_all([_from_text(torch, device) for device in state["cuda"]])


def _to_text(tensor: Any) -> str:
    return base64.b64encode(tensor.cpu().numpy().tobytes()).decode("ascii")


def _from_text(torch: Any, text: str) -> Any:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
