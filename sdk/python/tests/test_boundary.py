"""The boundary file and the choice of a step: what survivors decide on, without any process dying."""

import math
import random
import struct

import pytest

from trainyard.boundary import OPEN, PRE, WHOLE, kinds_of, newest_of, random_of, read_boundary
from trainyard.exact_json import from_json, to_json
from trainyard.runtime.choice import Choice, Fallback, RankView, choose


@pytest.fixture
def capturer(tmp_path):
    torch = pytest.importorskip("torch")
    from trainyard.capture import Capturer

    module = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2))
    state = {"n": 0}
    facts = {"rank": 0, "worldSize": 2, "hasState": True}
    one = Capturer(str(tmp_path / "boundary.bin"), facts, module, state, lambda: {"train": (1, 5)}, lambda: 77)
    one.module, one.state, one.path = module, state, str(tmp_path / "boundary.bin")
    return one


def test_a_capture_is_read_as_it_was_taken(capturer):
    import numpy
    import torch

    random.seed(4)
    random.gauss(0, 1)
    numpy.random.seed(4)
    numpy.random.normal()
    torch.manual_seed(4)
    capturer.module[0].running_mean.fill_(2.5)
    capturer.capture(WHOLE, 3, 30, True)
    expected = [random.gauss(0, 1), float(numpy.random.normal()), torch.rand(2).tolist()]
    capturer.module[0].running_mean.fill_(9)
    facts, (capture,) = read_boundary(capturer.path)
    assert (capture.ordinal, capture.kind, capture.step, capture.told, capture.offset) == (3, WHOLE, 30, True, 77)
    assert capture.extra == {"positions": {"train": [1, 5]}, "state": {"n": 0}}

    from trainyard import random_state
    from trainyard.buffers import put_back

    random_state.restore(random_of(capture))
    assert [random.gauss(0, 1), float(numpy.random.normal()), torch.rand(2).tolist()] == expected
    put_back(capturer.module, facts["buffers"], capture.buffers)
    assert capturer.module[0].running_mean.tolist() == [2.5] * 3


def test_numpy_is_captured_when_only_its_number_drawn_ahead_is_taken(capturer):
    import numpy

    numpy.random.normal()  # draws two and keeps one
    capturer.capture(WHOLE, 1, 1, False)
    numpy.random.normal()  # takes the other: the generator itself does not move
    capturer.capture(WHOLE, 2, 2, False)
    expected = numpy.random.normal()
    _, captures = read_boundary(capturer.path)
    from trainyard import random_state

    random_state.restore(random_of(newest_of(captures, 2)))
    assert numpy.random.normal() == expected


def test_pythons_generator_is_read_from_memory_and_seen_to_move():
    from trainyard.generators import PythonGenerator

    generator = PythonGenerator()
    assert generator._memory is not None
    random.seed(11)
    seen = [generator.state()]
    for move in (random.random, lambda: random.gauss(0, 1), lambda: random.gauss(0, 1), lambda: random.seed(12)):
        assert generator.state() is seen[-1]  # nobody drew
        move()
        seen.append(generator.state())
    # The second number of a pair was drawn ahead: only that it is gone tells the two states apart.
    assert len(set(seen)) == len(seen)
    generator._memory = None  # as under another Python
    assert generator.state() == seen[-1]


def test_torchs_generator_is_read_from_memory_and_seen_to_move():
    torch = pytest.importorskip("torch")
    from trainyard.generators import TorchGenerator
    from trainyard.torch_engine import state_of

    with torch.device("meta"):  # a script's own default, where generators of the CPU draw nothing
        generator = TorchGenerator(torch)
    assert generator._memory is not None
    torch.manual_seed(11)
    before = torch.get_rng_state()
    seen = [generator.state()]
    moves = (
        lambda: torch.rand(1),
        lambda: torch.randn(1),  # draws a pair
        lambda: torch.randn(1),  # takes its second, which moves no word
        lambda: torch.randn(1, dtype=torch.float64),
        lambda: torch.randperm(5000),  # more than all words
        lambda: torch.nn.functional.dropout(torch.ones(3)),
        lambda: torch.manual_seed(-12),
        lambda: torch.set_rng_state(before),
    )
    for move in moves:
        assert generator.state() is seen[-1]  # nobody drew
        move()
        seen.append(generator.state())
        assert state_of(seen[-1]) == torch.get_rng_state().numpy().tobytes()
    assert len(set(map(state_of, seen))) == len(seen) - 1  # the last is the first again
    generator._memory = None  # as under another torch
    assert generator.state() == before.numpy().tobytes()


