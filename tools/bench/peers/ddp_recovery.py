"""A DDP job that is killed on the way; the same file on the platform and under torchrun, where it has checkpoints of its own.

Every rank writes its pid and rank 0 the steps it has done to files in the folder STEPS_DIR, where that is set.
"""

import hashlib
import os
import random
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

STEPS = int(os.environ.get("RECOVERY_STEPS", "300"))
STEP_DELAY = float(os.environ.get("RECOVERY_STEP_DELAY_MS", "10")) / 1000
#: "rank:step": where a rank of the first attempt waits to be killed, if whoever kills it was not quick enough to do it before.
HOLD = os.environ.get("RECOVERY_HOLD", "")
#: Steps between the checkpoints of torchrun's runs; on the platform the job says it, and survivors save.
EVERY = 40


class OwnCheckpoints:
    """What a script does under torchrun: every so many steps rank 0 saves, and whoever starts looks for the file."""

    def __init__(self, folder: str) -> None:
        self._path = Path(folder, "checkpoint.pt")

    def resume(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
        """Load the newest checkpoint; return its step."""
        if not self._path.exists():
            return 0
        state = torch.load(self._path)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])

    def save(self, step: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Save when it is time."""
        if step % EVERY == 0 and dist.get_rank() == 0:
            temporary = self._path.with_suffix(".tmp")
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, temporary)
            temporary.rename(self._path)


def batch(step: int, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Make a rank's data of a step: a function of both, so that nothing depends on what was drawn before."""
    generator = torch.Generator().manual_seed(1000 * step + rank)
    return torch.randn(64, 64, generator=generator), torch.randint(0, 10, (64,), generator=generator)


def main() -> None:
    """Train, with BatchNorm, dropout and momentum; print the digest of the final weights."""
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    torch.manual_seed(rank)
    random.seed(rank)
    net = nn.Sequential(nn.Linear(64, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 10))
    model = nn.parallel.DistributedDataParallel(net)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    run = own = None
    if "TRAINYARD_RUN_ID" in os.environ:
        import trainyard

        run = trainyard.init()
        step = run.resume(model=model, optimizer=optimizer)
    else:
        own = OwnCheckpoints(os.environ["STEPS_DIR"])
        step = own.resume(model, optimizer)
        Path(os.environ["STEPS_DIR"], f"pid-{rank}").write_text(str(os.getpid()))
    begun = step
    for step in range(begun, STEPS):
        if run is not None and run.attempt == 1 and f"{rank}:{step}" == HOLD:
            time.sleep(3600)
        inputs, labels = batch(step, rank)
        loss = nn.functional.cross_entropy(model(inputs + random.random()), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if run is not None:
            run.log({"loss": loss}, step=step + 1)
            if run.should_checkpoint(step + 1):
                run.checkpoint(step + 1, model=model, optimizer=optimizer)
        elif rank == 0:
            with Path(os.environ["STEPS_DIR"], "steps").open("a") as steps:
                steps.write(f"{begun} {step + 1} {time.time()}\n")
        if own is not None:
            own.save(step + 1, model, optimizer)
        time.sleep(STEP_DELAY)
    digest = hashlib.sha256()
    for tensor in net.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    sys.stdout.write(f"rank {rank} digest {digest.hexdigest()}\n")
    if run is not None:
        run.finish()
    dist.destroy_process_group()


main()
