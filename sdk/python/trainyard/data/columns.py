"""Arrow columns as NumPy arrays: without a copy where the bytes already lie as NumPy wants them.

Numbers and times without missing values are viewed in place, fixed-size lists of them (images, embeddings) as arrays of
more dimensions. Booleans are bit-packed in Arrow and copied; where a value is missing, floats have NaN and integers become
floats; text, bytes and lists of varying length become arrays of Python objects, a batch at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy


def view(column: Any) -> Any:
    """Return a column (an Arrow array) as a NumPy array, or as it is where that would make an object of each value."""
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if types.is_fixed_size_list(kind) and column.null_count == 0 and _is_plain(kind.value_type):
        inner = view(column.flatten())
        return inner.reshape(len(column), kind.list_size, *inner.shape[1:])
    if not _is_plain(kind):
        return column
    return column.to_numpy(zero_copy_only=False)


def take(column: Any, rows: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """Return some rows of what `view` gave, as an array of its own."""
    import numpy

    if isinstance(column, numpy.ndarray):
        return column.take(rows, axis=0)
    import pyarrow

    taken: numpy.ndarray[Any, Any] = column.take(pyarrow.array(rows)).to_numpy(zero_copy_only=False)
    return taken


def whole(column: Any) -> numpy.ndarray[Any, Any]:
    """Return all rows of what `view` gave."""
    import numpy

    if isinstance(column, numpy.ndarray):
        return column
    objects: numpy.ndarray[Any, Any] = column.to_numpy(zero_copy_only=False)
    return objects


def _is_plain(kind: Any) -> bool:
    from pyarrow import types

    if types.is_fixed_size_list(kind):
        return _is_plain(kind.value_type)
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_timestamp(kind)
        or types.is_duration(kind)
        or types.is_date(kind)
    )
