"""Gangs on several nodes lose ranks: their shims agree on a step, and what is saved ends in the bits of an unbroken run.

Each node is an attempt directory with a shim of its own; a thread here does what the agents do, which carry the shims' words.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import Attempt, Attempts, Spread, wait_for
from test_just_in_time import SCRIPT, checkpoints, dataset, objects  # noqa: F401 (dataset is a fixture)

from trainyard.boundary import OPEN, PRE, WHOLE
from trainyard.runtime.choice import Fallback, RankView, choose
from trainyard.runtime.exchange import OTHERS, WORD, Exchange, view_from_json, view_to_json
from trainyard.runtime.files import write_json

#: Rank 0, which has the store, is alone on its node.
NODES = ((0,), (1, 2))


def as_protobuf(value: Any, key: str = "") -> Any:
    """Return JSON as an agent's protobuf library writes it: 64 bits are text, and what is zero, false or empty is left out."""
    if isinstance(value, dict):
        told = {name: as_protobuf(each, name) for name, each in value.items()}
        return {name: each for name, each in told.items() if each not in (0, "0", "", False, [])}
    if isinstance(value, list):
        return [as_protobuf(each) for each in value]
    return str(value) if key in ("ordinal", "step") else value


class Agents:
    """Carries where rank 0 listens and the words of the shims between the nodes, until it is closed."""

    def __init__(self, places: list[Path]):
        self._places = places
        self._numbers = [0] * len(places)
        #: Nodes whose agents do nothing.
        self.away: set[int] = set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(0.01):
            first, *others = self._places
            if (first / "rendezvous.json").exists():
                address = json.loads((first / "rendezvous.json").read_text())
                for place in others:
                    if not (place / "rendezvous.json").exists():
                        write_json(str(place / "rendezvous.json"), address)
            here = [node for node in range(len(self._places)) if node not in self.away]
            words = {node: json.loads(text) for node in here if (text := self._word(node))}
            for node in words:
                self._numbers[node] += 1
            for node in here:
                told = {
                    str(other): {"number": self._numbers[other], "word": as_protobuf(word)}
                    for other, word in words.items()
                    if other != node
                }
                if told:
                    write_json(str(self._places[node] / OTHERS), {"nodes": told})

    def _word(self, node: int) -> str:
        with contextlib.suppress(FileNotFoundError):
            return (self._places[node] / WORD).read_text()
        return ""


class SpreadGang:
    """A gang on several nodes."""

    def __init__(self, nodes: list[Attempt]):
        self.nodes = nodes
        self.agents = Agents([node.directory for node in nodes])

    def node_of(self, rank: int) -> Attempt:
        return next(node for node, ranks in zip(self.nodes, NODES, strict=True) if rank in ranks)

    def wait_done(self) -> None:
        try:
            for node in self.nodes:
                node.wait_done(120)
        finally:
            self.agents.close()

    def told(self) -> list[dict]:
        """Return what became of its state, as its nodes tell it."""
        return [told for rank in range(3) for told in objects(self.node_of(rank), rank, "handover")]

    def parts(self) -> list[dict]:
        return [part for rank in range(3) for part in checkpoints(self.node_of(rank), rank)]

    def resume_folder(self) -> Path:
        """Put the parts together as the agents of the next attempt would."""
        place = self.nodes[0].directory / "resume"
        for rank in range(3):
            (part,) = checkpoints(self.node_of(rank), rank)
            assert part["worldSize"] == 3
            shutil.copytree(self.node_of(rank).directory / part["dir"], place / f"rank-{rank}")
        return place


class Gangs:
    def __init__(self, attempts: Attempts, launcher: Any, manifest: str):
        self._attempts, self._launcher = attempts, launcher
        self._env = {"TRAINYARD_DATASET_MANIFEST": manifest, "TRAINYARD_SEED": "11", "KIND": "plain"}

    def _launch(self, env: dict[str, str], spread: Spread, grace_ms: int = 5000) -> Attempt:
        one = self._attempts(
            SCRIPT, ranks=len(spread.ranks), env={**self._env, **env}, torch=True, grace_ms=grace_ms, spread=spread
        )
        answer = self._launcher.launch(one)
        assert answer["start"] == "warm", answer
        return one

    def spread(self, grace_ms: int = 5000, **env: str) -> SpreadGang:
        places = [Spread(ranks, 3, node, len(NODES)) for node, ranks in enumerate(NODES)]
        return SpreadGang([self._launch(env, place, grace_ms) for place in places])

    def ends(self, resume: Path | None = None) -> list[str]:
        """Train on one node to the end, and return what each rank ends with."""
        env = {} if resume is None else {"TRAINYARD_RESUME_DIR": str(resume), "TRAINYARD_ATTEMPT": "2"}
        one = self._launch(env, Spread(range(3), 3, 0, 1))
        one.wait_done(120)
        assert [one.exit_of(rank)["code"] for rank in range(3)] == [0] * 3, one.text(0, "stderr")
        return [one.text(rank).split("digest ")[1] for rank in range(3)]


@pytest.fixture(scope="module")
def gangs(launcher, dataset, tmp_path_factory) -> Iterator[Gangs]:  # noqa: F811
    attempts = Attempts(tmp_path_factory.mktemp("spread"))
    yield Gangs(attempts, launcher, dataset)
    attempts.end()


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as pool:
        yield pool


@pytest.fixture(scope="module")
def unbroken(gangs, pool) -> Any:
    return pool.submit(gangs.ends)


