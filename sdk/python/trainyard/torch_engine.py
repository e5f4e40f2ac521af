"""The Mersenne Twister of torch's generator of the CPU: as its memory has it, and as `torch.set_rng_state` takes it.

The memory is what `at::CPUGeneratorImpl` ends with: seed, how many words are left, whether it was seeded, which is next, the
words, and the normal numbers that were drawn ahead, single and double. The state has 8 bytes for each word, and some fields
that are not used any more. Needs no torch, so that whoever survives a rank can read what it left.
"""

from __future__ import annotations

import array
import struct

WORDS = 624
_MEMORY = struct.Struct(f"<QiB3xI{4 * WORDS}s4xfB3xdB7x")
_BEGIN, _END = struct.Struct("<QiiQ"), struct.Struct("<dddi4xfB3x")
#: Bytes of the memory; no state has as many.
MEMORY_BYTES = _MEMORY.size
#: Where in the memory the words are.
WORDS_AT = 20


def state_of(memory: bytes) -> bytes:
    """Return the state that a generator with this memory is in."""
    seed, left, seeded, following, words, single, has_single, double, has_double = _MEMORY.unpack(memory)
    wide = array.array("Q", array.array("I", words)).tobytes()
    end = _END.pack(0.0, double if has_double else 0.0, 0.0, has_double, single if has_single else 0.0, has_single)
    return _BEGIN.pack(seed, left, seeded, following) + wide + end


def words_in(state: bytes) -> bytes:
    """Return the words of a state as the memory has them."""
    wide = array.array("Q", state[_BEGIN.size : _BEGIN.size + 8 * WORDS])
    return array.array("I", wide).tobytes()
