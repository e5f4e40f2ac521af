"""Records a run without a platform, in two parts: the second begins when the file named by the argument is there."""

import os
import sys
import time

import trainyard

run = trainyard.init({"lr": 0.1, "name": "a b"}, offline="runs", experiment="offline", name="recorded", tags={"team": "x"})
for step in range(40_000):
    run.log({"loss": 1 / (step + 1)}, step=step)
for value in (float("nan"), float("inf"), float("-inf"), -0.0, 5e-324):
    run.log({"odd/ü": value}, step=-1)
with open("report.txt", "w") as report:
    report.write("first")
run.artifact("report.txt", "reports/r.txt")
print("half", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
for step in range(40_000, 40_100):
    run.log({"loss": 1 / (step + 1)}, step=step)
run.finish()
