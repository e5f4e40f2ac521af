"""Ranks that each carry a chain of hashes from step to step, the same whatever their number.

A step that is lost, or done twice, or taken up from another state breaks it.
"""

import hashlib
import os
import sys
import time

import torch

import trainyard


def main() -> None:
    """Go on from the newest checkpoint, and print the chain's end."""
    run = trainyard.init()
    chain, done = "start", 0
    resume = os.environ.get("TRAINYARD_RESUME_DIR")
    if resume is not None:
        # Rank 0's, since there may be more ranks now than then.
        state = torch.load(os.path.join(resume, "rank-0", "state.pt"), weights_only=True)
        chain, done = state["chain"], state["step"]
    run.state(model=None, optimizer=None)
    for step in range(done + 1, int(run.params["steps"]) + 1):
        chain = hashlib.sha256(f"{chain}:{step}".encode()).hexdigest()
        run.log({"value": int(chain[:12], 16)}, step=step)
        if run.should_checkpoint(step):
            run.checkpoint(step, state={"chain": chain, "step": step})
        time.sleep(float(run.params["stepMs"]) / 1000)
    run.finish()
    sys.stdout.write(f"digest {chain}\n")


main()
