"""Histograms, images and tables: what files they become, and under which names."""

import json
import math
import struct
import zlib
from itertools import pairwise

import numpy
import pytest
import torch

from trainyard import media
from trainyard.environment import Environment
from trainyard.records import read_records
from trainyard.run import Run


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(Environment.read({"TRAINYARD_RANK_DIR": str(tmp_path / "rank-0"), "TRAINYARD_ATTEMPT_DIR": str(tmp_path)}))


def counts(data: bytes) -> tuple:
    content = json.loads(data)
    return content["edges"], content["counts"], content["notFiniteCount"]


@pytest.mark.parametrize(
    "values",
    [
        [0.0, [1, 1.0], math.nan, math.inf],
        numpy.array([[0, 1], [1, numpy.nan]]),
        torch.tensor([0, 1, 1, math.nan], dtype=torch.bfloat16, requires_grad=True),
    ],
)
def test_a_histogram_counts_numbers_in_any_form_the_same(values):
    edges, counted, outside = counts(media.histogram(values, bins=2))
    assert (edges, counted) == ([0, 0.5, 1], [1, 2])
    assert outside in (1, 2)


def test_a_histogram_between_given_edges_counts_what_is_outside_by_itself():
    for values in ([-1, 0, 2, 3, 4, 5], numpy.array([-1, 0, 2, 3, 4, 5])):
        assert counts(media.histogram(values, bins=[0, 2, 4])) == ([0, 2, 4], [1, 3], 2)


@pytest.mark.parametrize("values", [[], [5.0], [1e300, 1e300], [1.0, 1.0 + 1e-16], [-1.7e308, 1.7e308], [math.nan], [0.0]])
def test_a_histogram_of_whatever_numbers_has_edges_that_rise(values):
    for given in (values, numpy.array(values)):
        edges, counted, outside = counts(media.histogram(given))
        assert all(math.isfinite(a) and a < b for a, b in pairwise(edges))
        assert (len(edges), sum(counted) + outside) == (65, len(values))


@pytest.mark.parametrize("bins", [0, 2000, [1], [1, 1], [2, 1], [0, math.nan]])
def test_bins_that_make_no_histogram_are_refused(bins):
    with pytest.raises(ValueError, match="bins"):
        media.histogram([1], bins=bins)


def pixels(png: bytes) -> tuple:
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    size = struct.unpack(">I", png[33:37])[0]
    return width, height, depth, kind, zlib.decompress(png[41 : 41 + size])


@pytest.mark.parametrize(
    ("array", "width", "kind", "rows"),
    [
        (numpy.array([[0, 255, 300]]), 3, 0, b"\0\0\xff\xff"),
        (
            torch.tensor([[[0.0, 1.0, math.nan, 2.0, -1.0]]] * 3),
            5,
            2,
            b"\0" + bytes(3) + b"\xff" * 3 + bytes(3) + b"\xff" * 3 + bytes(3),
        ),
        (numpy.ones((1, 3, 4), dtype=numpy.float32) * 0.5, 3, 6, b"\0" + b"\x80" * 12),
    ],
)
def test_an_array_becomes_a_png(array, width, kind, rows):
    extension, data = media.image(array)
    assert extension == "png"
    assert pixels(data) == (width, 1, 8, kind, rows)


def test_a_picture_is_known_by_its_content(tmp_path):
    (tmp_path / "a").write_bytes(b"\xff\xd8\xff\xe0")
    assert media.image(tmp_path / "a")[0] == "jpg"
    assert media.image(b"RIFF\0\0\0\0WEBP")[0] == "webp"
    for bad in (b"<svg>", object(), numpy.zeros((2, 2, 5)), numpy.zeros((0, 2))):
        with pytest.raises(ValueError, match="image"):
            media.image(bad)
    with pytest.raises(ValueError, match="at most 2097152"):
        media.image(b"GIF89a" + bytes(2**21))


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        ({"a": [1, math.nan], "b": ["x", numpy.float32(0.5)]}, None),
        ([{"a": 1, "b": "x"}, {"b": 0.5}], None),
        ([[1, "x"], (None, 0.5)], ["a", "b"]),
    ],
)
def test_a_table_is_rows_of_cells_whatever_it_was(data, columns):
    content = json.loads(media.table(data, columns))
    assert (content["columns"], content["rows"]) == (["a", "b"], [[1, "x"], [None, 0.5]])


@pytest.mark.parametrize(
    ("data", "columns", "message"),
    [
        ({"a": [1], "b": []}, None, "different lengths"),
        ([[1]], None, "needs columns"),
        ([[1, 2]], ["a"], "row 0 has 2 cells"),
        ([], ["a", "a"], "different names"),
        ([[1]] * 10_001, ["a"], "at most 10000"),
    ],
)
def test_what_is_no_table_is_refused(data, columns, message):
    with pytest.raises(ValueError, match=message):
        media.table(data, columns)


@pytest.mark.parametrize(("key", "step"), [("", 1), ("a" * 251, 1), ("../a", 1), ("a//b", 1), ("a", -1), ("a", 2**53)])
def test_a_place_that_there_is_not_is_refused(key, step):
    with pytest.raises(ValueError, match=r"key|step|artifact"):
        media.media_path("image", key, step, 0, "png")


def test_media_are_artifacts_that_later_changes_do_not_touch(run, tmp_path):
    run.log({"loss": 1.0}, step=7)
    weights = numpy.zeros(4)
    run.log_histogram("weights/layer 1", weights)
    run.log_table("confusion", {"a": [1]}, step=3)
    run.log_image("worst", numpy.zeros((2, 2)))
    entries = [
        record.value for record in read_records(next(tmp_path.rglob("records.bin")).read_bytes()) if hasattr(record, "value")
    ]
    kept = {entry["path"]: entry["file"] for entry in entries if entry["kind"] == "artifact" and "media/" in entry["path"]}
    assert list(kept) == [
        "media/histograms/weights/layer 1/0000000000000007.json",
        "media/tables/confusion/0000000000000003.json",
        "media/images/worst/0000000000000007.png",
    ]
    assert len(set(kept.values())) == 3
    with open(kept["media/tables/confusion/0000000000000003.json"]) as source:
        assert json.load(source)["rows"] == [[1]]


def test_a_parameter_does_not_change_once_logged(run):
    run.log_params({"lr": 0.1, "what": object})
    run.log_params({"lr": 0.1})
    with pytest.raises(ValueError, match=r"'lr' is 0.1 and was now given as 0.2"):
        run.log_params({"lr": 0.2})
