"""The boundary file: what one rank was at its last whole training steps, kept where the rank's death does not reach it.

A forward pass moves more than the parameters: random generators, buffers such as BatchNorm's, the data position. Between two
optimizer steps this is captured into `boundary.bin` in the rank's directory, a file that is mapped into memory: what was
written stays readable when the process is killed at the next instruction. (It does not outlive a loss of power, nor need it:
then the survivors are gone too.)

The file begins with a page that describes it (JSON), followed by three *slots* of equal size. A capture goes to the slot that
is needed least: the newest capture and the newest whole one of another step are never touched while it is written. A slot
begins and ends with the capture's sequence number; a capture that was cut short shows two different ones and counts as none.
Reading needs no torch, so that whoever survives can do it.
"""

from __future__ import annotations

import base64
import json
import mmap
import os
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from trainyard.torch_engine import MEMORY_BYTES, state_of

FILE = "boundary.bin"
MAGIC = b"TYBOUND2"
#: About to step: the forward passes of `ordinal` are done, and this rank has gone into the backward pass or further.
PRE = 1
#: The optimizer has stepped; what follows in the loop's body (scheduler, logging) may not be done yet.
OPEN = 2
#: All of the step is done and nothing of the next one is begun: exactly what a resumed run begins with.
WHOLE = 3

SLOTS = 3
_OTHERS = ((1, 2), (0, 2), (0, 1))
PAGE = 4096
MAX_HEAD_BYTES = 1 << 20
#: A slot's head, in words: its sequence number, what `Capture` begins with, and the sequence number again.
_HEAD = struct.Struct("<12q")
_ORDINAL, _KIND, _STEP, _TOLD, _OFFSET, _AT, _AGAIN = 1, 2, 3, 4, 5, 6, 11
_WORD = 8
_PREFIX = struct.Struct("<8sI")
_DATA_AT = 128
_PYTHON = struct.Struct("<q625IBd")
PYTHON_BYTES = _PYTHON.size
_NUMPY_TAIL = struct.Struct("<iBd")
_NUMPY_KEYS = 624
NUMPY_BYTES = 4 * _NUMPY_KEYS + _NUMPY_TAIL.size


class Capture(NamedTuple):
    """One capture of a rank, as read from its file.

    `step` is what the script calls it, or counted where it does not say (`told`); `offset` is the end of what the rank had
    recorded; `at` is in nanoseconds since 1970. Then come the sections; `torch` is what `generators.TorchGenerator` gives.
    """

    ordinal: int
    kind: int
    step: int
    told: bool
    offset: int
    at: int
    python: bytes
    numpy: bytes
    torch: bytes
    extra: dict[str, Any]
    buffers: bytes


