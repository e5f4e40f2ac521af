"""Histograms, images and tables of a step, as the files that a run keeps them in.

They are artifacts named ``media/<kind>s/<key>/<step, 16 digits>[-rank-<rank>].<extension>``; the platform reads kind, key,
step and rank from the name. Nothing here imports NumPy, PyTorch or Pillow: what is given brings its own.
"""

from __future__ import annotations

import json
import math
import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from trainyard.artifact_path import artifact_path

MAX_STEP = 2**53 - 1
MAX_KEY_CHARACTERS = 250
MAX_BYTES = 2 * 1024 * 1024
MAX_BINS = 1024
MAX_ROWS = 10_000
MAX_COLUMNS = 100

_IMAGES = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"))


def media_path(kind: str, key: str, step: int, rank: int, extension: str) -> str:
    """Return the name under which a run keeps it.

    Raises
    ------
    ValueError
        For a key that is empty, too long or no artifact path, or a step below 0.
    """
    if not 0 < len(key) <= MAX_KEY_CHARACTERS:
        raise ValueError(f"key {key[:80]!r} has {len(key)} characters; expected 1 to {MAX_KEY_CHARACTERS}")
    if not 0 <= step <= MAX_STEP:
        raise ValueError(f"step {step} of {key!r}; expected 0 to {MAX_STEP}")
    of = f"-rank-{rank}" if rank > 0 else ""
    return artifact_path(f"media/{kind}s/{key}/{step:016d}{of}.{extension}")


def histogram(values: Any, bins: int | Sequence[float] = 64) -> bytes:
    """Count numbers by range: `bins` ranges of equal width from least to greatest, or between the edges given.

    `values` are numbers in any nesting, such as a tensor or array of any shape and any device. NaN and infinities are
    counted by themselves, as are values outside the edges given.

    Raises
    ------
    ValueError
        For over `MAX_BINS` ranges, or edges that do not rise.
    """
    numpy = _numpy(values)
    if numpy is not None:
        return _histogram_of_array(numpy, values, bins)
    numbers = [float(value) for value in _flat(values)]
    finite = [value for value in numbers if math.isfinite(value)]
    edges = _edges(bins, min(finite, default=0.0), max(finite, default=1.0))
    counts = [0] * (len(edges) - 1)
    outside = len(numbers) - len(finite)
    for value in finite:
        if edges[0] <= value <= edges[-1]:
            counts[min(bisect_right(edges, value) - 1, len(counts) - 1)] += 1
        else:
            outside += 1
    return _histogram(edges, counts, outside)


def image(value: Any) -> tuple[str, bytes]:
    """Return a picture's extension and bytes.

    Parameters
    ----------
    value
        The path of a PNG, JPEG, GIF or WebP file; its bytes; anything with `.save(file, format)` such as Pillow's images; or
        an array or tensor of shape (height, width), (height, width, channels) or (channels, height, width) with 1, 3 or 4
        channels, of integers from 0 to 255 or floats from 0 to 1, which becomes a PNG.

    Raises
    ------
    ValueError
        For anything else, or over `MAX_BYTES` bytes.
    """
    if isinstance(value, (str, os.PathLike)):
        with open(value, "rb") as source:
            data = source.read(MAX_BYTES + 1)
    elif isinstance(value, (bytes, bytearray)):
        data = bytes(value)
    elif callable(getattr(value, "save", None)):
        import io

        file = io.BytesIO()
        value.save(file, format="PNG")
        data = file.getvalue()
    else:
        data = _png_of_array(value)
    return _extension_of(data), _within("image", data)


def table(data: Any, columns: Sequence[str] | None = None) -> bytes:
    """Return rows of cells as JSON.

    Parameters
    ----------
    data
        A mapping of column names to equally long columns, a list of mappings, anything with `.to_dict(orient="list")` such as
        a pandas DataFrame, or, with `columns`, rows of cells.

    Raises
    ------
    ValueError
        For rows of different lengths, or over `MAX_ROWS` rows, `MAX_COLUMNS` columns or `MAX_BYTES` bytes.
    """
    names, rows = _rows_of(data, columns)
    if not 0 < len(names) <= MAX_COLUMNS or len(set(names)) != len(names):
        raise ValueError(f"{len(names)} columns in a table; expected 1 to {MAX_COLUMNS} of different names")
    if len(rows) > MAX_ROWS:
        raise ValueError(f"{len(rows)} rows in a table; expected at most {MAX_ROWS}")
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise ValueError(f"row {number} has {len(row)} cells; expected {len(names)}, one for each column")
    content = {"format": "trainyard/table/1", "columns": names, "rows": [[_cell(cell) for cell in row] for row in rows]}
    return _within("table", _json(content))


