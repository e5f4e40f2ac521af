"""Takes what a rank is at a step's boundary into its boundary file, in microseconds where nothing large has to be copied.

What has not changed since it was last written to a slot is not written again. Buffers are copied by one call into memory
that is used again: 159 of a ResNet-50 in 46 µs. A step in which much else was computed finds none of this in the processor's
caches, and pays several times what a tight loop does; so what counts here is how much memory is touched.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from trainyard.boundary import SLOTS, BoundaryFile, Layout
from trainyard.exact_json import to_json
from trainyard.generators import NumpyGenerator, PythonGenerator, TorchGenerator
from trainyard.snapshot import unwrap

#: The script's own state that is captured at each step, as JSON; more would cost more than a step should pay.
MAX_EXTRA_BYTES = 1 << 20
#: Buffers of the model that are copied at each step.
MAX_BUFFER_BYTES = 64 << 20
_LEAST_EXTRA_BYTES = 16 << 10
_ALIGNMENT = 64


class TooLargeError(Exception):
    """What has to be captured at each step is larger than that may be; the message says what and how large."""


class Capturer:
    """Captures one rank: its generators, the model's buffers, the data position and the script's own state."""

    def __init__(
        self,
        path: str,
        facts: dict[str, Any],
        model: Any,
        state: Mapping[str, Any] | None,
        positions: Callable[[], Mapping[str, Any]],
        offset: Callable[[], int],
    ) -> None:
        """Make the boundary file at `path`.

        Raises
        ------
        TooLargeError
            When the model's buffers or `state` are too large to be captured at each step.
        TypeError
            When `state` holds something that a checkpoint cannot.
        OSError
            When the disk has no room for the file.
        """
        import torch

        self._torch = torch
        self._path, self._facts = path, facts
        self._state, self._positions, self._offset = state, positions, offset
        self._module = unwrap(model)
        self._python, self._numpy, self._cpu = PythonGenerator(), NumpyGenerator(), TorchGenerator(torch)
        self._extra_of: Mapping[str, Any] | None = None
        self._extra_json = b""
        self._open(_LEAST_EXTRA_BYTES)

    def _open(self, extra_bytes: int) -> None:
        """Make the file anew, with room for so much of the script's own state; captures that were in the old one are gone."""
        torch = self._torch
        described, self._owners, total = [], [], 0
        for name, buffer in self._module.named_buffers():
            owner, _, own_name = name.rpartition(".")
            self._owners.append((self._module.get_submodule(owner), own_name))
            size = buffer.numel() * buffer.element_size()
            dtype = str(buffer.dtype).removeprefix("torch.")
            described.append({"name": name, "dtype": dtype, "shape": list(buffer.shape), "at": total, "bytes": size})
            total += -(-size // _ALIGNMENT) * _ALIGNMENT
        if total > MAX_BUFFER_BYTES:
            raise TooLargeError(
                f"The model's buffers have {total} bytes; at most {MAX_BUFFER_BYTES} are captured at each step."
            )
        layout = Layout({**self._facts, "buffers": described}, len(self._cpu.state()), extra_bytes, total)
        file = BoundaryFile(self._path, layout)
        memory = torch.frombuffer(file.map, dtype=torch.uint8)
        self._buffer_views = [_views(memory, file.place(slot, 4), described, self._current_buffers()) for slot in range(SLOTS)]
        # What the sections of each slot hold: the very objects, so that mostly one is known again by being the same.
        self._written: list[tuple[bytes, ...]] = [(b"", b"", b"", b"")] * SLOTS
        self._file, self._extra_bytes = file, extra_bytes

    def capture(self, kind: int, ordinal: int, step: int, told: bool, *, still: bool = False) -> None:
        """Capture now, as what the rank is at step `ordinal`.

        `still` says that no generator and no buffer has moved since the newest capture, so that they need not be looked at.

        Raises
        ------
        TooLargeError
            When the script's own state has grown too large.
        TypeError
            When it now holds something that a checkpoint cannot.
        OSError
            When the file has to grow and the disk has no room.
        """
        positions = self._positions()
        is_same = self._state is None and positions == self._extra_of
        extra = self._extra_json if is_same else self._extra(positions)
        file = self._file
        head = (ordinal, kind, step, told, self._offset(), time.time_ns())
        newest = self._written[file.newest]
        if still and newest[3] == extra and file.amend(head):
            return
        sections = (*self._generators(), extra)
        # Within a step mostly nothing moves but the step itself. Of buffers nothing tells cheaply whether they did.
        if not self._owners and newest == sections and file.amend(head):
            return
        slot = file.begin(ordinal)
        written = self._written[slot]
        for section, data in enumerate(sections):
            if written[section] is not data:
                at = file.place(slot, section)
                file.map[at : at + len(data)] = data
        self._written[slot] = sections
        if self._owners:
            with self._torch.no_grad():
                self._torch._foreach_copy_(self._buffer_views[slot], self._current_buffers())
        file.end(slot, head, [len(data) for data in sections])

    def moved(self) -> bool:
        """Say whether a generator or a buffer is not what it was at the newest capture; a buffer with a NaN never is."""
        newest = self._file.newest
        return self._written[newest][:3] != self._generators() or not all(
            map(self._torch.equal, self._buffer_views[newest], self._current_buffers())
        )

    def _generators(self) -> tuple[bytes, bytes, bytes]:
        return self._python.state(), self._numpy.state(), self._cpu.state()

    def close_newest(self) -> None:
        """Say that the newest capture turned out to be the last of its step."""
        self._file.close_newest()

    def _current_buffers(self) -> list[Any]:
        """Return the buffers that the modules hold now: a module may have put another tensor in a buffer's place."""
        return [module._buffers[name] for module, name in self._owners]

    def _extra(self, positions: Mapping[str, Any]) -> bytes:
        """Return the data position and the script's own state as JSON, and make sure that the file has room for it."""
        extra: dict[str, Any] = {"positions": {split: list(position) for split, position in positions.items()}}
        if self._state is not None:
            extra["state"] = to_json(dict(self._state), "state")
        data = json.dumps(extra, separators=(",", ":"), allow_nan=False).encode()
        if len(data) > MAX_EXTRA_BYTES:
            raise TooLargeError(
                f"The script's own state has {len(data)} bytes; at most {MAX_EXTRA_BYTES} are captured at each step."
            )
        if len(data) > self._extra_bytes:
            self._open(2 * len(data))
        self._extra_of, self._extra_json = dict(positions), data
        return data


def _views(memory: Any, at: int, described: list[dict[str, Any]], buffers: list[Any]) -> list[Any]:
    """Return a tensor over the mapped memory for each buffer."""
    views = []
    for one, buffer in zip(described, buffers, strict=True):
        part = memory[at + one["at"] : at + one["at"] + one["bytes"]]
        views.append(part.view(buffer.dtype).reshape(buffer.shape))
    return views
