"""What a script trains with, as it hands it to the SDK: where it goes on from, and what its survivors can save."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trainyard.journal import Journal
from trainyard.step_times import StepTimes

if TYPE_CHECKING:
    from trainyard.dataset import Dataset, Position
    from trainyard.environment import Environment
    from trainyard.gradient_order import GradientOrder
    from trainyard.guard import Guard


class TrainingState:
    """One rank's model, optimizer and what goes with them, and how far it has read its data.

    `guard` follows the loop where survivors can save its state; `own` says that model and optimizer are other ones on each
    rank, as the script says or as the stages of a pipeline are.
    """

    def __init__(self, environment: Environment, journal: Journal, times: StepTimes) -> None:
        self._env, self._journal, self._times = environment, journal, times
        self.guard: Guard | None = None
        self.own = False
        self._order: GradientOrder | None = None
        self._datasets: dict[str, Dataset] = {}
        #: Of splits that the script has not asked for yet.
        self._resume_positions: dict[str, Position] = {}
        self._handed_over = False

    @property
    def position(self) -> dict[str, Position]:
        """How far each split has been read."""
        return {name: dataset.position for name, dataset in self._datasets.items()}

    def facts(self, step: int) -> dict[str, Any]:
        """Return what a checkpoint at `step` holds of this rank beside the parts."""
        from trainyard import random_state

        order = None if self._order is None else self._order.order
        return {
            "step": step,
            "rank": self._env.rank,
            "worldSize": self._env.world_size,
            "random": random_state.capture(),
            "positions": self._positions(),
            **({} if order is None else {"gradientOrder": order}),
        }

    def resume(
        self, parts: Mapping[str, Any], state: dict[str, Any] | None, replicated: bool | None, at_step: int
    ) -> int | None:
        """Put everything back as the checkpoint has it and watch over it; return its step, None when there is none.

        `at_step` is the step that the script is at without one.
        """
        self.own = _is_own(replicated)
        self._watch_collectives(parts["optimizer"])
        root = self._checkpoint()
        step = None
        if root is not None:
            step = self._load(root, parts, state)
        else:
            self._watch_order(parts["model"], None)
        base = at_step if step is None else step
        self._watch_over(parts, state, replicated, base)
        self._times.clock.start_at(base)
        self._watch_communication(parts["model"])
        return step

    def take_over(self, parts: Mapping[str, Any], state: dict[str, Any] | None, replicated: bool | None, at_step: int) -> None:
        """Watch over what the script has made or loaded by itself."""
        self.own = _is_own(replicated)
        self._watch_collectives(parts["optimizer"])
        self._watch_order(parts["model"], None)
        self._watch_over(parts, state, replicated, at_step)
        self._watch_communication(parts["model"])

    def dataset(self, split: str) -> Dataset:
        """Return this rank's share of a split; the same object each time."""
        if split not in self._datasets:
            from trainyard.dataset import Dataset
            from trainyard.manifest import find_split

            found = find_split(self._env.manifest, split)
            at = self._resume_positions.pop(split, None)
            self._datasets[split] = Dataset(
                found,
                self._env.rank,
                self._env.world_size,
                self._env.seed or 0,
                at,
                self._drawn,
                folder=os.path.join(self._env.attempt_dir, "arrow"),
                waited=self._times.waited,
            )
        return self._datasets[split]

    def refuse_fresh_start(self) -> None:
        """Make sure that the script trains on from the checkpoint that it was given.

        Raises
        ------
        CheckpointError
            When it has not loaded it.
        """
        if self._env.resume_dir is not None and not self._handed_over:
            from trainyard.checkpoint import CheckpointError

            raise CheckpointError(
                "this attempt goes on from a checkpoint, and the script trains without having loaded it: "
                "call run.resume(model=..., optimizer=...) before training"
            )

    def hand_over(self, error: BaseException | None) -> None:
        """Let the state be saved where it can be; called when the script has ended with an error."""
        if self.guard is not None:
            from trainyard.survivor import hand_over

            hand_over(self.guard, self._env.rank_dir, self._env.attempt_dir, error)

    def _checkpoint(self) -> str | None:
        from trainyard.checkpoint import newest_local

        env = self._env
        if env.resume_dir is not None or not env.local:
            return env.resume_dir
        return newest_local(os.path.join(env.attempt_dir, "ckpt"), env.world_size)

    def _load(self, root: str, parts: Mapping[str, Any], state: dict[str, Any] | None) -> int:
        from trainyard import random_state
        from trainyard.dataset import Position
        from trainyard.resume import load

        facts = load(root, self._env.rank, self._env.world_size, parts, state)
        world_size = int(facts["worldSize"])
        self._resume_positions = {name: Position.revive(at, world_size) for name, at in facts["positions"].items()}
        for name, dataset in self._datasets.items():
            if name in self._resume_positions:
                dataset.resume_at(self._resume_positions.pop(name))
        self._watch_order(parts["model"], facts.get("gradientOrder"))
        random_state.restore(facts["random"])
        if facts.get("reseed") is not None:
            from trainyard.determinism import seed_all

            seed_all(facts["reseed"])
        return int(facts["step"])

    def _positions(self) -> dict[str, Position]:
        # Asked at each step, mostly by scripts that have their data from elsewhere.
        return {**self._resume_positions, **self.position} if self._datasets else self._resume_positions

    def _watch_order(self, model: Any, order: list[int] | None) -> None:
        """See to it that gradients are added up in one order over restarts."""
        from trainyard.gradient_order import watch

        if self._order is None and model is not None:
            rank_dir = None if self._env.local else self._env.rank_dir
            self._order = watch(model, rank_dir, self._env.world_size, order)

    def _watch_over(
        self, parts: Mapping[str, Any], state: Mapping[str, Any] | None, replicated: bool | None, base: int
    ) -> None:
        """See to it that survivors can save what the script has handed over, and say whether they can."""
        if self._env.local or self._journal.records is None or self.guard is not None:
            return
        from trainyard.guard import Guard, begin

        offset = self._journal.records.size
        begun = begin(self._env, parts, state, replicated, positions=self._positions, offset=offset, base=base)
        self.guard = begun if isinstance(begun, Guard) else None
        if self._env.rank == 0:
            mode = "just-in-time" if self.guard is not None else "last-checkpoint"
            why = {"reason": "", "message": ""} if isinstance(begun, Guard) else begun._asdict()
            self._journal.say({"kind": "recovery", "mode": mode, **why})

    def _watch_collectives(self, optimizer: Any) -> None:
        """Keep the optimizer from applying what a failed collective left; before what else watches its steps."""
        from trainyard.collective_status import watch_collectives

        if not self._handed_over and optimizer is not None and self._env.world_size > 1:
            watch_collectives(optimizer)
        self._handed_over = True

    def _watch_communication(self, model: Any) -> None:
        if self._journal.records is not None and model is not None and self._env.world_size > 1:
            from trainyard.communication import watch_communication

            watch_communication(model, self._times.clock)

    def _drawn(self, split: str, what: str) -> None:
        """Take note that the loop asked for a batch: the `first` or `next` of an epoch, or there was none left (`none`)."""
        self.refuse_fresh_start()
        if self.guard is None:
            return
        if what == "none":
            self.guard.exhausted(split)
        else:
            self.guard.drawn(split, what == "first")


def _is_own(replicated: bool | None) -> bool:
    from trainyard.mesh import declared_axes

    axes = declared_axes(os.environ)
    return replicated is False or (axes is not None and axes.pipeline > 1)
