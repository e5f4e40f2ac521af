"""Files of runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from observe import Observer

from scenarios.scenario import MISSING_RUN, scenario


@scenario(
    "log_artifact",
    "log_artifacts",
    "list_artifacts",
    "download_artifacts",
    "log_text",
    "log_dict",
    "log_image",
    "log_figure",
    "log_table",
    "load_table",
    "log_stream",
)
def artifacts(c: MlflowClient, o: Observer, folder: Path) -> None:
    e = c.create_experiment("artifacts")
    r = c.create_run(e, start_time=1, run_name="a").info.run_id
    o.know("experiment", e)
    o.know("run", r)
    o.see("none", lambda: c.list_artifacts(r))
    source = folder / "source"
    (source / "deep").mkdir(parents=True)
    (source / "one.txt").write_text("one")
    (source / "empty.bin").write_bytes(b"")
    (source / "deep" / "two words.txt").write_text("zwei ✓")
    o.see("file", lambda: c.log_artifact(r, str(source / "one.txt")))
    o.see("file in folder", lambda: c.log_artifact(r, str(source / "one.txt"), "some/folder"))
    o.see("folder", lambda: c.log_artifacts(r, str(source), "all"))
    o.see("text", lambda: c.log_text(r, "hello", "notes/hello.txt"))
    o.see("dict", lambda: c.log_dict(r, {"a": [1, 2]}, "data.json"))
    o.see("yaml", lambda: c.log_dict(r, {"a": [1, 2]}, "data.yaml"))
    o.see("image", lambda: c.log_image(r, np.zeros((2, 2, 3), dtype=np.uint8), "black.png"))

    def figure() -> None:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib.figure import Figure

        drawn = Figure()
        drawn.add_subplot().plot([1, 2, 3])
        c.log_figure(r, drawn, "figure.png")

    o.see("figure", figure)

    def stream() -> None:
        import io

        c.log_stream(r, io.BytesIO(b"streamed"), "stream.bin")

    o.see("stream", stream)
    o.see("table", lambda: c.log_table(r, {"q": ["a", "b"], "n": [1, 2]}, "table.json"))
    o.see("more table", lambda: c.log_table(r, {"q": ["c"], "n": [3]}, "table.json"))
    o.see("load table", lambda: c.load_table(e, "table.json", run_ids=[r]).to_dict("list"))
    o.see("root", lambda: [(f.path, f.is_dir) for f in c.list_artifacts(r)])
    o.see("sizes", lambda: [f for f in c.list_artifacts(r, "all")])
    o.see("deep", lambda: c.list_artifacts(r, "all/deep"))
    o.see("folder that is a file", lambda: c.list_artifacts(r, "one.txt"))
    o.see("no such folder", lambda: c.list_artifacts(r, "nowhere"))
    target = folder / "target"
    target.mkdir()
    o.see("download file", lambda: Path(c.download_artifacts(r, "one.txt", str(target))).read_text())
    o.see(
        "download folder",
        lambda: sorted(
            (str(p.relative_to(target)), p.read_text()) for p in Path(c.download_artifacts(r, "all", str(target))).rglob("*") if p.is_file()
        ),
    )
    o.see("over", lambda: c.log_text(r, "second", "notes/hello.txt"))
    o.see("is over", lambda: Path(c.download_artifacts(r, "notes/hello.txt")).read_text())
    o.see("up", lambda: c.list_artifacts(r, "../other"))
    o.see("absolute", lambda: c.list_artifacts(r, "/etc"))
    o.see("no run", lambda: c.list_artifacts(MISSING_RUN))
    o.see("log to no run", lambda: c.log_text(MISSING_RUN, "x", "x.txt"))
