"""The states of the global random generators, read at each step so that it costs next to nothing while nobody draws.

To ask Python's generator or NumPy's for its state makes hundreds of objects. Their memory is looked at instead, which takes
one copy of 2.5 KB, and they are asked only when it has changed. Where the memory is not as expected (another Python), they
are asked each time.
"""

from __future__ import annotations

import ctypes
import random
import sys
from typing import Any

from trainyard.boundary import PYTHON_BYTES, pack_numpy, pack_python

_WORDS = 624
_STATE_BYTES = 4 * _WORDS + 4
_WORD_BYTES = 4


class PythonGenerator:
    """Python's global generator."""

    def __init__(self) -> None:
        # The functions of `random` are methods of this one, for as long as the interpreter lives.
        self._instance: Any = random._inst
        self._address = _address_of(self._instance)
        self._seen: Any = None
        self._packed = b""

    def state(self) -> bytes:
        """Return its state, packed; the same object while it is the same state."""
        if self._address is None:
            seen: Any = random.getstate()
        else:
            # A normal number that is drawn ahead is kept beside the generator.
            seen = ctypes.string_at(self._address, _STATE_BYTES), self._instance.gauss_next
        if seen != self._seen:
            packed = bytearray(PYTHON_BYTES)
            pack_python(packed, 0, random.getstate())
            self._seen, self._packed = seen, bytes(packed)
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
        self._generator: Any = None
        self._address = 0
        self._raw = b""
        self._packed = b""
        self._surely_moves = True

    def state(self) -> bytes:
        """Return its state, packed; empty while NumPy is not there, or its global generator is of another kind."""
        numpy_random = sys.modules.get("numpy.random")
        if numpy_random is None:
            return b""
        raw = self._raw_state(numpy_random)
        if raw and raw == self._raw and not self._surely_moves:
            return self._packed
        state = numpy_random.get_state()
        if not isinstance(state, tuple) or state[0] != "MT19937":
            return b""
        # A normal number that is drawn ahead is kept beside the generator: taking it changes nothing in the raw state.
        self._surely_moves = bool(state[3])
        self._raw, self._packed = raw, pack_numpy(state)
        return self._packed

    def _raw_state(self, numpy_random: Any) -> bytes:
        if not hasattr(numpy_random, "get_bit_generator"):
            return b""
        generator = numpy_random.get_bit_generator()
        if generator is not self._generator:
            is_known = type(generator).__name__ == "MT19937"
            self._generator, self._address = generator, generator.ctypes.state_address if is_known else 0
        return ctypes.string_at(self._address, _STATE_BYTES) if self._address else b""