def _rows_of(data: Any, columns: Sequence[str] | None) -> tuple[list[str], list[list[Any]]]:
    if callable(getattr(data, "to_dict", None)):
        data = data.to_dict(orient="list")
    if isinstance(data, Mapping):
        names = list(data) if columns is None else list(columns)
        lists = [list(data[name]) for name in names]
        if len({len(each) for each in lists}) > 1:
            raise ValueError("the columns of a table have different lengths")
        return [str(name) for name in names], [list(row) for row in zip(*lists, strict=True)]
    rows = list(data)
    if columns is None:
        if not rows or not all(isinstance(row, Mapping) for row in rows):
            raise ValueError("a table of rows needs columns=[...]; or give mappings of column to cell")
        columns = list(dict.fromkeys(name for row in rows for name in row))
        return [str(name) for name in columns], [[row.get(name) for name in columns] for row in rows]
    return [str(name) for name in columns], [list(row) for row in rows]


def _cell(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return value if math.isfinite(value) else None
    return str(value)


def _numpy(value: Any) -> Any:
    """NumPy, where what is given is its array, or a tensor that can become one."""
    if hasattr(value, "__array__") or hasattr(value, "detach"):
        import numpy

        return numpy
    return None


def _array(numpy: Any, value: Any) -> Any:
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        # NumPy knows no bfloat16.
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
    return numpy.asarray(value)


def _histogram_of_array(numpy: Any, values: Any, bins: int | Sequence[float]) -> bytes:
    array = _array(numpy, values).ravel().astype(float)
    finite = array[numpy.isfinite(array)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    edges = _edges(bins, low, high)
    counts, _ = numpy.histogram(finite, edges)
    return _histogram(edges, [int(count) for count in counts], int(array.size - counts.sum()))


def _edges(bins: int | Sequence[float], low: float, high: float) -> list[float]:
    if isinstance(bins, int):
        if not 0 < bins <= MAX_BINS:
            raise ValueError(f"{bins} bins; expected 1 to {MAX_BINS}")
        # Far apart enough for edges of their own: what is all one value, or next to it, is in ranges around it.
        gap = max(abs(low), abs(high), 1e-300) * 1e-12 * bins
        if high - low < gap:
            middle, half = (low + high) / 2, max(gap, 0.5 if gap < 0.5 else gap)
            low, high = middle - half, middle + half
        # Weighted ends, since the distance between them may be too large for a number.
        return [*(low * (1 - n / bins) + high * (n / bins) for n in range(bins)), high]
    edges = [float(edge) for edge in bins]
    rising = all(math.isfinite(a) and math.isfinite(b) and a < b for a, b in pairwise(edges))
    if not 1 < len(edges) <= MAX_BINS + 1 or not rising:
        raise ValueError(f"{len(edges)} edges of bins; expected 2 to {MAX_BINS + 1} finite numbers that rise")
    return edges


def _histogram(edges: list[float], counts: list[int], outside: int) -> bytes:
    content = {"format": "trainyard/histogram/1", "edges": edges, "counts": counts, "notFiniteCount": outside}
    return _within("histogram", _json(content))


def _flat(values: Any) -> Iterable[Any]:
    if isinstance(values, (int, float)):
        yield values
        return
    for value in values:
        yield from _flat(value)


def _extension_of(data: bytes) -> str:
    for magic, extension in _IMAGES:
        if data.startswith(magic):
            return extension
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    raise ValueError("the image is no PNG, JPEG, GIF or WebP")


def _png_of_array(value: Any) -> bytes:
    numpy = _numpy(value)
    if numpy is None:
        raise ValueError(f"an image is a {type(value).__name__}; expected a path, bytes, a Pillow image or an array")
    array = _array(numpy, value)
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise ValueError(f"an image of shape {tuple(array.shape)}; expected (height, width[, 1, 3 or 4 channels])")
    if array.dtype.kind == "f":
        array = numpy.nan_to_num(array) * 255.0 + 0.5
    height, width, channels = array.shape
    pixels = array.clip(0, 255).astype(numpy.uint8)
    kind = {1: 0, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + pixels[row].tobytes() for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _within(what: str, data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise ValueError(f"the {what} has {len(data)} bytes; expected at most {MAX_BYTES}: keep it by run.artifact instead")
    return data
