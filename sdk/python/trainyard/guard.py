"""Watches a training loop from inside, so that its survivors can save the newest whole step when another rank dies.

A step, as this module sees it: the loop draws a batch (or several), computes, steps the optimizer, and does what follows (its
scheduler, logging). A run can be taken up only where all of a step is done and nothing of the next one is begun: its
*boundary*. Parameters and optimizer state are at a boundary's values from there until the optimizer steps again; everything
else is captured there (see `capture`), since the next forward pass moves it.

Where the boundary is, the loop itself says: it is when it asks `run.dataset` for its next batch. A loop that gets its batches
elsewhere has its boundary at the last call of a step that the SDK sees (the optimizer's step, `run.log`,
`run.should_checkpoint`, `run.checkpoint`), and the model's next forward pass closes it. With gradient accumulation only the
first micro-batch after a step is a boundary. With a grad scaler the step ends at `scaler.update`, also where the optimizer's
step was skipped.

Between its gradients and its boundary a rank may die when the others are past the step already: its part of the sum went out
in the backward pass. So what its forward passes have moved is captured in the backward pass, and not only when the optimizer
begins, since what comes between them (clipping, or just the processor's turn) can take long. Where the backward pass itself
moves something (it computes a part again, with new random numbers), the capture before the optimizer's step counts.

`phase` says what the parameters are worth at any instant. The hooks cost 0.1 to 0.15 ms a step, most of it for
caches that the step has emptied; `npm run bench -- overhead` measures them with everything else.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

from trainyard.boundary import FILE, OPEN, PRE, WHOLE
from trainyard.capture import Capturer, TooLargeError
from trainyard.eligibility import Refusal, refusal

if TYPE_CHECKING:
    from trainyard.environment import Environment

#: What follows the optimizer's step is under way: the parameters are new, the boundary may not be reached yet.
AFTER = "after"
#: At the boundary: nothing of the next step is computed.
BETWEEN = "between"
#: Forward or backward pass: the parameters are still those of the boundary.
COMPUTING = "computing"
#: Inside the optimizer's step: they are neither the old nor the new ones.
STEPPING = "stepping"


#: Whether backward passes move what is captured is seen at the first steps, and at one of so many later.
_FIRST_LOOKS, _LOOK_EVERY = 3, 16


class PeerLostError(BaseException):
    """Ends a rank whose gang has lost another one, at a moment when nothing is half done.

    Not an `Exception`, so that a script which catches those does not go on without its peers.
    """


def begin(
    environment: Environment,
    parts: Mapping[str, Any],
    state: Mapping[str, Any] | None,
    replicated: bool | None,
    *,
    positions: Callable[[], Mapping[str, Any]],
    offset: Callable[[], int],
    base: int,
) -> Guard | Refusal:
    """Begin to watch over a training's state, or say why its survivors will not be able to save it."""
    no = refusal(parts["model"], parts["optimizer"], environment.world_size, replicated)
    if no is not None:
        return no
    facts = {"rank": environment.rank, "worldSize": environment.world_size, "hasState": state is not None}
    try:
        return Guard(environment.rank_dir, facts, parts, state, positions, offset, base)
    except TooLargeError as error:
        return Refusal("STATE_TOO_LARGE", str(error))
    except TypeError as error:
        return Refusal("STATE_UNKNOWN", str(error))
    except OSError as error:
        return Refusal("NO_ROOM", f"The record of each step's boundary cannot be kept: {error}.")