# Who dies where, what else goes wrong, the step that survives, and which rank's part then has what is the same on all.
DEATHS = [
    ("0:17:step", "", 18, 1),
    ("2:17:backward", "", 17, 0),
    ("1,2:9:forward", "", 9, 0),
    ("2:9:backward", "writer-dies", 9, 1),
]


@pytest.fixture(scope="module")
def stories(gangs, pool) -> dict[tuple, Any]:
    def story(kill: str, fault: str, *_: Any) -> tuple[SpreadGang, list[str]]:
        broken = gangs.spread(KILL=kill, FAULT=fault)
        broken.wait_done()
        assert broken.parts(), broken.told()
        return broken, gangs.ends(broken.resume_folder())

    return {death: pool.submit(story, *death) for death in DEATHS}


@pytest.mark.parametrize("death", DEATHS, ids=str)
@pytest.mark.usefixtures("silent")  # it waits while the others work
def test_no_step_is_lost_and_the_bits_are_those_of_an_unbroken_run(unbroken, stories, death):
    kill, _, step, writer = death
    broken, ends = stories[death].result()
    for victim in kill.split(":")[0].split(","):
        assert broken.node_of(int(victim)).exit_of(int(victim))["signal"] == 9
    (told,) = broken.told()
    assert (told["saved"], told["step"]) == (True, step)
    assert [part["step"] for part in broken.parts()] == [step] * 3
    holders = [rank for rank, part in enumerate(broken.parts()) if "model.pt" in {file["path"] for file in part["files"]}]
    assert holders == [writer]
    assert ends == unbroken.result()


@pytest.fixture(scope="module")
def silent(gangs, pool) -> Any:
    def story() -> SpreadGang:
        broken = gangs.spread(KILL="2:9:backward")
        broken.agents.away.add(1)
        broken.wait_done()
        return broken

    return pool.submit(story)


def test_a_node_that_is_not_heard_of_has_the_others_fall_back(silent):
    broken = silent.result()
    assert [(told["saved"], told["reason"]) for told in broken.told()] == [(False, "NODE_SILENT")] * 2
    assert all(4.5 < told["seconds"] < 20 for told in broken.told())
    assert broken.parts() == []
    assert [list(node.directory.glob("ckpt/*")) for node in broken.nodes] == [[], []]


def test_a_node_that_is_stopped_while_others_wait_for_it_ends_the_waiting_of_all(gangs):
    broken = gangs.spread(grace_ms=200, KILL="2:9:backward", FAULT="save-hangs")
    first, second = broken.nodes
    wait_for("a survivor that is asked to save", lambda: (first.json("handover.json") or {}).get("writer"), 60)
    os.kill(second.json("shim.json")["pid"], signal.SIGTERM)
    broken.wait_done()
    assert [(told["saved"], told["reason"]) for told in broken.told()] == [(False, "STOPPED")] * 2
    assert broken.parts() == []


def test_a_shim_that_is_told_of_a_failure_elsewhere_has_its_ranks_end_between_two_steps(gangs):
    broken = gangs.spread(KILL="2:9:after", FAULT="busy")
    first = broken.nodes[0]
    wait_for("the death", lambda: broken.node_of(2).exit_of(2), 60)
    os.kill(first.json("shim.json")["pid"], signal.SIGURG)
    broken.wait_done()
    assert [(told["saved"], told["step"]) for told in broken.told()] == [(True, 10)]
    assert "PeerLostError" in first.text(0, "stderr")


def test_every_node_comes_to_the_decision_that_one_would():
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    outcomes = set()
    for case in range(500):
        views = [_view(rank, draw) for rank in range(4)]
        expected = choose(views)
        outcomes.add(type(expected))
        heard = [view_from_json(as_protobuf(json.loads(json.dumps(view_to_json(view))))) for view in views]
        cut = draw.randrange(1, 4)
        assert choose([*views[:cut], *heard[cut:]]) == expected, (seed, case)
        assert choose([*views[cut:], *heard[:cut]]) == expected, (seed, case)
    assert len(outcomes) == 2, "cases of both kinds are drawn"


def _view(rank: int, draw: random.Random) -> RankView:
    kinds = {ordinal: draw.choice((PRE, OPEN, WHOLE, WHOLE, WHOLE)) for ordinal in draw.choice(((4, 5), (4, 5), (5, 6)))}
    steps = {ordinal: (ordinal + 100, draw.random() < 0.5) for ordinal in kinds}
    if draw.random() < 0.4:
        return RankView(rank, kinds, has_state=draw.random() < 0.2, steps=steps)
    whole = [ordinal for ordinal, kind in kinds.items() if kind == WHOLE]
    able = bool(whole) and draw.random() < 0.8
    word = ("", "") if able else ("STEP_INCOMPLETE", "It was there.")
    return RankView(rank, kinds, True, max(whole, default=0), able, *word, draw.random() < 0.2, steps)


def test_what_another_node_gave_up_for_counts_here(tmp_path):
    exchange = Exchange(str(tmp_path), 0, 2)
    Exchange(str(tmp_path), 1, 2).tell_end(Fallback("SAVE_FAILED", "Its disk is full."))
    word = json.loads((tmp_path / WORD).read_text())
    write_json(str(tmp_path / OTHERS), {"nodes": {"1": {"number": 3, "word": word}}})
    exchange.hear()
    assert exchange.end() == Fallback("SAVE_FAILED", "Its disk is full.")
