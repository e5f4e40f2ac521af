"""The shim with real processes: how a gang starts, ends, and leaves nothing behind."""

import os
import signal
import subprocess
import sys

import pytest
from conftest import PATIENCE, gone, shim_env, wait_for

FOREVER = "import time\nprint('up')\ntime.sleep(600)\n"


def test_a_gang_that_ends_well_leaves_whole_records(attempt):
    one = attempt("import os, sys; print('rank', os.environ['RANK'], sys.argv[1:])", ranks=2, argv=["script.py", "--x", "1"])
    assert one.start().wait() == 0
    assert [one.text(rank) for rank in (0, 1)] == ["rank 0 ['--x', '1']\n", "rank 1 ['--x', '1']\n"]
    assert [(one.exit_of(rank)["code"], one.exit_of(rank)["signal"]) for rank in (0, 1)] == [(0, None), (0, None)]
    assert {one.exit_of(rank)["order"] for rank in (0, 1)} == {1, 2}
    assert one.json("done.json")["reason"] == "completed"


@pytest.mark.parametrize(
    ("script", "code", "signal_number"),
    [
        ("import sys; sys.exit(7)", 7, None),
        ("import sys; sys.exit('a message')", 1, None),
        ("import sys; sys.exit(0)", 0, None),
        ("raise ValueError('no such layer')", 1, None),
        ("import os; os.kill(os.getpid(), 9)", 137, 9),
        ("import os; os._exit(3)", 3, None),
        ("def broken(:", 1, None),
    ],
)
def test_the_exit_code_or_signal_of_a_rank_is_recorded(attempt, script, code, signal_number):
    one = attempt(script)
    assert one.start().wait() == 0
    assert (one.exit_of(0)["code"], one.exit_of(0)["signal"]) == (code, signal_number)


def test_an_uncaught_exception_is_told_as_python_tells_it_and_in_torchelastics_format(attempt):
    one = attempt("def layer():\n    raise ValueError('no such layer')\nlayer()\n")
    one.start().wait()
    trace = one.text(0, "stderr")
    assert trace.startswith('Traceback (most recent call last):\n  File "script.py", line 3, in <module>\n')
    assert trace.endswith("ValueError: no such layer\n")
    message = one.json("rank-0/error.json")["message"]
    assert message["message"] == "ValueError: no such layer"
    assert message["extraInfo"]["py_callstack"] == trace
    assert message["extraInfo"]["timestamp"].isdigit()


def test_a_module_entrypoint_runs_as_python_dash_m(attempt):
    one = attempt("", argv=["-m", "script", "a"])
    (one.directory / "work" / "script.py").write_text("import sys; print(__name__, sys.argv[1:], __spec__.name)")
    one.start().wait()
    assert one.text(0) == "__main__ ['a'] script\n"


def test_a_missing_entrypoint_is_named(attempt):
    one = attempt("", argv=["nowhere.py"])
    one.start().wait()
    assert one.exit_of(0)["code"] == 2
    assert "can't open the entrypoint 'nowhere.py'" in one.text(0, "stderr")


def test_the_first_rank_that_fails_ends_the_others(attempt):
    one = attempt(
        "import os, sys, time\nprint('up')\n"
        "if os.environ['RANK'] == '1':\n    while not os.path.exists('go'): time.sleep(0.01)\n    sys.exit(4)\n"
        "time.sleep(600)\n",
        ranks=3,
    ).start()
    for rank in range(3):
        one.wait_for_text(rank, "up")
    (one.directory / "work" / "go").touch()
    assert one.wait() == 0
    assert (one.exit_of(1)["code"], one.exit_of(1)["order"]) == (4, 1)
    assert [one.exit_of(rank)["signal"] for rank in (0, 2)] == [signal.SIGTERM, signal.SIGTERM]
    assert one.json("done.json")["reason"] == "failed"


def test_a_rank_that_ignores_sigterm_is_killed_after_the_grace(attempt):
    script = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up')\ntime.sleep(600)\n"
    one = attempt(script, grace_ms=300).start()
    one.wait_for_text(0, "up")
    one.process.send_signal(signal.SIGTERM)
    assert one.wait(PATIENCE) == 0
    assert one.exit_of(0)["signal"] == signal.SIGKILL
    assert one.json("done.json")["reason"] == "stopped"


