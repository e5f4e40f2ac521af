"""What the metadata of a sharded checkpoint may name, which comes from whoever wrote the checkpoint."""

import io
import os
import pickle

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