class Guard:
    """Follows one rank's training loop. Made when the script hands its state to the SDK."""

    def __init__(
        self,
        rank_dir: str,
        facts: dict[str, Any],
        parts: Mapping[str, Any],
        state: Mapping[str, Any] | None,
        positions: Callable[[], Mapping[str, Any]],
        offset: Callable[[], int],
        base: int,
    ) -> None:
        """Capture the beginning, and put the hooks in place.

        `parts` are model, optimizer, scheduler and scaler; `base` is the step that the attempt begins after.

        Raises
        ------
        TooLargeError, TypeError, OSError
            As `Capturer` does; nothing is hooked then.
        """
        self.parts = dict(parts)
        self.ordinal = 0
        self.phase = AFTER
        #: Why nothing can be saved from here on; None while it can.
        self.spoilt: Refusal | None = None
        self._told_step, self._told_at = base, 0
        self._told = False
        self._draws = False
        self._closer = ""
        self._mark: Any = None
        self._peer_lost = False
        self._stepped = False
        self._backward_is_still = True
        self._captured_ahead = False
        self._has_state = state is not None
        self._capturer = Capturer(os.path.join(rank_dir, FILE), facts, parts["model"], state, positions, offset)
        self._capture(OPEN, 0)
        self._hook()

    def _hook(self) -> None:
        import torch
        import torch.optim.optimizer as optimizers

        self._is_grad_enabled = torch.is_grad_enabled
        model, optimizer, scaler = self.parts["model"], self.parts["optimizer"], self.parts.get("scaler")
        model.register_forward_pre_hook(self._on_forward)
        # Before a gradient is known here, no other rank can have the sum of them all. The first parameter's is about the last.
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if trained:
            trained[0].register_hook(self._on_gradient)
        optimizer.register_step_pre_hook(self._on_step)
        optimizer.register_step_post_hook(self._on_stepped)
        optimizers.register_optimizer_step_pre_hook(self._on_any_step)
        self._scales = scaler is not None and scaler.is_enabled()
        if self._scales:
            self._wrap_update(scaler)
        if signal.getsignal(signal.SIGURG) is signal.SIG_DFL:
            signal.signal(signal.SIGURG, self._on_peer_lost)

    def _wrap_update(self, scaler: Any) -> None:
        update = scaler.update

        def updated(*arguments: Any, **named: Any) -> None:
            if not self._stepped:  # the scaler had the optimizer skip this step
                self._on_step()
            update(*arguments, **named)
            self._stepped = False
            self._step_done()

        scaler.update = updated

    # What the loop does, in the order in which it does it.

    def drawn(self, split: str, first: bool) -> None:
        """Take note that the loop asks for a batch of a split; `first` says that it is the first one of an epoch."""
        if not self.parts["model"].training:  # it measures, and does not train
            return
        again = self.phase == BETWEEN and first and split == self._closer
        if self.phase == AFTER or again:
            self._draws, self._closer = True, split
            self._reach_boundary()

    def exhausted(self, split: str) -> None:
        """Take note that the loop asked for a batch of a split, and the epoch has none left."""
        if self.phase == AFTER and self.parts["model"].training:
            self._draws, self._closer = True, split
            self._reach_boundary()

    def told(self, step: int | None) -> None:
        """Take note that the loop's body called the SDK; `step` is what it calls the step it has done, where it says so."""
        if self.phase == COMPUTING and self._captured_ahead:
            self._capture(PRE, self.ordinal + 1, still=True)
        if self.phase != AFTER:
            return
        if step is not None:
            self._told_step, self._told_at, self._told = step, self.ordinal, True
        if not self._draws:
            self._capture(OPEN, self.ordinal)

    def _on_forward(self, module: Any, _inputs: Any) -> None:
        self._captured_ahead = False
        if not module.training or not self._is_grad_enabled():
            return
        if self.phase == AFTER:
            if self._draws:
                self._capture(WHOLE, self.ordinal)
            elif self.spoilt is None:
                self._capturer.close_newest()
            self._close()
        if self.phase == BETWEEN:
            self._leave_if_alone()
            self.phase = COMPUTING

    def _on_gradient(self, _gradient: Any) -> None:
        # Of the micro-batches of a step only the last one's gradients go out, where the script says so by `no_sync`.
        if self.phase != COMPUTING or self._captured_ahead or not self._backward_is_still:
            return
        if getattr(self.parts["model"], "require_backward_grad_sync", True):
            self._capture(PRE, self.ordinal + 1)
            self._captured_ahead = True

    def _on_any_step(self, optimizer: Any, *_: Any) -> None:
        if optimizer is not self.parts["optimizer"]:
            self._spoil("OTHER_OPTIMIZER", f"A {type(optimizer).__name__} stepped that was not handed to the SDK.")

    def _on_step(self, *_: Any) -> None:
        if self.phase != STEPPING:
            if not self._captured_ahead or self._backward_moved():
                self._capture(PRE, self.ordinal + 1)
            self.phase = STEPPING
        self._stepped = True

    def _backward_moved(self) -> bool:
        if self.ordinal >= _FIRST_LOOKS and self.ordinal % _LOOK_EVERY != 0:
            return False
        if self.spoilt is None and self._capturer.moved():
            self._backward_is_still = False
        return not self._backward_is_still

    def _on_stepped(self, *_: Any) -> None:
        if not self._scales:
            self._stepped = False
            self._step_done()

    def _step_done(self) -> None:
        self.ordinal += 1
        self.phase = AFTER
        # An optimizer moves no generator and no buffer, so what was captured on the way to it holds.
        if self._has_state and not self._draws:
            self._capture(OPEN, self.ordinal, still=True)

    def _reach_boundary(self) -> None:
        self._capture(WHOLE, self.ordinal)
        self._close()
        self._leave_if_alone()

    def _close(self) -> None:
        self.phase = BETWEEN
        self._mark = self._schedule()

    def _schedule(self) -> Any:
        """Return what tells whether the learning-rate scheduler has moved."""
        scheduler = self.parts.get("scheduler")
        return getattr(scheduler, "last_epoch", None), getattr(scheduler, "_step_count", None)

    # Saving.

    def whole(self) -> Refusal | None:
        """Return why the parameters are not those of the boundary `ordinal` now, or None when they are."""
        if self.spoilt is not None:
            return self.spoilt
        if self.phase in (AFTER, STEPPING):
            where = (
                "inside the optimizer's step" if self.phase == STEPPING else "between the optimizer's step and the next batch"
            )
            return Refusal("STEP_INCOMPLETE", f"It was {where}.")
        if self._schedule() != self._mark:
            return Refusal("STEP_INCOMPLETE", "Its scheduler had moved since the step's boundary.")
        return None

    def _spoil(self, reason: str, message: str) -> None:
        if self.spoilt is None:
            self.spoilt = Refusal(reason, message)
            sys.stderr.write(f"trainyard: no just-in-time checkpoint from here on: {message}\n")

    def _capture(self, kind: int, ordinal: int, *, still: bool = False) -> None:
        if self.spoilt is not None:
            return
        told = self._told and self._told_at == ordinal
        try:
            self._capturer.capture(kind, ordinal, self._told_step + ordinal - self._told_at, told, still=still)
        except (TooLargeError, TypeError, OSError, RuntimeError) as error:
            if ordinal == 0:
                raise
            # Training matters more than being able to save it at any step.
            self._spoil("NOT_CAPTURED", str(error))

    # Signals only set a flag; nothing is ever raised inside a step.

    def _on_peer_lost(self, _number: int, _frame: FrameType | None) -> None:
        self._peer_lost = True

    def _leave_if_alone(self) -> None:
        if self._peer_lost:
            raise PeerLostError("another rank of the gang has died; this one stops here, between two steps")
