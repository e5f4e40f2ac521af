"""A run recorded without a platform: what is in its folder, and how it ends however the process does."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import PATIENCE, shim_env, wait_for

from trainyard.environment import Environment
from trainyard.offline import OfflineError, OfflineWriter, Place, directory_of, open_place
from trainyard.records import encode_metrics, read_records
from trainyard.run import Run
from trainyard.run_id import is_run_id, new_run_id


def start(code: str, cwd: Path, *args: str, **env: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        env={**shim_env(), **env},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def records(run: Path, rank: int = 0) -> list:
    return list(read_records((run / f"rank-{rank}" / "records.bin").read_bytes()))


def objects(run: Path, rank: int = 0) -> dict:
    return {record.value["kind"]: record.value for record in records(run, rank) if hasattr(record, "value")}


def only_run(root: Path) -> Path:
    (run,) = root.glob("run_*")
    return run


def test_a_script_records_what_it_says_and_with_what_it_ran(tmp_path):
    code = (
        "import trainyard\n"
        "params = {'lr': 0.5, 'bad': float('nan'), 'what': object}\n"
        "run = trainyard.init(params, offline='out', experiment='e', name='n', tags={'a': 1})\n"
        "run.log({'loss': 1.5}, step=-3)\nrun.log({'loss': float('nan')})\n"
        "open('r.txt', 'w').write('first')\nrun.artifact('r.txt', 'reports/r.txt')\nopen('r.txt', 'w').write('second')\n"
        "open('m.bin', 'w').write('weights')\nrun.model('m.bin', {'inputs': [], 'outputs': []})\n"
        "run.log_params({'depth': 3})\nrun.finish()\nprint(run.id)"
    )
    process = start(code, tmp_path)
    out, err = process.communicate(timeout=PATIENCE)
    run = only_run(tmp_path / "out")
    assert (process.returncode, out.strip()) == (0, run.name), err
    assert f"trainyard sync {run}" in err
    assert is_run_id(run.name)
    facts = json.loads((run / "run.json").read_text())
    assert (facts["runId"], facts["experiment"], facts["name"], facts["worldSize"]) == (run.name, "e", "n", 1)
    said = records(run)
    assert [record.value["params"] for record in said if getattr(record, "value", {}).get("kind") == "params"] == [
        {"lr": 0.5, "bad": "nan", "what": "<class 'object'>"},
        {"depth": 3},
    ]
    found = objects(run)
    assert found["tags"]["tags"] == {"a": "1"}
    assert [(record.step, repr(record.values["loss"])) for record in said if hasattr(record, "step")] == [
        (-3, "1.5"),
        (-2, "nan"),
    ]
    # The copy is what counts: the script has gone on to change its file.
    assert (run / found["artifact"]["file"]).read_text() == "first"
    assert sorted(os.listdir(run / found["model"]["dir"])) == ["m.bin", "model.json"]
    assert found["environment"]["environment"]["packages"]["pytest"]
    assert found["environment"]["environment"]["python"]["version"].startswith(f"{sys.version_info.major}.")
    assert found["end"]["status"] == "completed"
    assert said[-1].value["kind"] == "end"


@pytest.mark.parametrize(
    ("ending", "status", "message"),
    [
        ("pass", "completed", ""),
        ("raise ValueError('no')", "failed", "ValueError: no"),
        ("import sys; sys.exit(3)", "failed", "exit with 3"),
        ("import sys; sys.exit()", "completed", ""),
        ("raise KeyboardInterrupt", "killed", "KeyboardInterrupt: "),
        ("\nwith run:\n  raise OSError('disk')", "failed", "OSError: disk"),
        ("import os; (os.fork() == 0) or os.wait()", "completed", ""),
    ],
)
def test_the_end_is_told_however_the_script_ends(tmp_path, ending, status, message):
    process = start(f"import trainyard; run = trainyard.init(offline='out'); {ending}", tmp_path)
    process.communicate(timeout=PATIENCE)
    ends = [one.value for one in records(only_run(tmp_path / "out")) if getattr(one, "value", {}).get("kind") == "end"]
    assert [(end["status"], end["message"]) for end in ends] == [(status, message)]


def test_a_killed_run_says_who_wrote_it_and_goes_on_after_its_last_whole_record(tmp_path):
    code = "import time, trainyard\nrun = trainyard.init(offline='out')\nrun.log({'x': 1})\ntime.sleep(60)"
    process = start(code, tmp_path)
    run = wait_for("the first point", lambda: next((tmp_path / "out").glob("run_*/rank-0/writer.json"), None)).parent.parent
    wait_for("the first point", lambda: [one for one in records(run) if hasattr(one, "step")])
    assert json.loads((run / "rank-0" / "writer.json").read_text())["pid"] == process.pid
    again = start("import trainyard; trainyard.init(offline='out')", tmp_path, TRAINYARD_RUN_ID=run.name)
    assert "another process writes" in again.communicate(timeout=PATIENCE)[1]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    file = run / "rank-0" / "records.bin"
    whole = file.stat().st_size
    with file.open("ab") as torn:
        torn.write(encode_metrics(1.0, 9, {"x": 9.0})[:-3])
    code = "import trainyard; run = trainyard.init(offline='out'); run.log({'x': 2}, step=2); run.finish()"
    assert start(code, tmp_path, TRAINYARD_RUN_ID=run.name).wait(PATIENCE) == 0
    assert [(one.step, one.values["x"]) for one in records(run) if hasattr(one, "step")] == [(1, 1.0), (2, 2.0)]
    assert next(one for one in records(run) if one.offset == whole)
    ended = start("import trainyard; trainyard.init(offline='out')", tmp_path, TRAINYARD_RUN_ID=run.name)
    assert "has ended" in ended.communicate(timeout=PATIENCE)[1]


def test_the_ranks_of_one_launch_share_a_run(tmp_path):
    code = (
        "import trainyard\nrun = trainyard.init({'lr': 1}, offline='out')\n"
        "run.log({'x': run.rank}, step=1)\nrun.finish()\nprint(run.id, run.world_size)"
    )
    ranks = [start(code, tmp_path, RANK=str(rank), WORLD_SIZE="3") for rank in range(3)]
    ids = {process.communicate(timeout=PATIENCE)[0].strip() for process in ranks}
    run = only_run(tmp_path / "out")
    assert ids == {f"{run.name} 3"}
    assert [objects(run, rank)["end"]["status"] for rank in range(3)] == ["completed"] * 3
    assert ["params" in objects(run, rank) for rank in range(3)] == [True, False, False]


def test_where_runs_are_recorded():
    assert directory_of(None, {}) is None
    assert directory_of("/a", {"TRAINYARD_OFFLINE": "/b"}) == "/a"
    assert directory_of(None, {"TRAINYARD_OFFLINE": "/b"}) == "/b"
    assert directory_of(None, {"TRAINYARD_URL": "http://x"}) is None
    assert directory_of(None, {"TRAINYARD_URL": "http://x", "TRAINYARD_TOKEN": "t"}).endswith(".trainyard-local/runs")


def test_a_malformed_id_is_refused(tmp_path):
    with pytest.raises(OfflineError, match="expected run_ and 26 characters"):
        open_place(str(tmp_path), rank=0, world_size=1, experiment=None, name=None, env={"TRAINYARD_RUN_ID": "../x"})


def test_ids_sort_by_time():
    first = new_run_id()
    time.sleep(0.002)
    assert first < new_run_id()


def test_logging_costs_microseconds_offline_too(tmp_path, monkeypatch):
    place = open_place(str(tmp_path), rank=0, world_size=1, experiment=None, name=None, env={})
    hooks = (sys.excepthook, sys.exit)
    run = Run(Environment.read({}), {}, place)
    run.log({"loss": 0.5}, step=0)
    taken = []
    for step in range(2000):
        begin = time.perf_counter()
        run.log({"loss": 0.5, "lr": 0.1}, step=step)
        taken.append(time.perf_counter() - begin)
    run.finish()
    monkeypatch.setattr(sys, "excepthook", hooks[0])
    monkeypatch.setattr(sys, "exit", hooks[1])
    # Of a machine that does other things besides, the quicker calls tell what a call costs.
    assert sorted(taken)[len(taken) // 4] < 50e-6


def test_a_record_file_is_written_by_one_process_at_a_time(tmp_path):
    place = Place("run_x", str(tmp_path), str(tmp_path))
    first = OfflineWriter(place)
    with pytest.raises(OfflineError, match="another process"):
        OfflineWriter(place)
    first.append(encode_metrics(1.0, 1, {"x": 1.0}))
