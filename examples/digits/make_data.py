"""Writes the UCI handwritten digits, which ship inside scikit-learn, as one Parquet file.

python make_data.py [--out digits.parquet] [--broken]

Columns: `id` (int64, unique), `pixel_0` .. `pixel_63` (float32, 0 to 16, row by row of an 8 x 8 image),
`label` (int64, 0 to 9).
With `--broken` the file breaks its contract in three ways: pixels out of range, ids that come twice, and a label missing.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

PIXELS = 64


def digits_table(broken: bool = False) -> Any:
    """Return the digits as a pyarrow Table of 1,797 rows."""
    import numpy
    import pyarrow
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = images.astype(numpy.float32)
    ids = numpy.arange(len(labels), dtype=numpy.int64)
    missing = numpy.zeros(len(labels), dtype=bool)
    if broken:
        images[10:15, 20] = 255.0
        ids[100:103] = ids[0:3]
        missing[50] = True
    columns = {"id": pyarrow.array(ids)}
    columns.update({f"pixel_{index}": pyarrow.array(images[:, index]) for index in range(PIXELS)})
    columns["label"] = pyarrow.array(labels.astype(numpy.int64), mask=missing)
    return pyarrow.table(columns)


def write_digits(path: str, broken: bool = False) -> None:
    """Write the file, whole or not at all."""
    import pyarrow.parquet

    temporary = f"{path}.{os.getpid()}.tmp"
    pyarrow.parquet.write_table(digits_table(broken), temporary)
    os.replace(temporary, path)


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description="Write the UCI handwritten digits as Parquet.")
    parser.add_argument("--out", default="digits.parquet", help="where to write (default: digits.parquet)")
    parser.add_argument("--broken", action="store_true", help="break the dataset's contract in three ways")
    arguments = parser.parse_args()
    write_digits(arguments.out, arguments.broken)


if __name__ == "__main__":
    main()