def test_numpys_generator_is_seen_to_be_another_one():
    numpy = pytest.importorskip("numpy")
    from trainyard.generators import NumpyGenerator

    generator = NumpyGenerator()
    numpy.random.seed(5)
    first = generator.state()
    own = numpy.random.get_bit_generator()
    try:
        numpy.random.set_bit_generator(numpy.random.MT19937(6))
        assert len(generator.state()) == len(first) > 0
        assert generator.state() != first
        numpy.random.set_bit_generator(numpy.random.PCG64(6))  # of a kind that no checkpoint holds
        assert generator.state() == b""
    finally:
        numpy.random.set_bit_generator(own)
    assert generator.state() == first


def test_a_step_goes_on_in_the_slot_it_began_in_while_nothing_else_moves(tmp_path):
    torch = pytest.importorskip("torch")
    from trainyard.capture import Capturer

    offsets = iter(range(100, 200))
    facts = {"rank": 0, "worldSize": 2, "hasState": False}
    path = str(tmp_path / "boundary.bin")
    one = Capturer(path, facts, torch.nn.Linear(2, 2), None, lambda: {}, lambda: next(offsets))
    one.capture(PRE, 1, 1, False)
    one.capture(OPEN, 1, 1, False)
    one.capture(OPEN, 1, 10, True)
    _, captures = read_boundary(path)
    assert [each[:5] for each in captures] == [(1, OPEN, 10, True, 102)]
    drawn = torch.rand(3).tolist()
    one.capture(OPEN, 1, 10, True)  # the generator has moved: a capture of its own
    _, captures = read_boundary(path)
    assert [each[:5] for each in captures] == [(1, OPEN, 10, True, 103), (1, OPEN, 10, True, 102)]
    one.capture(WHOLE, 1, 10, True)
    one.capture(PRE, 2, 11, False)  # another step: never in the place of the newest whole one
    from trainyard import random_state

    _, captures = read_boundary(path)
    assert kinds_of(captures) == {2: PRE, 1: WHOLE}
    random_state.restore(random_of(captures[-1]))
    assert torch.rand(3).tolist() == drawn


def test_the_newest_whole_step_is_there_while_the_next_one_is_written(capturer):
    for ordinal in range(1, 6):
        for kind in (PRE, OPEN, OPEN, WHOLE, WHOLE):
            capturer.capture(kind, ordinal, ordinal, False)
            _, captures = read_boundary(capturer.path)
            assert captures[0][:2] == (ordinal, kind)
            # Killed in the next capture, whatever slot that goes to: what is newest, and the step before, stay.
            capturer._file.begin(ordinal)
            _, left = read_boundary(capturer.path)
            assert left[0] == captures[0]
            if ordinal > 1:
                assert kinds_of(left)[ordinal - 1] == WHOLE


def test_of_two_captures_of_one_boundary_the_later_one_stays(capturer):
    import torch

    for ordinal in range(1, 7):  # whatever slots they go to
        torch.rand(1)
        capturer.capture(WHOLE, ordinal, ordinal, False)
        torch.rand(1)
        capturer.capture(WHOLE, ordinal, ordinal, False)
        later = newest_of(read_boundary(capturer.path)[1], ordinal).torch
        for kind in (PRE, OPEN, OPEN):
            torch.rand(1)
            capturer.capture(kind, ordinal + 1, ordinal + 1, False)
            assert newest_of(read_boundary(capturer.path)[1], ordinal).torch == later


def test_a_capture_that_was_cut_short_counts_as_none(capturer, tmp_path):
    capturer.capture(WHOLE, 1, 1, False)
    at = capturer._file.place(0, 0)
    assert at > 0
    capturer._file.begin(2)
    assert [capture.ordinal for capture in read_boundary(capturer.path)[1]] == [1]
    (tmp_path / "other").write_bytes(struct.pack("<8sI", b"TYBOUND0", 4) + b"null")
    with pytest.raises(ValueError, match="is no boundary file"):
        read_boundary(str(tmp_path / "other"))


