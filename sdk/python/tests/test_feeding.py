"""Feeding at size: shards by memory map, windows of shuffling, other world sizes, errors, threads and processes."""

import json
import threading
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from trainyard.data.order import EpochOrder, block_of
from trainyard.data.prefetch import Prefetched
from trainyard.data.rows import Rows
from trainyard.dataset import Dataset, Position
from trainyard.manifest import DatasetError, Shard, Split, find_split

ROWS = 1003


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    shards = []
    for index, (first, last) in enumerate([(0, 400), (400, 401), (401, ROWS)]):
        path = str(tmp_path / f"shard-{index}.parquet")
        ids = np.arange(first, last)
        table = pyarrow.table(
            {
                "id": ids,
                "image": pyarrow.FixedSizeListArray.from_arrays(np.repeat(ids, 6).astype(np.float32), 6),
                "text": [f"row {row}" for row in ids],
                "good": ids % 3 == 0,
            }
        )
        pyarrow.parquet.write_table(table, path, row_group_size=150)
        shards.append({"path": path, "rows": last - first, "digest": f"{index:064x}"})
    file = tmp_path / "dataset.json"
    file.write_text(json.dumps({"name": "d", "version": "1.0.0", "splits": {"train": {"rows": ROWS, "shards": shards}}}))
    return str(file)


def opened(manifest: str, rank: int = 0, world_size: int = 1, *, mapped: bool = True, at: Position | None = None) -> Dataset:
    split = find_split(manifest, "train")
    data = Dataset(split, rank, world_size, 7, at)
    data._rows = Rows(split, str(Path(manifest).parent / "arrow"), 0 if mapped else 1 << 30)
    return data


def ids(batches) -> list[int]:
    return [int(value) for batch in batches for value in batch["id"]]


