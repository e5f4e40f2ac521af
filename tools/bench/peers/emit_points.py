"""A rank that logs when it logs: ``POINTS`` values of ``emitted_ms``, the wall time in milliseconds, every ``PAUSE_MS``."""

import os
import time

import trainyard

run = trainyard.init()
pause = float(os.environ["PAUSE_MS"]) / 1_000
for step in range(int(os.environ["POINTS"])):
    run.log({"emitted_ms": time.time() * 1_000}, step=step)
    time.sleep(pause)