def test_the_scripts_own_state_may_grow_up_to_a_limit(capturer):
    from trainyard.capture import TooLargeError

    capturer.state["text"] = "x" * 100_000
    capturer.capture(WHOLE, 1, 1, False)
    assert read_boundary(capturer.path)[1][0].extra["state"] == capturer.state
    capturer.state["text"] = "x" * 2_000_000
    with pytest.raises(TooLargeError, match="at most 1048576"):
        capturer.capture(WHOLE, 2, 2, False)
    capturer.state["text"] = object()
    with pytest.raises(TypeError, match=r"state\['text'\] is a object"):
        capturer.capture(WHOLE, 2, 2, False)


def test_a_state_goes_through_json_exactly():
    torch = pytest.importorskip("torch")
    import numpy

    value = {
        "plain": [1, 2.5, None, True, "ü", math.inf, -0.0],
        3: {"tuple": (1, (2,)), "set": {4}, "bytes": b"\x00\xff", "complex": 1 + 2j},
        "$odd": {"$tuple": "not one"},
        "tensor": torch.arange(6, dtype=torch.bfloat16).reshape(2, 3),
        "empty": torch.empty(0, 3),
        "array": numpy.linspace(0, 1, 5),
    }
    again = from_json(to_json(value, "state"))
    for key in ("tensor", "empty", "array"):
        assert (again[key].dtype, tuple(again[key].shape)) == (value[key].dtype, tuple(value[key].shape))
        assert again.pop(key).tolist() == value.pop(key).tolist()
    assert again == value


def left(rank: int, kinds: dict[int, int], has_state: bool = False) -> RankView:
    return RankView(rank, kinds, has_state=has_state, steps={ordinal: (100 + ordinal, False) for ordinal in kinds})


def survivor(rank: int, ordinal: int, kinds: dict[int, int], can_save: bool = True, has_state: bool = False) -> RankView:
    word = ("", "") if can_save else ("STEP_INCOMPLETE", "It was there.")
    return left(rank, kinds, has_state)._replace(
        survivor=True, ordinal=ordinal, can_save=can_save, reason=word[0], message=word[1]
    )


@pytest.mark.parametrize(
    ("what", "views", "expected"),
    [
        ("all at one boundary", [survivor(0, 5, {5: WHOLE}), left(1, {5: WHOLE})], (5, 105, (0,))),
        (
            "every survivor is asked in turn",
            [survivor(0, 5, {5: WHOLE}), survivor(1, 5, {5: WHOLE}), left(2, {5: WHOLE})],
            (5, 105, (0, 1)),
        ),
        ("the dead rank was in its step", [survivor(0, 5, {5: WHOLE}), left(1, {4: WHOLE, 5: PRE})], (5, 105, (0,))),
        ("the dead rank had stepped", [survivor(0, 5, {5: WHOLE}), left(1, {4: WHOLE, 5: OPEN})], (5, 105, (0,))),
        (
            "the dead rank was in its step and its state is not known",
            [survivor(0, 5, {5: WHOLE}), left(1, {4: WHOLE, 5: PRE}, has_state=True)],
            "RECORD_MISSING",
        ),
        (
            "a survivor is one step behind, where everybody was whole",
            [survivor(0, 5, {4: WHOLE, 5: WHOLE}), survivor(1, 4, {4: WHOLE}), left(2, {4: WHOLE, 5: PRE})],
            (4, 104, (1,)),
        ),
        (
            "a survivor is one step behind and cannot save",
            [survivor(0, 5, {4: WHOLE, 5: WHOLE}), survivor(1, 4, {4: WHOLE}, can_save=False), left(2, {5: WHOLE})],
            "RECORD_MISSING",
        ),
        ("nobody is left", [left(0, {5: WHOLE}), left(1, {5: WHOLE})], "NO_SURVIVOR"),
        (
            "the survivor is in its step",
            [survivor(0, 5, {5: WHOLE}, can_save=False), left(1, {5: WHOLE})],
            "STEP_INCOMPLETE",
        ),
        ("nothing was done yet", [survivor(0, 0, {0: WHOLE}), left(1, {0: WHOLE})], "NOTHING_NEW"),
        ("a record is gone", [survivor(0, 5, {5: WHOLE}), left(1, {})], "RECORD_MISSING"),
    ],
)  # fmt: skip
def test_the_newest_step_that_can_be_saved_exactly_is_chosen(what, views, expected):
    chosen = choose(views)
    if isinstance(expected, str):
        assert isinstance(chosen, Fallback), what
        assert chosen.reason == expected, what
    else:
        assert chosen == Choice(*expected), what