def test_sigterm_lets_a_rank_end_in_its_own_way(attempt):
    script = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\nprint('up')\ntime.sleep(600)\n"
    one = attempt(script).start()
    one.wait_for_text(0, "up")
    one.process.send_signal(signal.SIGTERM)
    assert one.wait(PATIENCE) == 0
    assert (one.exit_of(0)["code"], one.exit_of(0)["signal"]) == (9, None)


def test_ranks_outlive_the_death_of_whoever_started_the_shim(attempt):
    one = attempt("import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\n")
    agent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import subprocess, time; subprocess.Popen({one.command()!r}, start_new_session=True); time.sleep(600)",
        ],
        env=shim_env(),
    )
    pid = one.started(0)["pid"]
    agent.kill()
    agent.wait()
    assert not gone(pid)
    (one.directory / "work" / "go").touch()
    wait_for("done.json", lambda: one.json("done.json"))
    assert one.exit_of(0)["code"] == 0


def test_no_process_of_a_rank_is_left(attempt):
    # One helper stays in the rank's session, one leaves it for a session of its own, one hides behind two forks.
    script = (
        "import os, subprocess, sys\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "print(subprocess.Popen(sleep).pid)\n"
        "print(subprocess.Popen(sleep, start_new_session=True).pid)\n"
        "hidden = subprocess.run([sys.executable, '-c', 'import subprocess, sys; '\n"
        '  \'print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True,\'\n'
        "  'stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid)'], capture_output=True, text=True).stdout\n"
        "print(hidden)\n"
    )
    one = attempt(script)
    assert one.start().wait(PATIENCE) == 0
    pids = [int(word) for word in one.text(0).split()]
    assert len(pids) == 3
    assert [pid for pid in pids if not gone(pid)] == []


def test_a_second_shim_on_the_same_attempt_leaves_at_once(attempt):
    one = attempt(FOREVER).start()
    one.wait_for_text(0, "up")
    assert subprocess.run(one.command(), env=shim_env(), timeout=PATIENCE, check=False).returncode == 3
    assert not gone(one.started(0)["pid"])
    one.process.send_signal(signal.SIGTERM)
    one.wait()


def test_ranks_die_with_their_shim_and_a_new_shim_only_closes_the_books(attempt):
    one = attempt(FOREVER, ranks=2).start()
    for rank in (0, 1):
        one.wait_for_text(rank, "up")
    pids = [one.started(rank)["pid"] for rank in (0, 1)]
    os.kill(one.process.pid, signal.SIGKILL)
    one.wait()
    wait_for("death of the ranks", lambda: all(gone(pid) for pid in pids))
    assert one.exit_of(0) is None
    assert one.start().wait(PATIENCE) == 0
    assert [one.exit_of(rank)["signal"] for rank in (0, 1)] == [9, 9]
    assert one.json("done.json")["reason"] == "lost"
    assert [one.started(rank)["pid"] for rank in (0, 1)] == pids


def test_a_shim_on_a_finished_attempt_changes_nothing(attempt):
    one = attempt("print('once')")
    one.start().wait()
    before = one.json("done.json")
    assert one.start().wait() == 0
    assert one.json("done.json") == before
    assert one.text(0) == "once\n"


def test_a_rank_inherits_nothing_of_the_platforms_settings(attempt, monkeypatch):
    monkeypatch.setenv("KEPT", "yes")
    one = attempt("import os; print(sorted(k for k in os.environ if k.startswith(('TRAINYARD_NATS', 'KEPT'))))")
    env = {**shim_env(), "TRAINYARD_NATS_SEED_FILE": "/secret"}
    subprocess.run(one.command(), env=env, check=True, timeout=PATIENCE)
    assert one.text(0) == "['KEPT']\n"


def test_a_folder_without_a_spec_is_a_clear_error(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "trainyard.runtime.shim", str(tmp_path)],
        env=shim_env(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "spec.json" in done.stderr
