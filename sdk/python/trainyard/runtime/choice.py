"""Which step a gang is saved at after some of its ranks have died, and who saves it: a decision over what each rank left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trainyard.boundary import WHOLE


class RankView(NamedTuple):
    """What is known of one rank when all have died or reported.

    `kinds` are its captures' kinds by step (see `boundary`); `ordinal` and `can_save` are a survivor's own word of its
    parameters; `has_state` says that the script captures a state of its own, per rank; `steps` is what the rank calls its
    steps, by ordinal, and whether the script has said so or it was counted.
    """

    rank: int
    kinds: Mapping[int, int]
    survivor: bool = False
    ordinal: int = -1
    can_save: bool = False
    reason: str = ""
    message: str = ""
    has_state: bool = False
    steps: Mapping[int, tuple[int, bool]] = {}


class Choice(NamedTuple):
    """The step, what the script calls it, and the survivors that hold its parameters, in the order in which they are asked."""

    ordinal: int
    step: int
    writers: tuple[int, ...]


class Fallback(NamedTuple):
    """Nothing can be saved exactly; the last committed checkpoint counts."""

    reason: str
    message: str


def choose(views: Sequence[RankView]) -> Choice | Fallback:
    """Choose the newest step that can be saved exactly, for all ranks.

    Its parameters must be held by a survivor, and each rank must have left what its forward passes had moved by then. Ranks
    go in step, so that the parameters of survivors are at most one step apart. First come steps at whose boundary every
    rank was. Else a rank may have died on its way from the gradients to the boundary, which other ranks have reached: what
    it left just before its optimizer's step is then what it would have had, unless the script keeps a state of its own.

    The same views give the same choice, in whatever order they come: each node of a gang on several makes it for itself.
    """
    views = sorted(views, key=lambda view: view.rank)
    survivors = [view for view in views if view.survivor]
    if not survivors:
        return Fallback("NO_SURVIVOR", "No rank was left that could have saved the gang's state.")
    able = [view for view in survivors if view.can_save]
    if not able:
        first = survivors[0]
        return Fallback(first.reason or "STEP_INCOMPLETE", f"Rank {first.rank} could not save: {first.message}")
    steps = sorted({view.ordinal for view in able}, reverse=True)
    for complete in (True, False):
        for ordinal in steps:
            if all(_has(view, ordinal, complete) for view in views):
                if ordinal == 0:
                    return Fallback("NOTHING_NEW", "No step was done since the attempt began.")
                return Choice(ordinal, _step(views, ordinal), tuple(view.rank for view in able if view.ordinal == ordinal))
    missing = [view.rank for view in views if not _has(view, steps[0], complete=False)]
    return Fallback("RECORD_MISSING", f"What rank {missing[0]} was at that step is not known.")


def _step(views: Sequence[RankView], ordinal: int) -> int:
    """Return what the script itself calls the step; where it does not say, every rank has counted the same."""
    whole = [view.steps[ordinal] for view in views if view.kinds.get(ordinal) == WHOLE]
    return next((step for step, told in whole if told), whole[0][0])


def _has(view: RankView, ordinal: int, complete: bool) -> bool:
    kind = view.kinds.get(ordinal)
    return kind == WHOLE or (kind is not None and not complete and not view.has_state)
