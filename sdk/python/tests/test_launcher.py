"""Warm starts by a real launcher: a forked rank is what a cold one is, and gangs do not depend on the launcher's life."""

import json
import os
import signal
import stat

import pytest
from conftest import PATIENCE, Launcher, gone, wait_for

FOREVER = "import time\nprint('up')\ntime.sleep(600)\n"

# Everything by which a script could tell how it was started, printed as JSON.
WHO_AM_I = """
import atexit, gc, json, os, random, signal, sys, threading, faulthandler, warnings, locale
import numpy, torch
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
main = vars(sys.modules["__main__"])
fds = [(int(fd), f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
links = [(fd, os.readlink(path)) for fd, path in fds if os.path.islink(path)]
links = sorted((fd, link.rsplit("/", 1)[-1].split(":[")[0]) for fd, link in links)
streams = (sys.stdin, sys.stdout, sys.stderr)
seen = {
    "env": dict(os.environ), "argv": sys.argv, "orig_argv": sys.orig_argv, "path": sys.path, "cwd": os.getcwd(),
    "main": {key: repr(main.get(key)) for key in ("__name__", "__file__", "__spec__", "__package__")},
    "is_main": main is globals(),
    "handlers": {int(s): repr(signal.getsignal(s)) for s in signal.valid_signals()},
    "masks": [status[name] for name in ("SigBlk", "SigIgn", "SigCgt")],
    "umask": status["Umask"], "threads": [threading.active_count(), threading.current_thread().name],
    "session": os.getsid(0) == os.getpid() == os.getpgid(0),
    "descriptors": [link for link in links if link[1] != "socket"],
    "sockets": sum(link[1] == "socket" for link in links),
    "streams": [(s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.isatty()) for s in streams],
    "read": sys.stdin.read(), "torch_threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
    "faulthandler": faulthandler.is_enabled(), "locale": locale.getlocale(), "gc": [gc.isenabled(), gc.get_threshold()],
    "flags": repr(sys.flags), "hooks": [sys.excepthook.__module__, sys.displayhook.__module__], "grad": torch.is_grad_enabled(),
    "cuda": torch.cuda.is_initialized(), "limit": sys.getrecursionlimit(), "trace": repr(sys.gettrace()),
}
print(json.dumps(seen))
print(random.random(), numpy.random.rand(), torch.rand(()).item(), torch.initial_seed())
atexit.register(lambda: print("at exit"))
threading.Thread(target=lambda: print("a thread")).start()
"""


def test_a_forked_rank_is_what_a_cold_one_is(attempt, launcher, tmp_path):
    env = {"OMP_NUM_THREADS": "2", "TZ": "Asia/Kolkata", "MINE": "1", "TMPDIR": str(tmp_path)}
    cold = attempt(WHO_AM_I, env=env, torch=True, argv=["script.py", "a", "b"]).start()
    warm = attempt(WHO_AM_I, env=env, torch=True, argv=["script.py", "a", "b"])
    assert launcher.launch(warm) == {"start": "warm"}
    warm.wait_done()
    cold.wait()
    lines = []
    for one in (cold, warm):
        assert one.exit_of(0)["code"] == 0, one.text(0, "stderr")
        lines.append(one.text(0).replace(str(one.directory), "DIR").splitlines())
        assert one.text(0, "stderr") == ""
    seen = [json.loads(both[0]) for both in lines]
    assert {one["env"].pop("MASTER_PORT") != "0" for one in seen} == {True}
    assert seen[1] == seen[0]
    assert seen[1]["torch_threads"][0] == 2
    assert {text[-1] for text in lines} == {"at exit"}
    assert [sorted(text[2:]) for text in lines] == [["a thread", "at exit"]] * 2


