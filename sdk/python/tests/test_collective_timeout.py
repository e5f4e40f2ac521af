"""A collective that a rank stays away from ends after the platform's timeout, and the log says where that rank was."""

SCRIPT = """
import datetime, time
import torch, torch.distributed as dist

def elsewhere():
    time.sleep(600)

dist.init_process_group("gloo")
given = dist.new_group(timeout=datetime.timedelta(seconds=77))
for group in (dist.group.WORLD, dist.new_group(), given):
    print(group._get_backend(torch.device("cpu")).options._timeout.total_seconds(), flush=True)
dist.barrier()
if dist.get_rank() == 1:
    elsewhere()
began = time.monotonic()
try:
    dist.all_reduce(torch.zeros(1))
finally:
    print("waited", time.monotonic() - began)
"""


def test_a_rank_that_stays_away_ends_the_gang_after_the_jobs_timeout(attempt, launcher):
    # Long enough for the ranks to meet on a busy machine: it holds for that too.
    one = attempt(SCRIPT, ranks=2, env={"TRAINYARD_COLLECTIVE_TIMEOUT_SECONDS": "5"}, torch=True)
    assert launcher.launch(one)["start"] == "warm"
    one.wait_for_text(0, "77.0\n")
    assert one.text(0).split()[:3] == ["5.0", "5.0", "77.0"], "a group that the script gives a timeout keeps it"
    one.wait_done()
    told = one.text(0).split()
    assert 4.5 < float(told[4]) < 60
    assert (one.exit_of(0)["code"], one.exit_of(0)["order"]) == (1, 1)
    assert "timed out" in one.json("rank-0/error.json")["message"]["message"].lower()
    assert one.exit_of(1)["signal"] == 15
    assert "in elsewhere" in one.text(1, "stderr")
    assert "in elsewhere" not in one.text(0, "stderr")
