"""The record file: framing, torn tails, and the vectors other readers are tested against."""

import json
import math
import os
import random
from pathlib import Path

import pytest
from make_vectors import FRAMES, TORN, expected

from trainyard.records import Metrics, RecordWriter, encode_metrics, encode_object, read_records

VECTORS = Path(__file__).with_name("vectors")


def test_reads_back_what_was_written_with_nan_and_infinities():
    values = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 5e-324, "ключ": 0.1}
    (record,) = read_records(encode_metrics(12.5, 2**40, values))
    assert isinstance(record, Metrics)
    assert (record.at, record.step, list(record.values)) == (12.5, 2**40, list(values))
    assert math.isnan(record.values["a"])
    assert record.values["b"] == math.inf
    assert record.values["d"] == 5e-324


def test_any_cut_of_the_file_ends_the_readable_prefix_at_a_whole_record():
    data = b"".join(FRAMES)
    ends = [record.end for record in read_records(data)]
    assert ends[-1] == len(data)
    for cut in range(len(data)):
        found = [record.end for record in read_records(data[:cut])]
        assert found == [end for end in ends if end <= cut]


def test_a_flipped_bit_ends_the_readable_prefix_before_its_record():
    data = b"".join(FRAMES)
    seed = random.randrange(10**6)
    place = random.Random(seed).randrange(len(data))
    broken = bytearray(data)
    broken[place] ^= 1
    whole = [record for record in read_records(data) if record.end <= place]
    assert len(list(read_records(bytes(broken)))) == len(whole), f"seed {seed}"


def test_the_vectors_are_what_this_code_writes_and_reads():
    data = (VECTORS / "records.bin").read_bytes()
    assert data == b"".join(FRAMES) + TORN
    assert expected(data) == json.loads((VECTORS / "records.json").read_text("utf-8"))


def test_reading_goes_on_from_an_offset():
    data = b"".join(FRAMES)
    offsets = [record.offset for record in read_records(data)]
    assert [record.offset for record in read_records(data, offsets[3])] == offsets[3:]


def test_a_writer_appends_after_what_is_there(tmp_path):
    path = str(tmp_path / "records.bin")
    first = RecordWriter(path)
    first.append(encode_metrics(1.0, 1, {"a": 1.0}))
    again = RecordWriter(path)
    assert again.size() == first.size() == os.path.getsize(path)
    again.append(encode_object({"kind": "first_step", "at": 2.0}))
    assert len(list(read_records(Path(path).read_bytes()))) == 2


@pytest.mark.parametrize("key", ["", "k" * 513])
def test_a_key_out_of_limits_is_refused(key):
    with pytest.raises(ValueError, match="expected 1 to 512"):
        encode_metrics(1.0, 1, {key: 1.0})


def test_the_size_is_the_files_after_appends_cuts_and_a_forked_process_that_writes_too(tmp_path):
    path, frame = tmp_path / "records.bin", encode_metrics(0.0, 1, {"a": 1.0})
    RecordWriter(str(path)).append(frame)
    writer = RecordWriter(str(path))  # of a process that goes on with a file
    writer.append(frame)
    assert writer.size() == 2 * len(frame)
    writer.cut(len(frame))
    assert writer.size() == path.stat().st_size == len(frame)
    child = os.fork()
    if child == 0:
        writer.append(frame)
        os._exit(0)
    os.waitpid(child, 0)
    assert writer.size() == path.stat().st_size == 2 * len(frame)