def test_a_script_with_torchelastics_record_writes_its_error_file_itself(attempt, launcher):
    script = """
from torch.distributed.elastic.multiprocessing.errors import record
@record
def main():
    raise ValueError("no such layer")
main()
"""
    one = attempt(script, env={"TORCHELASTIC_ERROR_FILE": "error-by-record.json"}, torch=True)
    assert launcher.launch(one) == {"start": "warm"}
    one.wait_done()
    assert one.exit_of(0)["code"] == 1
    message = one.json("work/error-by-record.json")["message"]
    assert message["message"] == "ValueError: no such layer"
    assert "in wrapper\n" in message["extraInfo"]["py_callstack"]  # the decorator's own frame: it was torch that wrote it
    assert one.text(0, "stderr").endswith("ValueError: no such layer\n")


def test_nothing_that_a_script_left_open_is_lost_at_its_end(attempt, launcher):
    script = (
        "import atexit, ctypes, threading, cycle, helper\n"
        "here = open('here.txt', 'w'); here.write('unflushed')\n"
        "threading.Timer(0.3, print, ['thread']).start()\n"
        "atexit.register(print, 'at exit')\n"
        "ctypes.CDLL(None).printf(b'from C\\n')\n"
    )
    cycle = "class Last:\n    def __del__(self): print('collected')\nlast = Last(); last.itself = last\n"
    gangs = [attempt(script, torch=True) for _ in range(2)]
    for one in gangs:
        (one.directory / "work" / "helper.py").write_text("there = open('there.txt', 'w')\nthere.write('unflushed')\n")
        (one.directory / "work" / "cycle.py").write_text(cycle)
    gangs[0].start()
    assert launcher.launch(gangs[1])["start"] == "warm"
    for one in gangs:
        assert one.wait_done()["reason"] == "completed"
        work = one.directory / "work"
        assert [(work / name).read_text() for name in ("here.txt", "there.txt")] == ["unflushed"] * 2
        assert sorted(one.text(0).splitlines()) == ["at exit", "collected", "from C", "thread"]
        assert one.text(0, "stderr") == ""


def test_the_random_generators_of_forked_ranks_are_fresh(attempt, launcher):
    script = "import random, numpy, torch; print(random.random(), numpy.random.rand(), torch.rand(()).item())"
    gangs = [attempt(script, ranks=2, torch=True) for _ in range(2)]
    for one in gangs:
        launcher.launch(one)
    for one in gangs:
        one.wait_done()
    numbers = [one.text(rank).split() for one in gangs for rank in (0, 1)]
    assert len({number for row in numbers for number in row}) == 12


def test_two_gangs_train_at_once_from_one_launcher(attempt, launcher):
    script = (
        "import os, time, torch, torch.distributed as dist\ndist.init_process_group('gloo')\n"
        "open(f'up-{os.environ[\"RANK\"]}', 'w').close()\n"
        "while not os.path.exists('go'): time.sleep(0.01)\n"
        "x = torch.ones(1) * int(os.environ['MINE'])\ndist.all_reduce(x)\nprint(x.item())\ndist.destroy_process_group()\n"
    )
    gangs = [attempt(script, ranks=2, torch=True, env={"MINE": str(index)}) for index in (3, 5)]
    for one in gangs:
        assert launcher.launch(one)["start"] == "warm"
    for one in gangs:  # both have met before either goes on
        wait_for("ranks", lambda work=one.directory / "work": (work / "up-0").exists() and (work / "up-1").exists())
    for one in gangs:
        (one.directory / "work" / "go").touch()
        assert one.wait_done()["reason"] == "completed"
    assert [[one.text(rank) for rank in (0, 1)] for one in gangs] == [["6.0\n"] * 2, ["10.0\n"] * 2]