@pytest.mark.parametrize("total", [0, 1, 63, 64, 65, 128, 777, 1000])
def test_in_windows_each_row_comes_once_and_any_cut_of_the_order_gives_the_same(total):
    order = EpochOrder(total, 3, 1, block=4)
    whole = order.rows(0, total).tolist()
    assert sorted(whole) == list(range(total))
    cuts = sorted(np.random.default_rng(total).integers(0, total + 1, 9).tolist())
    pieces = [EpochOrder(total, 3, 1, block=4).rows(a, b) for a, b in zip([0, *cuts], [*cuts, total], strict=True)]
    assert np.concatenate(pieces).tolist() == whole
    if total > 64:
        assert whole != EpochOrder(total, 3, 2, block=4).rows(0, total).tolist()
        blocks = [len(np.unique(np.array(whole[at : at + 64]) // 4)) for at in range(0, total - 64, 64)]
        assert max(blocks) <= 32, "64 samples lie in two windows of 16 blocks at most"


@pytest.mark.parametrize(("sample_bytes", "block"), [(1, 65536), (1024, 65536), (1025, 32768), (150_000, 256), (1 << 40, 64)])
def test_blocks_of_larger_samples_have_fewer_of_them(sample_bytes, block):
    assert block_of(sample_bytes) == block


def test_only_a_windows_shards_are_made_ready_before_the_first_batch(tmp_path, monkeypatch):
    monkeypatch.setattr("trainyard.data.order.BLOCK_BYTES", 1)
    shards = []
    for index in range(40):
        path = str(tmp_path / f"{index}.parquet")
        pyarrow.parquet.write_table(pyarrow.table({"id": np.arange(64 * index, 64 * (index + 1))}), path)
        shards.append(Shard(path, "", 64))
    split = Split("train", shards, None, "")
    data = Dataset(split, 0, 1, 7)
    data._rows = Rows(split, str(tmp_path / "arrow"), 0)
    loop = data.batches(32, prefetch=0)
    taken = ids([next(loop)])
    assert len(list((tmp_path / "arrow").glob("*.arrow"))) <= 16
    assert sorted(taken + ids(loop)) == list(range(2560))


def test_rows_read_by_memory_map_are_those_of_the_parquet_files(manifest):
    mapped, held = opened(manifest), opened(manifest, mapped=False)
    for one, other in zip(mapped.batches(64, prefetch=3), held.batches(64), strict=True):
        for name in ("id", "image", "text", "good"):
            assert one[name].dtype == other[name].dtype
            assert np.array_equal(one[name], other[name])
    assert one["image"].shape == (ROWS % 64, 6)
    assert sorted(path.suffix for path in (Path(manifest).parent / "arrow").iterdir()) == [".arrow"] * 3 + [".lock"] * 3
    assert np.array_equal(mapped.arrays()["image"][:, 0], np.arange(ROWS))


def test_a_shard_without_room_for_its_arrow_file_is_read_as_it_is(manifest, monkeypatch):
    monkeypatch.setattr("trainyard.data.arrow_file.RESERVE_BYTES", 1 << 62)
    monkeypatch.setattr("trainyard.data.rows.HELD_SHARDS", 1)
    assert sorted(ids(opened(manifest).batches(100))) == list(range(ROWS))
    assert not list((Path(manifest).parent / "arrow").glob("*.arrow"))


def test_four_then_two_then_three_ranks_see_each_row_of_an_epoch_once(manifest):
    seen: list[int] = []
    at = None
    for world_size, steps in ((4, 20), (2, 31), (3, 10_000)):
        gang = [opened(manifest, rank, world_size, at=at) for rank in range(world_size)]
        loops = [data.batches(5, epoch=0, remainder="spread") for data in gang]
        for _ in range(steps):
            batches = [next(loop, None) for loop in loops]
            if batches[0] is None:
                break
            seen += [row for batch in batches for row in ids([batch])]
            assert len({data.position for data in gang}) == 1
            at = gang[0].position
        assert at is not None
        at = Position.revive(json.loads(json.dumps(list(at))), world_size)
    assert sorted(seen) == list(range(ROWS))
    assert at == Position(0, ROWS, 7, "d@1.0.0")
    alone = ids(opened(manifest).batches(5, epoch=0))
    assert set(alone[: 20 * 20]) == set(seen[: 20 * 20])


def test_rows_that_do_not_go_round_are_left_out_or_spread(manifest):
    counts = {
        remainder: [
            [len(batch["id"]) for batch in opened(manifest, rank, 4).batches(50, remainder=remainder)] for rank in range(4)
        ]
        for remainder in ("drop", "spread")
    }
    assert counts["drop"] == [[50] * 5] * 4
    assert counts["spread"] == [[50] * 5 + [1]] * 3 + [[50] * 5 + [0]]


def test_going_on_with_another_seed_or_version_in_mid_epoch_is_refused(manifest):
    with pytest.raises(DatasetError, match="drawn with seed 8, and this is seed 7"):
        next(opened(manifest, at=Position(0, 10, 8, "d@1.0.0")).batches(2))
    with pytest.raises(DatasetError, match=r"of epoch 0 of d@0.9.0: split 'train' is now of d@1.0.0"):
        opened(manifest, at=Position(0, 10, 7, "d@0.9.0"))
    assert ids(opened(manifest, at=Position(1, 0, 8, "d@0.9.0")).batches(2)) == ids(opened(manifest).batches(2, epoch=1))


def test_a_position_of_an_older_checkpoint_counts_the_rows_of_one_rank():
    assert Position.revive([2, 30], 4) == Position(2, 120, -1, "")


def test_a_damaged_shard_is_an_error_in_the_loop_that_names_file_and_rows(manifest):
    path = Path(manifest).with_name("shard-2.parquet")
    whole = bytearray(path.read_bytes())
    metadata = pyarrow.parquet.ParquetFile(path).metadata
    column = metadata.row_group(2).column(2)
    at = column.dictionary_page_offset or column.data_page_offset
    whole[at : at + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(whole)
    for mapped in (True, False):
        with pytest.raises(DatasetError, match=r"shard-2\.parquet: rows 300 to 449 cannot be read"):
            ids(opened(manifest, mapped=mapped).batches(100, prefetch=2))


def test_a_value_that_cannot_be_decoded_names_file_row_and_column(manifest):
    def decode(text: str) -> float:
        return float(text.removeprefix("row ")) if text != "row 402" else float(text)

    loop = opened(manifest).batches(100, shuffle=False, decode={"text": decode})
    good = [next(loop)["text"] for _ in range(4)]
    assert good[3].tolist() == list(range(300, 400))
    with pytest.raises(DatasetError, match=r"shard-2\.parquet: row 1: column 'text' cannot be decoded: ValueError: could not"):
        next(loop)


def test_a_transform_draws_the_same_after_a_resume(manifest):
    def noise(batch, generator):
        return {"id": batch["id"], "x": generator.random(len(batch["id"]))}

    whole = [batch["x"].tolist() for batch in opened(manifest).batches(100, transform=noise)]
    resumed = opened(manifest, at=Position(0, 400, 7, "d@1.0.0"))
    assert [batch["x"].tolist() for batch in resumed.batches(100, transform=noise)] == whole[4:]

    with pytest.raises(DatasetError, match=r"begins with row 0 of .*shard-0\.parquet: ZeroDivisionError"):
        next(opened(manifest).batches(10, shuffle=False, transform=lambda batch, _: 1 / 0))


def test_the_prefetching_thread_stays_so_far_ahead_and_ends_with_the_loop():
    made = []

    def source():
        for number in range(1000):
            made.append(number)
            yield number

    ahead = Prefetched(source(), 3)
    assert not made, "nothing is made before it is asked for"
    assert next(ahead) == 0
    deadline = threading.Event()
    while len(made) < 5 and not deadline.wait(0.01):
        pass
    assert not deadline.wait(0.05)
    assert len(made) == 5, "one taken, three ready, one waiting for room"
    ahead.close()
    assert ahead._thread is not None
    assert not ahead._thread.is_alive()
    assert list(ahead) == []


def test_leaving_the_loop_ends_the_thread_and_the_position_is_of_what_was_taken(manifest):
    data = opened(manifest)
    for count, _ in enumerate(data.batches(10, prefetch=4)):
        if count == 2:
            break
    assert data.state_dict() == {"epoch": 0, "global_offset": 30, "seed": 7, "dataset_version": "d@1.0.0"}
    assert not [thread for thread in threading.enumerate() if thread.name == "trainyard-prefetch"]


def test_tensors_lie_over_the_gathered_arrays_and_a_loader_goes_on_where_another_stood(manifest):
    import torch

    first = opened(manifest).loader(100, columns=["id", "image", "text"])
    assert len(first) == 11
    batches = iter(first)
    taken = [next(batches) for _ in range(3)]
    assert taken[0]["image"].dtype == torch.float32
    assert taken[0]["image"].shape == (100, 6)
    assert taken[0]["text"].dtype == object
    second = opened(manifest).loader(100, columns=["id"])
    second.load_state_dict(first.state_dict())
    assert (second.epoch, ids(second)) == (0, ids(batches))
    assert second.epoch == first.epoch == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_a_torch_data_loader_gives_the_same_batches_and_an_exact_position(manifest, workers):
    from torch.utils.data import DataLoader

    data = opened(manifest, 1, 2)
    loader = data.torch_loader(50, loader={"num_workers": workers}, columns=["id"])
    assert isinstance(loader, DataLoader)
    taken = [batch for _, batch in zip(range(4), loader, strict=False)]
    assert data.position.offset == 400
    resumed = opened(manifest, 1, 2)
    rest = resumed.torch_loader(50, columns=["id"])
    rest.load_state_dict(loader.state_dict())
    assert ids(taken) + ids(rest) == ids(opened(manifest, 1, 2).batches(50))
    assert resumed.position == Position(1, 0, 7, "d@1.0.0")


def test_an_empty_shard_is_no_harm(tmp_path):
    for index, count in enumerate([0, 3, 0]):
        pyarrow.parquet.write_table(pyarrow.table({"id": np.arange(count)}), tmp_path / f"{index}.parquet")
    split = Split("train", [Shard(str(tmp_path / f"{index}.parquet"), "", None) for index in range(3)], None, "")
    for limit in (0, 1 << 30):
        data = Dataset(split, 0, 1, 7)
        data._rows = Rows(split, str(tmp_path / "arrow"), limit)
        assert sorted(ids(data.batches(2))) == [0, 1, 2]
