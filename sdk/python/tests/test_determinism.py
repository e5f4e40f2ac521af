"""What a script computes follows from its seed, whenever it imports what it computes with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

DRAWS = """
import json, os, random, sys
sys.path.insert(0, os.getcwd())
{before}
import trainyard
trainyard.init()
import torch, numpy, made_up
print(json.dumps({{
    "drawn": [random.random(), float(numpy.random.rand()), torch.rand(1).item()],
    "algorithms": torch.are_deterministic_algorithms_enabled(),
    "warnOnly": torch.is_deterministic_algorithms_warn_only_enabled(),
    "cudnn": [torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark],
    "workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    "loader": type(torch.__spec__.loader).__name__,
    "compiler": "torch._inductor" in sys.modules,
}}))
"""


def drawn(folder: Path, before: str = "", **env: str) -> dict[str, object]:
    (folder / "made_up.py").write_text("")
    script = folder / "draw.py"
    script.write_text(DRAWS.format(before=before))
    source = str(Path(__file__).parents[1])
    own = {name: value for name, value in os.environ.items() if not name.startswith("TRAINYARD_")}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=folder, env={**own, "PYTHONPATH": source, **env}, capture_output=True, check=True
    )
    return dict(json.loads(done.stdout))


def test_libraries_imported_after_init_are_seeded_and_deterministic_as_those_before(tmp_path: Path) -> None:
    late = drawn(tmp_path, TRAINYARD_SEED="7")
    assert late == drawn(tmp_path, "import torch, numpy", TRAINYARD_SEED="7")
    assert late["algorithms"] is True
    assert late["warnOnly"] is True
    assert late["cudnn"] == [True, False]
    assert late["workspace"] == ":4096:8"
    assert late["loader"] == "SourceFileLoader"
    assert late["compiler"] is False


def test_a_job_may_opt_out_of_the_flags_and_keeps_its_seeds(tmp_path: Path) -> None:
    free = drawn(tmp_path, TRAINYARD_SEED="7", TRAINYARD_DETERMINISTIC="0")
    assert free["algorithms"] is False
    assert free["workspace"] is None
    assert drawn(tmp_path, TRAINYARD_SEED="8", TRAINYARD_DETERMINISTIC="0")["drawn"] != free["drawn"]
