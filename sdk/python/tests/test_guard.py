"""What a rank leaves of each step in a loop that has its batches from elsewhere, whatever it does between its calls."""

import os

import pytest

from trainyard.boundary import FILE, PRE, WHOLE, kinds_of, newest_of, random_of, read_boundary
from trainyard.torch_engine import state_of

torch = pytest.importorskip("torch")


class Loop:
    """A training loop of one rank, and what somebody finds who reads what it has left so far."""

    def __init__(self, folder):
        from trainyard.guard import Guard

        torch.manual_seed(3)
        self.recorded = 0
        self.model = torch.nn.Linear(3, 2)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        facts = {"rank": 0, "worldSize": 2, "hasState": False}
        parts = {"model": self.model, "optimizer": self.optimizer}
        self._path = os.path.join(folder, FILE)
        self.guard = Guard(str(folder), facts, parts, None, dict, lambda: self.recorded, 0)

    def compute(self):
        self.optimizer.zero_grad()
        self.model(torch.randn(4, 3)).sum().backward()

    def log(self):
        self.recorded += 10
        self.guard.told(None)

    def step(self, calls):
        self.compute()
        self.optimizer.step()
        for _ in range(calls):
            self.log()

    def left(self):
        return read_boundary(self._path)[1]


@pytest.fixture
def loop(tmp_path):
    return Loop(tmp_path)


def test_a_rank_that_dies_before_its_optimizers_step_has_left_what_its_passes_moved(loop):
    loop.step(calls=1)
    loop.compute()
    state = torch.get_rng_state()
    kinds = kinds_of(loop.left())
    assert (kinds[1], kinds[2]) == (WHOLE, PRE)
    loop.log()  # before the optimizer's step: the record is of this step
    capture = newest_of(loop.left(), 2)
    assert (capture.kind, capture.offset) == (PRE, 20)
    from trainyard import random_state

    torch.rand(5)
    random_state.restore(random_of(capture))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_boundary_is_after_the_last_call_of_a_step_however_many_there_were_before(loop):
    for calls in (2, 2, 3, 2, 1, 2):
        loop.compute()
        loop.optimizer.step()
        for _ in range(calls):
            torch.rand(1)
            loop.log()
        state = torch.get_rng_state()
        loop.model(torch.randn(4, 3))  # closes the step
        capture = newest_of(loop.left(), loop.guard.ordinal)
        assert (capture.kind, capture.offset) == (WHOLE, loop.recorded)
        assert state_of(capture.torch) == state.numpy().tobytes()


def test_numbers_drawn_after_the_gradients_are_seen_though_they_come_late(loop):
    for _ in range(15):
        loop.step(calls=0)
    for _ in range(17):  # one of sixteen steps is looked at
        loop.compute()
        torch.rand(1)
        state = torch.get_rng_state()
        loop.optimizer.step()
    assert state_of(newest_of(loop.left(), loop.guard.ordinal).torch) == state.numpy().tobytes()
    loop.compute()
    assert loop.guard.ordinal + 1 not in kinds_of(loop.left())
