"""How a forked child leaves its parent's stack behind: it raises `Forked`, and `run` at the very top goes on with it.

A child that simply called its own main from where it was forked would carry the parent's frames, whose `finally` clauses
and objects (a listening socket) are none of its business, and would be what the script's own tracebacks begin with.
"""

from __future__ import annotations

from collections.abc import Callable

Step = Callable[[], "int | None"]


class Forked(BaseException):
    """Carries what the child does once its parent's frames are gone; nothing but `run` may catch it."""

    def __init__(self, then: Step) -> None:
        super().__init__("a forked child left its parent's stack")
        self.then = then


def run(first: Step) -> int | None:
    """Call `first`, and in every child that is forked from it what that child is to do; return the exit code."""
    then = first
    while True:
        try:
            return then()
        except Forked as child:
            then = child.then
