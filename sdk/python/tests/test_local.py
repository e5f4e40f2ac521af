"""Outside the platform: importing is cheap, nothing is printed, everything works."""

import subprocess
import sys
import time

import pytest
from conftest import PATIENCE, shim_env

from trainyard.checkpoint import CheckpointError
from trainyard.environment import Environment
from trainyard.records import read_records
from trainyard.run import Run


def python(code: str, cwd, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**shim_env(), **env},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_importing_loads_no_heavy_library(tmp_path):
    heavy = {"torch", "numpy", "pyarrow", "asyncio", "http.client", "ssl", "multiprocessing", "unittest", "xml"}
    code = f"import sys, trainyard\nrun = trainyard.init()\nprint(*sorted({heavy!r} & set(sys.modules)))"
    assert python(code, tmp_path).stdout == "\n"


def test_a_script_runs_on_its_own_and_prints_nothing(tmp_path):
    code = (
        "import trainyard\nrun = trainyard.init({'lr': 0.5, 'epochs': 2})\n"
        "assert (run.rank, run.world_size, run.id, run.is_main, run.attempt) == (0, 1, 'local', True, 1)\n"
        "assert run.params == {'lr': 0.5, 'epochs': 3}\n"
        "assert run.resume() == 0\nrun.log({'loss': 1}, step=1)\nrun.log({'loss': float('nan')})\n"
        "assert trainyard.init() is run\nrun.finish()\n"
    )
    done = python(code, tmp_path, TRAINYARD_PARAMS='{"epochs": 3}')
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_interrupted_local_run_goes_on_and_a_finished_one_starts_afresh(tmp_path):
    code = (
        "import random, sys, trainyard\nrun = trainyard.init()\nstep = run.resume()\n"
        "print(step, random.random() if step else random.seed(3))\n"
        "run.checkpoint(step + 5)\n"
        "if sys.argv[1] == 'finish': run.finish()\n"
        "else: print(random.random())\n"
    )

    def start(how: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", code, how],
            env=shim_env(),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        return done.stdout.split()

    first = start("crash")
    second = start("finish")
    assert first[:2] == ["0", "None"]
    assert second == ["5", first[2]]
    assert start("finish")[0] == "0"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("RANK", "one", "RANK is 'one'; expected an integer"),
        ("TRAINYARD_PARAMS", "{", "TRAINYARD_PARAMS is not JSON"),
        ("TRAINYARD_PARAMS", "[1]", "TRAINYARD_PARAMS holds list; expected a JSON object"),
    ],
)
def test_a_malformed_variable_is_named(name, value, message):
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        Environment.read({name: value})


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(Environment.read({"TRAINYARD_RANK_DIR": str(tmp_path / "rank-0"), "TRAINYARD_ATTEMPT_DIR": str(tmp_path)}))


def records(tmp_path):
    return list(read_records((tmp_path / "rank-0" / "records.bin").read_bytes()))


def test_the_first_log_says_that_training_has_begun(run, tmp_path):
    run.log({"loss": 1.5, "n": 3}, step=10)
    run.log({"loss": 1.25})
    begun, first, second = records(tmp_path)
    assert begun.value["kind"] == "first_step"
    assert (first.step, first.values) == (10, {"loss": 1.5, "n": 3.0})
    assert (second.step, second.values) == (11, {"loss": 1.25})


def test_a_value_that_is_no_number_is_refused_by_name(run, tmp_path):
    with pytest.raises(ValueError, match="a note about metric 'loss' is about a step of it, too"):
        run.note("x", key="loss")
    with pytest.raises(ValueError, match=r"step 9007199254740992: expected -9007199254740991 to 9007199254740991"):
        run.note("x", step=2**53)
    with pytest.raises(TypeError, match="metric 'note' is a str; expected a number"):
        run.log({"note": "x"}, step=1)


def test_logging_costs_microseconds(run):
    values = {"loss": 0.5, "lr": 0.1}
    taken = []
    for step in range(2000):
        begin = time.perf_counter()
        run.log(values, step=step)
        taken.append(time.perf_counter() - begin)
    # Of a machine that does other things besides, the quicker calls tell what a call costs.
    assert sorted(taken)[len(taken) // 4] < 50e-6


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a//b", "a/./b", "a\\b", "a\nb", "x" * 513])
def test_an_artifact_whose_name_leads_out_of_the_run_is_refused_in_words(run, tmp_path, name):
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(ValueError, match=r"artifact name .* expected a relative path such as"):
        run.artifact(str(tmp_path / "a.txt"), name)


def test_artifacts_are_recorded_by_their_name_in_the_run(run, tmp_path):
    folder = tmp_path / "plots"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.png").write_bytes(b"x")
    run.artifact(str(folder))
    run.artifact(str(folder / "deep" / "a.png"), "b.png")
    assert [(record.value["path"], record.value["file"]) for record in records(tmp_path)] == [
        ("plots/deep/a.png", str(folder / "deep" / "a.png")),
        ("b.png", str(folder / "deep" / "a.png")),
    ]
    with pytest.raises(FileNotFoundError, match="there is no file"):
        run.artifact("nowhere.txt")


def test_a_checkpoint_is_due_every_so_many_steps(tmp_path):
    env = Environment.read({"TRAINYARD_CHECKPOINT_EVERY_STEPS": "50"})
    assert [step for step in range(160) if Run(env).should_checkpoint(step)] == [50, 100, 150]


def test_a_resume_that_would_start_something_afresh_is_refused(tmp_path):
    torch = pytest.importorskip("torch")

    def begin() -> Run:
        return Run(Environment.read({"TRAINYARD_ATTEMPT_DIR": str(tmp_path)}))

    net = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    written = begin()
    written.checkpoint(5, model=net, optimizer=optimizer, scheduler=scheduler, state={"n": 1})
    written._flush_at_exit()
    whole = {"model": net, "optimizer": optimizer, "scheduler": scheduler, "state": {}}
    cases = {
        "holds the state of the optimizer, which the script did not hand over": {**whole, "optimizer": None},
        "holds a state of the script's own": {**whole, "state": None},
        "model does not fit": {**whole, "model": torch.nn.Linear(3, 2)},
        "it is of an optimizer with other settings": {**whole, "optimizer": torch.optim.Adam(net.parameters())},
        "that the other has not": {**whole, "scheduler": torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)},
    }
    for words, handed in cases.items():
        with pytest.raises(CheckpointError, match=words):
            begin().resume(**handed)
    assert begin().resume(**whole) == 5
    with open(next(tmp_path.rglob("model.pt")), "r+b") as damaged:
        damaged.write(b"garbage")
    with pytest.raises(CheckpointError, match=r"model\.pt cannot be read"):
        begin().resume(**whole)


def test_a_script_that_trains_without_loading_the_checkpoint_it_was_given_is_refused(tmp_path):
    env = {"TRAINYARD_RANK_DIR": str(tmp_path / "rank-0"), "TRAINYARD_ATTEMPT_DIR": str(tmp_path)}
    one = Run(Environment.read({**env, "TRAINYARD_RESUME_DIR": str(tmp_path / "resume")}))
    with pytest.raises(CheckpointError, match=r"trains without having loaded it: call run\.resume"):
        one.checkpoint(5)
    with pytest.raises(CheckpointError, match=r"holds no rank-0/rank\.json; the checkpoint is not whole"):
        one.resume()