class Layout:
    """Where everything is in a boundary file: `facts` is its description, of which `buffers` lists the module's buffers."""

    def __init__(self, facts: dict[str, Any], torch_bytes: int, extra_bytes: int, buffer_bytes: int) -> None:
        self.facts = facts
        sizes = (PYTHON_BYTES, NUMPY_BYTES, torch_bytes, extra_bytes, buffer_bytes)
        places = []
        at = _DATA_AT
        for size in sizes:
            places.append(at)
            at += -(-size // 64) * 64
        self.sizes, self.places = sizes, tuple(places)
        self.slot_bytes = -(-at // PAGE) * PAGE

    def head(self) -> bytes:
        """Return the first page (or pages) of the file."""
        text = json.dumps({**self.facts, "sizes": self.sizes, "places": self.places, "slotBytes": self.slot_bytes}).encode()
        whole = _PREFIX.pack(MAGIC, len(text)) + text
        return whole.ljust(-(-len(whole) // PAGE) * PAGE, b"\0")


class BoundaryFile:
    """A rank's own boundary file, open for writing. Made under another name and renamed, so that it appears whole."""

    def __init__(self, path: str, layout: Layout) -> None:
        """Make the file, with all of its bytes reserved: a disk that fills later must not kill a rank that writes to it.

        Raises
        ------
        OSError
            When the disk has no room for it.
        """
        head = layout.head()
        self.layout = layout
        self._slots_at = len(head)
        size = len(head) + SLOTS * layout.slot_bytes
        temporary = f"{path}.tmp"
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
            self.map = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)
        self.map[: len(head)] = head
        # Whoever is killed in between leaves each of these as it was or as it is.
        self._words = memoryview(self.map).cast("q")
        self._heads = [(self._slots_at + slot * layout.slot_bytes) // _WORD for slot in range(SLOTS)]
        self._kinds, self._ordinals = [0] * SLOTS, [-1] * SLOTS
        self._sequences = [0] * SLOTS  # 0 while one is being written
        #: The slot of the newest capture.
        self.newest = 0
        self._sequence = 0
        os.rename(temporary, path)

    def place(self, slot: int, section: int) -> int:
        """Return where a section of a slot begins in the map."""
        return self._slots_at + slot * self.layout.slot_bytes + self.layout.places[section]

    def begin(self, ordinal: int) -> int:
        """Choose the slot for a capture and mark it as being written."""
        # Kept: the newest capture, and the newest whole one of an earlier step than that of this capture.
        kinds, ordinals = self._kinds, self._ordinals
        one, other = _OTHERS[self.newest]
        if self._sequences[one] > self._sequences[other]:
            one, other = other, one
        # `one` is the older; it is the last whole one where the step of neither `other` nor the newest is so, and earlier.
        if kinds[one] == WHOLE and not (
            (kinds[other] == WHOLE and ordinals[other] < ordinal)
            or (kinds[self.newest] == WHOLE and ordinals[self.newest] < ordinal)
        ):
            one = other
        self._sequence += 1
        kinds[one], ordinals[one], self._sequences[one] = 0, -1, 0
        self._words[self._heads[one]] = self._sequence
        return one

    def end(self, slot: int, capture: tuple[int, int, int, bool, int, int], lengths: Sequence[int]) -> None:
        """Fill in the head of a slot whose sections are written; with its last word the capture counts.

        `capture` is (ordinal, kind, step, told, offset, at); `lengths` are those of all sections but the buffers.
        """
        words, at = self._words, self._heads[slot]
        ordinal, kind = capture[0], capture[1]
        for place, value in enumerate((*capture, *lengths), at + _ORDINAL):
            words[place] = value
        words[at + _AGAIN] = self._sequence
        self._kinds[slot], self._ordinals[slot], self._sequences[slot] = kind, ordinal, self._sequence
        self.newest = slot

    def amend(self, capture: tuple[int, int, int, bool, int, int]) -> bool:
        """Make the newest capture, whose sections are still right, this one; False when it cannot be made that.

        It is of the same step and further on. The kind comes last, so that whoever is killed in between leaves a capture that
        was right a moment ago.
        """
        ordinal, kind, step, told, offset, now = capture
        newest = self.newest
        if self._ordinals[newest] != ordinal or self._kinds[newest] > kind:
            return False
        words, at = self._words, self._heads[newest]
        words[at + _OFFSET] = offset
        words[at + _AT] = now
        words[at + _STEP] = step
        words[at + _TOLD] = told
        words[at + _KIND] = self._kinds[newest] = kind
        return True

    def close_newest(self) -> None:
        """Make the newest capture, which was OPEN, a WHOLE one."""
        newest = self.newest
        self._words[self._heads[newest] + _KIND] = self._kinds[newest] = WHOLE


def pack_python(target: Any, at: int, state: tuple[Any, ...]) -> None:
    """Write the state of Python's generator (as `random.getstate` gives it) to a buffer."""
    version, internal, gauss = state
    _PYTHON.pack_into(target, at, version, *internal, gauss is not None, gauss or 0.0)


def pack_numpy(state: tuple[Any, ...]) -> bytes:
    """Return the state of NumPy's global generator (as `numpy.random.get_state` gives it) as bytes."""
    _, keys, position, has_gauss, gauss = state
    packed: bytes = keys.astype("<u4").tobytes() + _NUMPY_TAIL.pack(position, has_gauss, gauss)
    return packed


def read_boundary(path: str) -> tuple[dict[str, Any], list[Capture]]:
    """Return the description of a boundary file and its captures, the newest first.

    Raises
    ------
    ValueError
        For a file that is none.
    OSError
        When it cannot be read.
    """
    with open(path, "rb") as source:
        prefix = source.read(_PREFIX.size)
        magic, length = _PREFIX.unpack(prefix) if len(prefix) == _PREFIX.size else (b"", 0)
        if magic != MAGIC or length > MAX_HEAD_BYTES:
            raise ValueError(f"{path} is no boundary file")
        facts = json.loads(source.read(length))
        begin = -(-(_PREFIX.size + length) // PAGE) * PAGE
        found = []
        for slot in range(SLOTS):
            source.seek(begin + slot * facts["slotBytes"])
            capture = _capture_in(source.read(facts["slotBytes"]), facts["places"], facts["sizes"])
            if capture is not None:
                found.append(capture)
    return facts, [capture for _, capture in sorted(found, reverse=True, key=lambda each: each[0])]


def _capture_in(data: bytes, places: list[int], sizes: list[int]) -> tuple[int, Capture] | None:
    if len(data) < _DATA_AT:
        return None
    sequence, ordinal, kind, step, told, offset, at, *lengths, again = _HEAD.unpack_from(data)
    if sequence == 0 or sequence != again:
        return None
    sections = [data[place : place + length] for place, length in zip(places, [*lengths, sizes[4]], strict=True)]
    python, numpy, torch, extra, buffers = sections
    return sequence, Capture(
        ordinal, kind, step, bool(told), offset, at, python, numpy, torch, json.loads(extra or b"{}"), buffers
    )


def random_of(capture: Capture) -> dict[str, Any]:
    """Return the generators' states of a capture in the form that `random_state.restore` takes."""
    version, *internal, has_gauss, gauss = _PYTHON.unpack(capture.python)
    state: dict[str, Any] = {"python": [version, internal, gauss if has_gauss else None]}
    if capture.numpy:
        keys = struct.unpack_from(f"<{_NUMPY_KEYS}I", capture.numpy)
        state["numpy"] = ["MT19937", list(keys), *_NUMPY_TAIL.unpack_from(capture.numpy, 4 * _NUMPY_KEYS)]
    if capture.torch:
        torch = state_of(capture.torch) if len(capture.torch) == MEMORY_BYTES else capture.torch
        state["torch"] = base64.b64encode(torch).decode("ascii")
    return state


def newest_of(captures: list[Capture], ordinal: int) -> Capture | None:
    """Return the best capture of a step: the whole one where there is one, else the newest."""
    of_step = [capture for capture in captures if capture.ordinal == ordinal]
    whole = [capture for capture in of_step if capture.kind == WHOLE]
    return next(iter(whole or of_step), None)


def kinds_of(captures: list[Capture]) -> Mapping[int, int]:
    """Return for each step that a file tells of the kind of its best capture."""
    found = {capture.ordinal: newest_of(captures, capture.ordinal) for capture in captures}
    return {ordinal: capture.kind for ordinal, capture in found.items() if capture is not None}
