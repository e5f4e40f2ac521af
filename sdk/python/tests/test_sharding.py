"""Sharded checkpoints: what their metadata may name, which comes from whoever wrote them, and how they are streamed."""

import hashlib
import io
import os
import pickle
import threading

import pytest

from trainyard.checkpoint import CheckpointError
from trainyard.sharding import _Unpickler


class Calls:
    """Unpickled as the call of a function."""

    def __init__(self, function, *arguments):
        self._call = function, arguments

    def __reduce__(self):
        return self._call


def load(value):
    return _Unpickler(io.BytesIO(pickle.dumps(value))).load()


@pytest.mark.parametrize("value", [Calls(os.system, "true"), Calls(getattr, io.BytesIO, "close"), Calls(eval, "1")])
def test_loading_it_calls_nothing(value):
    with pytest.raises(CheckpointError, match="which it never does"):
        load(value)


def test_it_has_tensors_properties_however_this_python_writes_them():
    from torch.distributed.checkpoint.metadata import _MEM_FORMAT_ENCODING, TensorProperties

    member = _MEM_FORMAT_ENCODING.TORCH_CONTIGUOUS_FORMAT
    assert load(Calls(getattr, _MEM_FORMAT_ENCODING, member.name)) is member
    assert load(TensorProperties()) == TensorProperties()
    with pytest.raises(CheckpointError, match="which it never does"):
        load(Calls(getattr, _MEM_FORMAT_ENCODING, "mro"))


@pytest.fixture
def sharded_state():
    """What one rank holds of a model that is sharded, after a step."""
    import torch
    import torch.distributed as dist
    from torch.distributed.fsdp import fully_shard

    from trainyard.sharding import state_of
    from trainyard.snapshot import snapshot

    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        model = torch.nn.Sequential(torch.nn.Linear(300, 200), torch.nn.Linear(200, 2))
        fully_shard(model)
        optimizer = torch.optim.Adam(model.parameters())
        model(torch.ones(4, 300)).sum().backward()
        optimizer.step()
        yield snapshot(state_of(model, optimizer), "sharded")
    finally:
        dist.destroy_process_group()


def test_it_is_streamed_as_the_same_files_that_it_is_written_as(sharded_state, tmp_path):
    from trainyard.saving import bytes_of
    from trainyard.sharding import write
    from trainyard.streaming import Stream

    on_disk = tmp_path / "on-disk"
    write(sharded_state, str(on_disk))
    stream = Stream(str(tmp_path / "streamed"), {"sharded": sharded_state}, {"step": 3})
    described = {file["path"]: file for file in stream.describe()}
    assert sorted(described) == ["rank.json", "sharded/.metadata", "sharded/__0_0.distcp"]
    assert described["sharded/__0_0.distcp"]["sizeBytes"] > bytes_of(sharded_state) > 3 * 300 * 200 * 4
    server = threading.Thread(target=stream.serve)
    server.start()
    # A reader that dies on the way, then one that reads all.
    with open(tmp_path / "streamed" / "sharded" / "__0_0.distcp", "rb") as pipe:
        pipe.read(100_000)
    for path, file in sorted(described.items()):
        with open(tmp_path / "streamed" / path, "rb") as pipe:
            data = pipe.read(file["sizeBytes"])  # waits for all of them, or for the end
        assert hashlib.sha256(data).hexdigest() == file["digest"]
        if path == "sharded/__0_0.distcp":
            assert data == (on_disk / "__0_0.distcp").read_bytes()
        elif path == "sharded/.metadata":
            told, written = (_Unpickler(io.BytesIO(each)).load() for each in (data, (on_disk / ".metadata").read_bytes()))
            assert told.storage_data == written.storage_data
            assert told.state_dict_metadata == written.state_dict_metadata
    (tmp_path / "streamed").rename(tmp_path / "gone")
    server.join(30)
    assert not server.is_alive()
