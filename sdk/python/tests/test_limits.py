"""The limits of a rank: what exceeds them fails, and it is said why."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Attempt, shim_env

MIB = 1024 * 1024
HUNGRY = "held = bytearray(600 * 1024 * 1024)\nfor at in range(0, len(held), 4096): held[at] = 1\nprint('it fits')\n"


def change_spec(one: Attempt, changes: dict[str, Any]) -> None:
    file = one.directory / "spec.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def memory_hierarchy() -> tuple[Path, str]:
    """Where this machine can limit the memory of a group of processes, and by which file."""
    for folder, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        probe = Path(folder) / "trainyard-probe"
        try:
            probe.mkdir(exist_ok=True)
            there = (probe / limit).exists()
            probe.rmdir()
        except OSError:
            continue
        if there:
            return Path(folder), limit
    raise AssertionError("expected a memory cgroup that this user may make groups in, as root has")


def unified_hierarchy() -> Path:
    for folder in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        if (Path(folder) / "cgroup.controllers").exists():
            return Path(folder)
    raise AssertionError("expected cgroup v2 to be mounted")


@pytest.fixture
def cgroup() -> Iterator[Callable[[Path], Path]]:
    made: list[Path] = []

    def make(root: Path) -> Path:
        made.append(root / f"trainyard-test-{os.getpid()}-{len(made)}")
        made[-1].mkdir()
        return made[-1]

    yield make
    for folder in made:
        folder.rmdir()


def test_a_rank_that_needs_more_memory_than_it_may_fails_with_an_error_of_its_own(attempt):
    one = attempt(HUNGRY)
    change_spec(one, {"limits": {"memoryBytes": 200 * MIB}})
    one.start().wait()
    assert one.exit_of(0)["code"] == 1
    assert one.text(0, "stderr").endswith("MemoryError\n")


def test_a_rank_within_its_limits_runs(attempt):
    one = attempt(HUNGRY)
    change_spec(one, {"limits": {"memoryBytes": 900 * MIB, "processes": 100, "openFiles": 100}})
    one.start().wait()
    assert one.text(0) == "it fits\n"
    assert "the number of processes is not limited here" in one.text(0, "stderr")


def test_open_files_are_limited_for_good(attempt):
    one = attempt(
        "import resource\nprint(resource.getrlimit(resource.RLIMIT_NOFILE))\nheld = [open('/dev/null') for _ in range(100)]\n"
    )
    change_spec(one, {"limits": {"openFiles": 64}})
    one.start().wait()
    assert one.text(0) == "(64, 64)\n"
    assert "Too many open files" in one.text(0, "stderr")


def test_a_rank_that_the_kernel_killed_for_lack_of_memory_says_so_and_its_peers_do_not(attempt, cgroup):
    root, limit = memory_hierarchy()
    small = cgroup(root)
    (small / limit).write_text(str(150 * MIB))
    one = attempt("import os, time\nif os.environ['RANK'] == '1': time.sleep(600)\n" + HUNGRY, ranks=2)

    enters = "import os, sys; open(sys.argv[1], 'w').write('0'); os.execv(sys.argv[2], sys.argv[2:])"
    command = [sys.executable, "-c", enters, str(small / "cgroup.procs"), *one.command()]
    one.process = subprocess.Popen(command, env=shim_env(), start_new_session=True)
    one.wait()
    assert one.exit_of(0) == {**one.exit_of(0), "signal": 9, "order": 1, "oom": True}
    assert "oom" not in one.exit_of(1)


def test_a_rank_that_a_signal_killed_is_not_taken_for_one_that_had_no_memory(attempt):
    one = attempt("import os; os.kill(os.getpid(), 9)")
    one.start().wait()
    assert "oom" not in one.exit_of(0)


def test_a_rank_is_in_a_cgroup_of_its_own_that_goes_with_it(attempt, cgroup):
    parent = cgroup(unified_hierarchy())
    one = attempt("import os; print(*[line for line in open('/proc/self/cgroup') if line.startswith('0::')])", ranks=2)
    change_spec(one, {"cgroup": str(parent)})
    one.start().wait()
    name = f"{parent.name}/{one.directory.name}-rank-"
    assert [name + str(rank) in one.text(rank) for rank in (0, 1)] == [True, True]
    assert [entry for entry in parent.iterdir() if entry.is_dir()] == []


def test_a_limit_that_the_cgroup_cannot_hold_stops_the_rank_and_says_which(attempt, cgroup):
    parent = cgroup(unified_hierarchy())  # nobody has given it the controller for processes
    one = attempt("print('ran')")
    change_spec(one, {"cgroup": str(parent), "limits": {"processes": 50}})
    one.start().wait()
    assert one.exit_of(0)["code"] == 127
    assert one.text(0) == ""
    assert "pids.max" in one.text(0, "stderr")
    for left in parent.iterdir():
        if left.is_dir():
            left.rmdir()


def test_a_rank_may_have_a_folder_of_its_own(attempt):
    one = attempt("import os; print(os.getcwd()); open('mine', 'w').close()", ranks=2)
    spec = json.loads((one.directory / "spec.json").read_text())
    for rank in spec["ranks"]:
        rank["cwd"] = f"rank-{rank['rank']}/work"
        own = one.directory / rank["cwd"]
        own.mkdir(parents=True)
        (own / "script.py").write_text((one.directory / "work" / "script.py").read_text())
    change_spec(one, {"ranks": spec["ranks"]})
    one.start().wait()
    assert [one.text(rank) for rank in (0, 1)] == [f"{one.directory}/rank-{rank}/work\n" for rank in (0, 1)]
    assert not (one.directory / "work" / "mine").exists()
