"""A Parquet shard as an Arrow file beside it: uncompressed, so that it is read by memory map, row by row, from the page cache.

Made once per node and attempt, by whichever rank needs the shard first; the others wait for it. All ranks of a node then
share the pages. What is written is the shard's rows, row group by row group, and takes as much memory as one of these.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from typing import Any

from trainyard.manifest import DatasetError, Shard

#: Kept free for what the ranks write besides.
RESERVE_BYTES = 1 << 30


def read_groups(path: str) -> Iterator[Any]:
    """Yield the row groups of a Parquet file as Arrow tables.

    Raises
    ------
    DatasetError
        When one cannot be read; the message names the file and the rows.
    """
    file = open_parquet(path)
    row = 0
    for number in range(file.num_row_groups):
        rows = file.metadata.row_group(number).num_rows
        try:
            table = file.read_row_group(number)
            table.validate(full=True)
        except Exception as error:
            raise DatasetError(f"{path}: rows {row} to {row + rows - 1} cannot be read: {error}") from error
        yield table
        row += rows


def open_parquet(path: str) -> Any:
    """Open a Parquet file by memory map.

    Raises
    ------
    DatasetError
        When it is none; the message names it.
    """
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path, memory_map=True)
    except Exception as error:
        raise DatasetError(f"{path}: not a readable Parquet file: {error}") from error


def arrow_file(shard: Shard, folder: str) -> str | None:
    """Return the path of the shard's Arrow file in `folder`, made if it is not there; None when the disk has no room for it.

    Raises
    ------
    DatasetError
        When the shard cannot be read.
    """
    target = os.path.join(folder, f"{_key(shard)}.arrow")
    if os.path.exists(target):
        return target
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with open(f"{target}.lock", "a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(target):
            return target
        metadata = open_parquet(shard.path).metadata
        size = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
        if shutil.disk_usage(folder).free < size + RESERVE_BYTES:
            return None
        temporary = f"{target}.tmp"
        try:
            _convert(shard.path, temporary)
            os.rename(temporary, target)
        except OSError:
            return None
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
    return target


def _convert(source: str, target: str) -> None:
    import pyarrow

    writer = None
    with pyarrow.OSFile(target, "wb") as sink:
        for table in read_groups(source):
            if writer is None:
                writer = pyarrow.ipc.new_file(sink, table.schema)
            for batch in table.combine_chunks().to_batches():
                writer.write_batch(batch)
        if writer is None:
            writer = pyarrow.ipc.new_file(sink, open_parquet(source).schema_arrow)
        writer.close()


def _key(shard: Shard) -> str:
    """Name the content: by its digest, or for a local file by what changes when it is written anew."""
    if shard.digest:
        return shard.digest
    facts = os.stat(shard.path)
    text = f"{os.path.realpath(shard.path)}:{facts.st_size}:{facts.st_mtime_ns}"
    return hashlib.sha256(text.encode()).hexdigest()
