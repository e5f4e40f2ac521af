"""The record file of a rank (`records.bin`): what a rank has to say, appended by it and read by the node's agent.

Format, all integers little-endian. The file is a sequence of frames::

    u32 body length | u32 CRC-32 of the body | body

The first byte of a body is its kind:

- 1, metrics: ``f64 unix seconds | i64 step | u16 count | count x (u16 key length | key, UTF-8 | f64 value)``. NaN and
  infinities are values like any other.
- 2, an object: UTF-8 JSON with a member ``kind`` (``first_step``, ``checkpoint``, ``artifact``, ``model``, ``note``,
  ``params``, ``phase``, ``tags``; and of runs recorded offline ``environment``, ``end``).

A record's sequence number is the byte offset of its frame. A frame that is cut short, or whose CRC differs, is a torn
tail: it ends the readable prefix. Whoever adds a kind leaves these two as they are; readers skip kinds they do not know.
"""

from __future__ import annotations

import json
import os
import struct
import threading
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

KIND_METRICS = 1
KIND_OBJECT = 2
MAX_KEY_BYTES = 512
MAX_BODY_BYTES = 1 << 24

_HEADER = struct.Struct("<II")
_METRICS = struct.Struct("<BdqH")
_KEY = struct.Struct("<H")
_VALUE = struct.Struct("<d")
_keys: dict[str, bytes] = {}


class Metrics(NamedTuple):
    """Values logged at one step. `offset` is where its frame starts, `end` where the next one does."""

    offset: int
    end: int
    at: float
    step: int
    values: dict[str, float]


class Entry(NamedTuple):
    """A JSON object record."""

    offset: int
    end: int
    value: dict[str, Any]


def encode_metrics(at: float, step: int, values: Mapping[str, float]) -> bytes:
    """Return the frame of one metrics record; the hot path of `run.log`.

    Raises
    ------
    ValueError
        For a key that is empty or over `MAX_KEY_BYTES`, or over 65,535 values.
    """
    if len(values) > 0xFFFF:
        raise ValueError(f"{len(values)} values in one log call; at most 65535 fit one record")
    parts = [_METRICS.pack(KIND_METRICS, at, step, len(values))]
    for key, value in values.items():
        parts.append(_keys.get(key) or _encode_key(key))
        parts.append(_VALUE.pack(value))
    return _frame(b"".join(parts))


def encode_object(value: Mapping[str, Any]) -> bytes:
    """Return the frame of one JSON object record."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return _frame(bytes([KIND_OBJECT]) + text.encode())


def read_records(data: bytes, offset: int = 0) -> Iterator[Metrics | Entry]:
    """Yield the records of a readable prefix, from the frame that starts at `offset` up to a torn tail or the end."""
    while offset + _HEADER.size <= len(data):
        length, checksum = _HEADER.unpack_from(data, offset)
        start, end = offset + _HEADER.size, offset + _HEADER.size + length
        if length == 0 or length > MAX_BODY_BYTES or end > len(data) or zlib.crc32(data[start:end]) != checksum:
            return
        if data[start] == KIND_METRICS:
            yield _decode_metrics(data, offset, start, end)
        elif data[start] == KIND_OBJECT:
            yield Entry(offset, end, json.loads(data[start + 1 : end]))
        offset = end


def readable_bytes(source: BinaryIO) -> tuple[int, dict[str, Any] | None]:
    """Return where the readable prefix of a record file ends, and the last record if that is an object.

    Reads frame by frame, so that the file may be of any size.
    """
    end, last = 0, None
    while len(header := source.read(_HEADER.size)) == _HEADER.size:
        length, checksum = _HEADER.unpack(header)
        body = source.read(length) if 0 < length <= MAX_BODY_BYTES else b""
        if len(body) != length or not body or zlib.crc32(body) != checksum:
            break
        end += _HEADER.size + length
        last = json.loads(body[1:]) if body[0] == KIND_OBJECT else None
    return end, last


class RecordWriter:
    """Appends frames to a record file, each by one write(2), so that readers never see them mixed. For any thread."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()
        # While this process alone writes, its end is known; to ask the system costs more than the rest of a step's record.
        # What the node's launcher appends for a rank, it appends when the rank writes no more.
        self._end: int | None = os.fstat(self._fd).st_size
        os.register_at_fork(before=self._share)

    def append(self, frame: bytes) -> None:
        """Append one frame, whole or not at all: what a full disk cut off is taken back before the error is raised."""
        with self._lock:
            written = os.write(self._fd, frame)
            while written < len(frame):
                try:
                    written += os.write(self._fd, frame[written:])
                except OSError:
                    os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
                    raise
            if self._end is not None:
                self._end += written

    def size(self) -> int:
        """Return the file's size: the offset of the next record."""
        return os.fstat(self._fd).st_size if self._end is None else self._end

    def cut(self, size: int) -> None:
        """Take away what is behind `size`."""
        os.ftruncate(self._fd, size)
        if self._end is not None:
            self._end = size

    def _share(self) -> None:
        with self._lock:
            self._end = None


def _frame(body: bytes) -> bytes:
    if len(body) > MAX_BODY_BYTES:
        raise ValueError(f"a record of {len(body)} bytes; the limit is {MAX_BODY_BYTES}")
    return _HEADER.pack(len(body), zlib.crc32(body)) + body


def _encode_key(key: str) -> bytes:
    text = key.encode()
    if not 0 < len(text) <= MAX_KEY_BYTES:
        raise ValueError(f"metric key {key[:80]!r} has {len(text)} bytes; expected 1 to {MAX_KEY_BYTES}")
    encoded = _KEY.pack(len(text)) + text
    if len(_keys) < 4096:
        _keys[key] = encoded
    return encoded


def _decode_metrics(data: bytes, offset: int, start: int, end: int) -> Metrics:
    _, at, step, count = _METRICS.unpack_from(data, start)
    position = start + _METRICS.size
    values: dict[str, float] = {}
    for _ in range(count):
        (length,) = _KEY.unpack_from(data, position)
        position += _KEY.size
        key = data[position : position + length].decode()
        (values[key],) = _VALUE.unpack_from(data, position + length)
        position += length + _VALUE.size
    return Metrics(offset, end, at, step, values)
