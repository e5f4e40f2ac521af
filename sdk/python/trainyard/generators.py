"""The states of the global random generators, read at each step so that it costs next to nothing while nobody draws.

To ask a generator for its state makes hundreds of objects, or a tensor. Its memory is looked at instead, which takes one copy
of 2.5 KB, and it is asked only when that has changed. Where the memory is not as expected (another Python, another torch), it
is asked each time.
"""

from __future__ import annotations

import ctypes
import os
import random
import sys
from typing import Any

from trainyard.boundary import PYTHON_BYTES, pack_numpy, pack_python
from trainyard.torch_engine import MEMORY_BYTES, WORDS_AT, state_of, words_in

_WORDS = 624
_STATE_BYTES = 4 * _WORDS + 4
_WORD_BYTES = 4


class PythonGenerator:
    """Python's global generator."""

    def __init__(self) -> None:
        # The functions of `random` are methods of this one, for as long as the interpreter lives.
        self._instance: Any = random._inst
        address = _address_of(self._instance)
        self._memory = None if address is None else _memory(address, _STATE_BYTES)
        self._seen = b""
        self._ahead: float | None = None
        self._packed = b""

    def state(self) -> bytes:
        """Return its state, packed; the same object while it is the same state."""
        # A normal number that is drawn ahead is kept beside the generator.
        ahead = self._instance.gauss_next
        if self._memory is not None:
            seen = self._memory.tobytes()
            if seen == self._seen and ahead == self._ahead:
                return self._packed
            self._seen, self._ahead = seen, ahead
        packed = bytearray(PYTHON_BYTES)
        pack_python(packed, 0, random.getstate())
        if packed != self._packed:
            self._packed = bytes(packed)
        return self._packed


def _address_of(instance: random.Random) -> int | None:
    """Return where the generator keeps its position and its words; None where that cannot be told."""
    if sys.implementation.name != "cpython":
        return None
    probe = random.Random(1)  # noqa: S311 (nothing is kept secret by it)
    base = type(probe).__mro__[1].__basicsize__
    # After the object's head an int, the position, and the words; the size may be rounded up behind them.
    for padding in (0, _WORD_BYTES):
        at = base - padding - _STATE_BYTES
        if at >= object.__basicsize__ and _holds(probe, at):
            return id(instance) + at
    return None


def _holds(probe: random.Random, at: int) -> bool:
    """Say whether a generator's memory has its state at this place, before and after it moved."""
    for _ in range(2):
        *words, position = probe.getstate()[1]
        raw = ctypes.string_at(id(probe) + at, _STATE_BYTES)
        if raw != b"".join(word.to_bytes(_WORD_BYTES, sys.byteorder) for word in (position, *words)):
            return False
        probe.random()
    return True


class NumpyGenerator:
    """NumPy's global generator."""

    def __init__(self) -> None:
        # The functions of `numpy.random` are methods of this one; None until somebody imports NumPy.
        self._instance: Any = None
        self._generator: Any = None
        self._memory: memoryview | None = None
        self._seen = b""
        self._packed = b""
        self._is_ahead = False

    def state(self) -> bytes:
        """Return its state, packed; empty while NumPy is not there, or its global generator is of another kind."""
        if self._instance is None:
            self._instance = getattr(sys.modules.get("numpy.random.mtrand"), "_rand", None)
            if self._instance is None:
                return b""
        if self._instance._bit_generator is not self._generator:
            self._take(self._instance._bit_generator)
        if self._memory is None:
            return b""
        seen = self._memory.tobytes()
        # A normal number that is drawn ahead is kept beside the generator: taking it changes nothing in the memory.
        if seen != self._seen or self._is_ahead:
            state = self._instance.get_state()
            self._seen, self._packed, self._is_ahead = seen, pack_numpy(state), bool(state[3])
        return self._packed

    def _take(self, generator: Any) -> None:
        is_known = type(generator).__name__ == "MT19937"
        self._generator = generator
        self._memory = _memory(generator.ctypes.state_address, _STATE_BYTES) if is_known else None
        self._seen = b""


class TorchGenerator:
    """torch's global generator of the CPU."""

    def __init__(self, torch: Any) -> None:
        self._generator = torch.default_generator
        place = _engine_in(torch)
        self._memory = None if place is None else _engine(self._generator, place)
        if self._memory is not None and state_of(self._memory.tobytes()) != _state(self._generator):
            self._memory = None
        self._seen = b""

    def state(self) -> bytes:
        """Return its memory, or its state where that is not known; the same object while it is the same."""
        seen = _state(self._generator) if self._memory is None else self._memory.tobytes()
        if seen != self._seen:
            self._seen = seen
        return self._seen


def _engine_in(torch: Any) -> int | None:
    """Return how far into its implementation a generator of the CPU keeps its engine; None where that cannot be told."""
    probe = torch.Generator()
    probe.manual_seed(1)
    try:
        memory = os.open("/proc/self/mem", os.O_RDONLY)  # tells of memory that is not there, instead of dying of it
        try:
            found = os.pread(memory, 2 * MEMORY_BYTES, _implementation(probe)).find(words_in(_state(probe)))
        finally:
            os.close(memory)
    except (OSError, OverflowError):
        return None
    if found < WORDS_AT:
        return None
    engine = _engine(probe, found - WORDS_AT)
    # A normal number that is drawn by itself comes with a second, which is kept beside the words.
    for draw in (torch.rand, torch.randn, torch.randn, torch.rand, torch.randn):
        before = engine.tobytes()
        draw(1, generator=probe, device="cpu")  # whatever the script has made the default
        if engine.tobytes() == before or state_of(engine.tobytes()) != _state(probe):
            return None
    return found - WORDS_AT


def _engine(generator: Any, place: int) -> memoryview:
    return _memory(_implementation(generator) + place, MEMORY_BYTES)


def _implementation(generator: Any) -> int:
    """Return the address of what a `torch.Generator` stands for: the first thing behind the Python object's head."""
    return ctypes.c_size_t.from_address(id(generator) + object.__basicsize__).value


def _state(generator: Any) -> bytes:
    state = generator.get_state()
    return ctypes.string_at(state.data_ptr(), state.numel())


def _memory(address: int, length: int) -> memoryview:
    return memoryview((ctypes.c_ubyte * length).from_address(address)).cast("B")