@pytest.mark.parametrize(
    ("script", "code", "signal_number"),
    [
        ("import sys; sys.exit(7)", 7, None),
        ("import sys; sys.exit('a message')", 1, None),
        ("raise ValueError('no such layer')", 1, None),
        ("import os; os.kill(os.getpid(), 9)", 137, 9),
        ("import os; os.kill(os.getpid(), 15)", 143, 15),
        ("print('fine')", 0, None),
    ],
)
def test_the_end_of_a_forked_rank_is_recorded(attempt, launcher, script, code, signal_number):
    one = attempt(script, torch=True)
    launcher.launch(one)
    one.wait_done()
    assert (one.exit_of(0)["code"], one.exit_of(0)["signal"]) == (code, signal_number)
    if "ValueError" in script:
        trace = one.text(0, "stderr")
        assert trace.startswith('Traceback (most recent call last):\n  File "script.py", line 1, in <module>\n'), trace
        assert one.json("rank-0/error.json")["message"]["extraInfo"]["py_callstack"] == trace


def test_a_killed_rank_ends_the_others(attempt, launcher):
    one = attempt(FOREVER, ranks=2, torch=True)
    launcher.launch(one)
    for rank in (0, 1):
        one.wait_for_text(rank, "up")
    os.kill(one.started(1)["pid"], signal.SIGKILL)
    assert one.wait_done()["reason"] == "failed"
    assert (one.exit_of(1)["signal"], one.exit_of(1)["order"]) == (9, 1)
    assert one.exit_of(0)["signal"] == signal.SIGTERM


def test_a_shim_told_to_stop_ends_its_forked_ranks(attempt, launcher):
    one = attempt(FOREVER, ranks=2, torch=True)
    launcher.launch(one)
    one.wait_for_text(0, "up")
    one.wait_for_text(1, "up")
    os.kill(one.shim_pid, signal.SIGTERM)
    assert one.wait_done()["reason"] == "stopped"
    wait_for("the shim's end", lambda: gone(one.shim_pid))


def test_gangs_outlive_the_launcher(attempt, tmp_path):
    own = Launcher(tmp_path / "own").start()
    one = attempt("import os, time\nprint('up')\nwhile not os.path.exists('go'): time.sleep(0.01)\n", ranks=2, torch=True)
    own.launch(one)
    one.wait_for_text(0, "up")
    one.wait_for_text(1, "up")
    own.stop()
    with pytest.raises(OSError, match=r"refused|No such"):
        own.ask({"ping": True})
    assert not gone(one.shim_pid)
    (one.directory / "work" / "go").touch()
    assert one.wait_done()["reason"] == "completed"


@pytest.mark.parametrize(
    ("env", "files", "reason"),
    [
        ({"PYTHONHASHSEED": "1"}, (), "PYTHONHASHSEED"),
        ({"LD_PRELOAD": "/x.so"}, (), "LD_PRELOAD"),
        ({"PYTHONPATH": "/x"}, (), "PYTHONPATH"),
        ({"KMP_AFFINITY": "none"}, (), "KMP_AFFINITY"),
        ({"MKL_NUM_THREADS": "1"}, (), "MKL_NUM_THREADS"),
        ({"TORCH_LOGS": "dynamo"}, (), "TORCH_LOGS"),
        ({"OMP_NUM_THREADS": "2,1"}, (), "OMP_NUM_THREADS"),
        ({"TRAINYARD_FRAMEWORK": "process"}, (), "framework"),
        ({}, ("sympy.py",), "sympy.py"),
        ({}, ("networkx/__init__.py",), "networkx"),
    ],
)
def test_a_job_that_needs_an_interpreter_of_its_own_is_refused_with_the_reason(attempt, launcher, env, files, reason):
    one = attempt("print('cold')", env=env, torch=True)
    for file in files:
        (one.directory / "work" / file).parent.mkdir(exist_ok=True)
        (one.directory / "work" / file).touch()
    answer = launcher.launch(one)
    assert answer["start"] == "cold"
    assert reason in answer["reason"]
    assert one.json("shim.json") is None


