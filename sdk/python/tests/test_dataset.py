"""A rank's share of a split: fair, complete, reproducible, and exact to go on from."""

import json
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from trainyard.dataset import Dataset, Position
from trainyard.manifest import DatasetError, find_split


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    shards = []
    for index, (first, last) in enumerate([(0, 41), (41, 80), (80, 103)]):
        path = str(tmp_path / f"shard-{index}.parquet")
        ids = np.arange(first, last)
        pyarrow.parquet.write_table(pyarrow.table({"id": ids, "x": ids * 0.5}), path)
        shards.append({"path": path, "rows": last - first, "digest": ""})
    file = tmp_path / "dataset.json"
    file.write_text(json.dumps({"name": "d", "version": "1.0.0", "splits": {"train": {"rows": 103, "shards": shards}}}))
    return str(file)


def open_rank(manifest: str, rank: int, world_size: int, at: Position | None = None) -> Dataset:
    return Dataset(find_split(manifest, "train"), rank, world_size, 7, at)


def ids(batches) -> list[int]:
    return [int(value) for batch in batches for value in batch["id"]]


@pytest.mark.parametrize("world_size", [1, 2, 3, 7])
@pytest.mark.parametrize("shuffle", [True, False])
def test_each_row_goes_to_one_rank_once_an_epoch_and_all_ranks_have_equal_counts(manifest, world_size, shuffle):
    seen = [ids(open_rank(manifest, rank, world_size).batches(8, shuffle=shuffle)) for rank in range(world_size)]
    assert {len(rows) for rows in seen} == {103 // world_size}
    together = [row for rows in seen for row in rows]
    assert len(set(together)) == len(together) == 103 // world_size * world_size


def test_without_shuffling_rank_r_takes_the_rows_whose_index_is_r_modulo_the_world_size(manifest):
    assert ids(open_rank(manifest, 1, 4).batches(8, shuffle=False)) == list(range(1, 100, 4))


def test_the_order_follows_from_seed_and_epoch_alone(manifest):
    one, other = open_rank(manifest, 0, 2), open_rank(manifest, 0, 2)
    assert ids(one.batches(8, epoch=3)) == ids(other.batches(5, epoch=3))
    assert ids(one.batches(8, epoch=3)) != ids(one.batches(8, epoch=4))
    assert ids(one.batches(8, epoch=3)) != ids(one.batches(8, epoch=3, seed=8))


def test_epochs_follow_each_other_by_themselves(manifest):
    data = open_rank(manifest, 0, 2)
    first, second = ids(data.batches(8)), ids(data.batches(8))
    assert first == ids(open_rank(manifest, 0, 2).batches(8, epoch=0))
    assert second == ids(open_rank(manifest, 0, 2).batches(8, epoch=1))
    assert data.position == Position(2, 0, 7, "d@1.0.0")


@pytest.mark.parametrize("stop_after", [0, 1, 4, 7])
@pytest.mark.parametrize("count_from_zero", [True, False])
def test_resuming_in_mid_epoch_goes_on_with_the_very_next_row(manifest, stop_after, count_from_zero):
    unbroken = open_rank(manifest, 1, 2)
    whole = [ids([batch]) for epoch in range(3) for batch in unbroken.batches(8, epoch=epoch)]
    broken = open_rank(manifest, 1, 2)
    ids(broken.batches(8, epoch=0))
    for _ in zip(range(stop_after), broken.batches(8, epoch=1), strict=False):
        pass
    resumed = open_rank(manifest, 1, 2, broken.position)
    first = 0 if count_from_zero else resumed.position.epoch
    rest = [ids([batch]) for epoch in range(first, 3) for batch in resumed.batches(8, epoch=epoch)]
    assert rest == whole[len(whole) // 3 + stop_after :]


def test_the_last_batch_is_short_unless_dropped(manifest):
    data = open_rank(manifest, 0, 1)
    assert [len(batch["id"]) for batch in data.batches(50)] == [50, 50, 3]
    assert [len(batch["id"]) for batch in data.batches(50, drop_last=True, columns=["id"])] == [50, 50]


def test_columns_are_found_by_pattern(manifest):
    assert open_rank(manifest, 0, 1).match("i*") == ["id"]
    with pytest.raises(DatasetError, match=r"no column of split 'train' matches pixel_\*"):
        open_rank(manifest, 0, 1).match("pixel_*")


def test_a_missing_split_or_dataset_says_what_there_is(manifest):
    with pytest.raises(DatasetError, match="no split 'test'; it has train"):
        find_split(manifest, "test")
    with pytest.raises(DatasetError, match="set TRAINYARD_DATASET_MANIFEST"):
        find_split(None, "train")
    with pytest.raises(DatasetError, match="not a file"):
        find_split(manifest + ".nowhere", "train")


def test_a_local_file_is_cut_into_splits_that_share_no_row(manifest):
    path = str(Path(manifest).with_name("shard-0.parquet"))
    parts = [ids(Dataset(find_split(path, name), 0, 1, 7).batches(100)) for name in ("train", "validation", "test")]
    assert sorted(row for part in parts for row in part) == list(range(41))
    assert [len(part) for part in parts] == [29, 6, 6]
