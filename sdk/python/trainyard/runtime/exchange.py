"""What the nodes of a gang tell each other while its survivors hand over, so that each comes to the same decision.

Each shim tells one *word* (`HandoverWord` of the protocol), which only grows: that it is there, what its ranks have left and
hold, what became of each rank that was asked to save, or that it gives up. The agents carry the words, each that of its own
node, by two files in the attempt's directory:

- `handover-word.json`, by the shim: its own word.
- `handover-others.json`, by the agent: those of the others, each with a number that rises while its agent is alive.

A node whose number does not rise for `SILENT_SECONDS` is silent: it is lost, or its agent or the bus is away.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from trainyard.runtime.choice import Fallback, RankView
from trainyard.runtime.files import read_json, write_json

WORD = "handover-word.json"
OTHERS = "handover-others.json"
#: As long as the scheduler waits by default before it counts a node as lost.
SILENT_SECONDS = 5.0
_MAX_MESSAGE = 300


class Exchange:
    """One node's end of the talk; `group` is its index among the `count` nodes of the gang."""

    def __init__(self, attempt_dir: str, group: int, count: int) -> None:
        """Begin: tell that this node is there. One whose disk does not take the word is silent to the others."""
        self._own = os.path.join(attempt_dir, WORD)
        self._theirs = os.path.join(attempt_dir, OTHERS)
        self._word: dict[str, Any] = {}
        self._words: dict[int, dict[str, Any]] = {}
        self._numbers: dict[int, int] = {}
        began = time.monotonic()
        self._heard_at = {other: began for other in range(count) if other != group}
        with contextlib.suppress(OSError):
            write_json(self._own, self._word)

    def tell(self, **more: Any) -> None:
        """Let the other nodes know this too.

        Raises
        ------
        OSError
            When the disk does not take it; so do the methods that tell something below.
        """
        self._word.update(more)
        write_json(self._own, self._word)

    def tell_views(self, views: Sequence[RankView]) -> None:
        """Let the other nodes know what the ranks of this one left."""
        self.tell(gathered=True, ranks=[view_to_json(view) for view in views])

    def tell_round(self, number: int, saved: bool, message: str = "") -> None:
        """Let the other nodes know whether the rank of this one that was asked in a round has saved."""
        this = {"round": number, "saved": saved, "message": message[:_MAX_MESSAGE]}
        self.tell(rounds=[*self._word.get("rounds", []), this])

    def tell_end(self, why: Fallback) -> None:
        """Let the other nodes know that this one gives up."""
        self.tell(reason=why.reason, message=why.message[:_MAX_MESSAGE])

    def hear(self) -> None:
        """Take in what the agent has brought since."""
        for name, told in (read_json(self._theirs) or {}).get("nodes", {}).items():
            other = int(name)
            if other in self._heard_at and told["number"] != self._numbers.get(other):
                self._numbers[other], self._words[other] = told["number"], told["word"]
                self._heard_at[other] = time.monotonic()

    def views(self) -> list[RankView] | None:
        """Return what the ranks of all other nodes left; None until each has told."""
        words = [self._words.get(other, {}) for other in self._heard_at]
        if not all(word.get("gathered") for word in words):
            return None
        return [view_from_json(rank) for word in words for rank in word.get("ranks", [])]

    def round(self, number: int) -> tuple[bool, str] | None:
        """Return whether the rank of another node that was asked in a round has saved, and if not, why not."""
        for word in self._words.values():
            for told in word.get("rounds", []):
                if told["round"] == number:
                    return bool(told.get("saved")), str(told.get("message", ""))
        return None

    def end(self) -> Fallback | None:
        """Return why nothing will be saved, if that is known: another node gave up, or nothing is heard of it."""
        for other, heard_at in self._heard_at.items():
            word = self._words.get(other, {})
            if word.get("reason"):
                return Fallback(str(word["reason"]), str(word.get("message", "")))
            if time.monotonic() - heard_at >= SILENT_SECONDS:
                return Fallback(
                    "NODE_SILENT",
                    f"Nothing was heard for {SILENT_SECONDS:.0f} s of node {other} of the gang (counted from 0), whose ranks "
                    "have to save with those of this one.",
                )
        return None


def view_to_json(view: RankView) -> dict[str, Any]:
    """Return a view as a word tells it."""
    return {
        "rank": view.rank,
        "survivor": view.survivor,
        "ordinal": view.ordinal,
        "canSave": view.can_save,
        "reason": view.reason,
        "message": view.message[:_MAX_MESSAGE],
        "hasState": view.has_state,
        "captures": [
            {"ordinal": ordinal, "kind": kind, **_step_to_json(view.steps.get(ordinal))} for ordinal, kind in view.kinds.items()
        ],
    }


def _step_to_json(step: tuple[int, bool] | None) -> dict[str, Any]:
    return {} if step is None else {"step": step[0], "told": step[1]}


def view_from_json(told: Mapping[str, Any]) -> RankView:
    """Return the view that another node's word tells."""
    # Numbers of 64 bits are text in the JSON of protobuf, and what is zero, false or empty is left out.
    captures = told.get("captures", [])
    return RankView(
        rank=int(told.get("rank", 0)),
        kinds={int(each.get("ordinal", 0)): int(each["kind"]) for each in captures},
        survivor=bool(told.get("survivor")),
        ordinal=int(told.get("ordinal", 0)),
        can_save=bool(told.get("canSave")),
        reason=str(told.get("reason", "")),
        message=str(told.get("message", "")),
        has_state=bool(told.get("hasState")),
        steps={int(each.get("ordinal", 0)): (int(each.get("step", 0)), bool(each.get("told"))) for each in captures},
    )
