"""Ranks that each carry a chain of hashes from step to step, the same whatever their number.

A step that is lost, or done twice, or taken up from another state breaks it.
"""

import hashlib
import sys
import time

import trainyard


def main() -> None:
    """Go on from the newest checkpoint, and print the chain's end."""
    run = trainyard.init()
    state = {"chain": "start"}
    done = run.resume(state=state)
    for step in range(done + 1, int(run.params["steps"]) + 1):
        state["chain"] = hashlib.sha256(f"{state['chain']}:{step}".encode()).hexdigest()
        run.log({"value": int(state["chain"][:12], 16)}, step=step)
        if run.should_checkpoint(step):
            run.checkpoint(step, state=state)
        time.sleep(float(run.params["stepMs"]) / 1000)
    run.finish()
    sys.stdout.write(f"digest {state['chain']}\n")


main()
