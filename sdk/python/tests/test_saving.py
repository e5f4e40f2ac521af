"""What a checkpoint costs the loop and the store: memory that is used again, files that do not change, bytes in a pipe."""

import hashlib
import json
import os
import threading
import time

import pytest
from conftest import PATIENCE

from trainyard.environment import Environment
from trainyard.run import Run
from trainyard.snapshot import snapshot


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def test_a_snapshot_shares_no_memory_with_the_state_and_the_next_one_uses_its_memory_again(torch):
    from trainyard.host_memory import HostMemory

    memory = HostMemory()
    wide = torch.ones(4, 6).t()
    state = {"a": torch.arange(6.0), "deep": [wide, torch.zeros(3, 3)[:, 0]], "empty": torch.empty(0), "n": 3}
    places = []
    for value in (1.0, 2.0):
        state["a"].fill_(value)
        memory.begin()
        taken = snapshot(state, "state", memory=memory)
        memory.end()
        state["a"].fill_(9)
        assert taken["a"].tolist() == [value] * 6
        assert taken["deep"][0].stride() == wide.stride()
        assert taken["deep"][1].untyped_storage().nbytes() == 12  # its own bytes, not those of what it is a part of
        places.append([taken["a"].data_ptr(), taken["deep"][0].data_ptr(), taken["deep"][1].data_ptr()])
    assert places[0] == places[1]
    assert state["a"].data_ptr() not in places[0]
    state["a"] = torch.zeros(7)
    memory.begin()
    assert snapshot(state, "state", memory=memory)["a"].shape == (7,)


def test_weights_that_are_tied_are_stored_once(torch, tmp_path):
    from trainyard.host_memory import HostMemory

    net = torch.nn.ModuleList([torch.nn.Linear(300, 300, bias=False), torch.nn.Linear(300, 300, bias=False)])
    net[1].weight = net[0].weight
    memory = HostMemory()
    memory.begin()
    taken = snapshot(net.state_dict(), "model", memory=memory)
    torch.save(taken, tmp_path / "model.pt")
    assert (tmp_path / "model.pt").stat().st_size < 300 * 300 * 4 * 1.5


def files_of(folder) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sorted(os.listdir(folder))}


def platform_run(tmp_path, **more) -> Run:
    env = {"TRAINYARD_RANK_DIR": str(tmp_path / "rank-0"), "TRAINYARD_ATTEMPT_DIR": str(tmp_path), **more}
    return Run(Environment.read(env))


def test_a_file_of_what_did_not_change_has_the_same_digest_in_the_next_checkpoint(torch, tmp_path):
    frozen, head = torch.nn.Linear(50, 50), torch.nn.Linear(50, 2)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9)
    run = platform_run(tmp_path)
    for step in (1, 2):
        head(frozen(torch.ones(50)).detach()).sum().backward()
        optimizer.step()
        run.checkpoint(step, model=frozen, optimizer=optimizer)
    run.finish()
    first, second = (files_of(tmp_path / "ckpt" / str(step) / "rank-0") for step in (1, 2))
    assert first["model.pt"] == second["model.pt"]
    assert first["optimizer.pt"] != second["optimizer.pt"]


def test_a_streamed_checkpoint_is_given_to_whoever_reads_and_leaves_nothing_on_the_disk(torch, tmp_path):
    net = torch.nn.Linear(1000, 1000)
    run = platform_run(tmp_path, TRAINYARD_CHECKPOINT_STREAM="1")
    run.checkpoint(4, model=net, state={"seen": 4})
    before = net.weight.detach().clone()
    with torch.no_grad():
        net.weight.zero_()  # the loop goes on
    folder = tmp_path / "ckpt" / "4" / "rank-0"
    record = wait_for_record(tmp_path)
    assert record["stream"] is True
    sizes = {file["path"]: file["sizeBytes"] for file in record["files"]}
    assert sorted(sizes) == ["model.pt", "rank.json", "state.pt"]
    assert not any(os.path.isfile(folder / name) for name in sizes)

    # A reader that dies on the way, then one that reads all, in another order than the files have.
    with open(folder / "model.pt", "rb") as pipe:
        pipe.read(70_000)
    got = {}
    for file in reversed(record["files"]):
        with open(folder / file["path"], "rb") as pipe:
            got[file["path"]] = read_exactly(pipe, file["sizeBytes"])
        assert hashlib.sha256(got[file["path"]]).hexdigest() == file["digest"]
    (tmp_path / "model.pt").write_bytes(got["model.pt"])
    assert torch.equal(torch.load(tmp_path / "model.pt", weights_only=True)["weight"], before)
    facts = json.loads(got["rank.json"])
    assert facts["step"] == 4
    assert {file["path"]: file["sizeBytes"] for file in facts["files"]} == {k: v for k, v in sizes.items() if k != "rank.json"}
    assert any(thread.name == "trainyard-checkpoint" for thread in threading.enumerate())
    for name in sizes:
        os.unlink(folder / name)
    os.rmdir(folder)
    run.finish()


def test_a_checkpoint_that_the_disk_has_no_room_for_is_streamed(torch, tmp_path, monkeypatch):
    run = platform_run(tmp_path)
    found = os.statvfs(tmp_path)
    short = os.statvfs_result((*found[:4], 10, *found[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _: short)
    run.checkpoint(1, model=torch.nn.Linear(1000, 1000))
    assert wait_for_record(tmp_path)["stream"] is True
    for name in os.listdir(tmp_path / "ckpt" / "1" / "rank-0"):
        os.unlink(tmp_path / "ckpt" / "1" / "rank-0" / name)
    os.rmdir(tmp_path / "ckpt" / "1" / "rank-0")
    run.finish()


def read_exactly(pipe, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = pipe.read(size - len(data))
        assert chunk, "the pipe ended too early"
        data += chunk
    return data


def wait_for_record(tmp_path) -> dict:
    from trainyard.records import Entry, read_records

    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = [
            record.value
            for record in read_records((tmp_path / "rank-0" / "records.bin").read_bytes())
            if isinstance(record, Entry)
        ]
        told = [value for value in found if value["kind"] == "checkpoint"]
        if told:
            return told[0]
        time.sleep(0.01)
    raise AssertionError("no checkpoint was told")
