"""When checkpoints are due: by steps, time and the best value, and that all ranks agree on the step."""

import pytest

from trainyard.cadence import Cadence, FileBoard, Policy, StoreBoard, board_for


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def policy(steps=0, seconds=0.0, best=None) -> Policy:
    return Policy(steps, seconds, best)


def test_one_rank_checkpoints_by_steps_time_and_the_best_value_whichever_comes_first():
    clock = Clock()
    one = Cadence(policy(100, 60, ("loss", False)), 0, None, clock).for_one_rank()
    due = []
    for step in range(1, 301):
        clock.now += 1
        if step == 30:
            one.logged({"loss": 0.5})
        if step == 40:
            one.logged({"loss": 0.6})
        if one.due(step):
            due.append(step)
            one.taken()
    assert due == [30, 90, 100, 160, 200, 260, 300]


@pytest.mark.parametrize(
    ("larger", "values", "due"), [(True, [1, 2, 2, 3], [0, 1, 3]), (False, [3, float("nan"), 2, 5], [0, 2])]
)
def test_the_best_value_is_the_smallest_or_the_largest_and_never_nan(larger, values, due):
    one = Cadence(policy(best=("score", larger)), 0, None, Clock()).for_one_rank()
    found = []
    for step, value in enumerate(values):
        one.logged({"score": value, "other": step})
        if one.due(step):
            found.append(step)
            one.taken()
    assert found == due


def test_a_metric_that_improves_at_each_step_costs_no_more_than_its_share():
    clock = Clock()
    one = Cadence(policy(best=("loss", False)), 0, None, clock).for_one_rank()
    taken = 0
    for step in range(1000):
        clock.now += 0.1
        one.logged({"loss": -step})
        if one.due(step):
            one.taken()
            one.wrote(0.5)
            taken += 1
    assert taken <= 11  # 0.5 s each, in 100 s, at most a twentieth of it


def gang(board_of, ranks=3, clock=None, **how):
    clock = clock or Clock()
    return [Cadence(policy(**how), rank, board_of(rank), clock) for rank in range(ranks)], clock


def store_boards():
    from torch.distributed import HashStore

    store = HashStore()
    return lambda _: StoreBoard(store)


@pytest.mark.parametrize("kind", ["file", "store"])
def test_ranks_agree_on_the_step_although_rank_0_alone_looks_at_the_clock(tmp_path, kind):
    board_of = (lambda _: FileBoard(str(tmp_path))) if kind == "file" else store_boards()
    ranks, clock = gang(board_of, seconds=10)
    due = [[], [], []]
    for step in range(1, 60):
        clock.now += 1
        # Whoever is ahead is so by less than a step: nobody ends step n + 1 before rank 0 has begun it.
        order = [0, 2, 1] if step % 3 else [0, 1, 2]
        for rank in order:
            if ranks[rank].due(step):
                due[rank].append(step)
                ranks[rank].taken()
    assert due[0] == due[1] == due[2]
    assert 3 <= len(due[0]) <= 6


def test_ranks_that_run_ahead_of_rank_0_are_waited_for_further_and_further(tmp_path):
    ranks, clock = gang(lambda _: FileBoard(str(tmp_path)), ranks=2, seconds=30)
    due = [[], []]
    for step in range(1, 400):
        clock.now += 1
        for rank, at in ((0, step), (1, step + 9)):
            if ranks[rank].due(at):
                due[rank].append(at)
                ranks[rank].taken()
    both = sorted(set(due[0]) & set(due[1]))
    assert len(both) >= 5
    # The first announcements came too late; after them every step is agreed on.
    assert due[0][-5:] == due[1][-5:]


def test_without_a_way_to_agree_only_steps_count(tmp_path):
    one = Cadence(policy(10, 1), 1, None, Clock())
    assert [step for step in range(1, 31) if one.due(step)] == [10, 20, 30]
    assert board_for(str(tmp_path), 1, 2) is None
    assert isinstance(board_for(str(tmp_path), 2, 2), FileBoard)