def test_variables_that_are_read_when_used_do_not_need_a_cold_start(attempt, launcher):
    one = attempt("import os; print(os.environ['NCCL_DEBUG'])", env={"NCCL_DEBUG": "WARN", "TORCH_NCCL_DUMP": "0"}, torch=True)
    assert launcher.launch(one)["start"] == "warm"
    one.wait_done()
    assert one.text(0) == "WARN\n"


def test_the_launcher_tells_how_it_is(attempt, launcher):
    before = launcher.ask({"ping": True})
    one = attempt("pass", torch=True)
    launcher.launch(one)
    one.wait_done()
    after = launcher.ask({"ping": True})
    assert after["jobs"] == before["jobs"] + 1
    assert after["threads"] == 1
    assert after["current"] is True
    assert after["rssBytes"] > 100 << 20


def test_only_the_owner_may_ask_and_nonsense_hurts_nobody(launcher):
    path = launcher.directory / launcher.record()["socket"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert launcher.ask({"attemptDir": "/nowhere"}) == {"start": "cold", "reason": "there is no spec.json"}
    assert launcher.ask({"attemptDir": 7})["start"] == "cold"
    assert launcher.ask({})["start"] == "cold"
    assert launcher.ask({"ping": True})["threads"] == 1


def test_an_attempt_is_started_once_whoever_asks(attempt, launcher):
    one = attempt(FOREVER, torch=True)
    launcher.launch(one)
    pid = one.started(0)["pid"]
    with pytest.raises(json.JSONDecodeError):  # the second shim leaves without an answer
        launcher.launch(one)
    assert one.start().wait(PATIENCE) == 3  # a cold one as well
    assert one.started(0)["pid"] == pid
    assert not gone(pid)


def test_a_launcher_that_is_named_no_more_leaves(tmp_path):
    own = Launcher(tmp_path / "own").start()
    first = own.process
    Launcher(tmp_path / "own").start()
    successor = own.record()["pid"]
    assert first is not None
    assert first.wait(PATIENCE) == 0
    assert own.ask({"ping": True})["pid"] == successor
    (own.directory / "launcher.json").unlink()
    wait_for("the end of a launcher without a record", lambda: gone(successor))


# Dropout, batch norm, momentum and numbers of three libraries: a difference in any generator or thread count would show.
TRAIN = """
import hashlib, random, numpy, torch, torch.distributed as dist, trainyard
from torch import nn
run = trainyard.init()
dist.init_process_group("gloo")
net = nn.Sequential(nn.Linear(64, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Dropout(0.3), nn.Linear(96, 10))
model = nn.parallel.DistributedDataParallel(net)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for step in range(60):
    x = torch.randn(32, 64) * random.random() + torch.from_numpy(numpy.random.rand(32, 64) @ numpy.eye(64)).float()
    loss = nn.functional.cross_entropy(model(x), torch.randint(0, 10, (32,)))
    optimizer.zero_grad(); loss.backward(); optimizer.step()
print(hashlib.sha256(b"".join(t.numpy().tobytes() for t in net.state_dict().values())).hexdigest())
if run.is_main: run.model(net, torch.zeros(2, 64))
dist.destroy_process_group()
"""


def test_cold_and_warm_give_the_same_weights(attempt, launcher):
    env = {"TRAINYARD_SEED": "7", "OMP_NUM_THREADS": "2"}
    # One after the other: threads spin while they wait for each other, and here there may be fewer cores than threads.
    cold = attempt(TRAIN, ranks=2, env=env, torch=True).start()
    cold.wait()
    warm = attempt(TRAIN, ranks=2, env=env, torch=True)
    assert launcher.launch(warm)["start"] == "warm"
    warm.wait_done()
    texts = [one.text(rank) for one in (cold, warm) for rank in (0, 1)]
    assert all(len(text) == 65 for text in texts), warm.text(0, "stderr")
    assert len(set(texts)) == 1
    models = [(one.directory / "model" / "model.pt2").read_bytes() for one in (cold, warm)]
    assert models[0] == models[1]
