"""Logged models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from observe import Observer

from scenarios.scenario import scenario


@scenario(
    "create_logged_model",
    "get_logged_model",
    "finalize_logged_model",
    "set_logged_model_tags",
    "delete_logged_model_tag",
    "log_model_params",
    "delete_logged_model",
    "search_logged_models",
    "log_model_artifact",
    "log_model_artifacts",
    "list_logged_model_artifacts",
)
def logged_models(c: MlflowClient, o: Observer, folder: Path) -> None:
    e = c.create_experiment("logged models")
    o.know("experiment", e)
    r = c.create_run(e, start_time=1, run_name="maker").info.run_id
    o.know("run", r)
    model = o.see("create", lambda: c.create_logged_model(e, name="first", source_run_id=r, tags={"a": "b"}, params={"lr": "0.1"}, model_type="classifier"))
    m = model.model_id
    o.see("get", lambda: c.get_logged_model(m))
    o.see("unnamed", lambda: c.create_logged_model(e))
    o.see("bad name", lambda: c.create_logged_model(e, name="a/b"))
    o.see("no experiment", lambda: c.create_logged_model("987654321", name="x"))
    o.see("tags", lambda: c.set_logged_model_tags(m, {"c d": "e", "a": "z"}))
    o.see("untag", lambda: c.delete_logged_model_tag(m, "c d"))
    o.see("untag again", lambda: c.delete_logged_model_tag(m, "c d"))
    o.see("params", lambda: c.log_model_params(m, {"depth": "3"}))
    o.see("metric", lambda: c.log_metric(r, "acc", 0.5, timestamp=7, step=1, model_id=m, dataset_name="iris", dataset_digest="d1"))
    (folder / "weights.txt").write_text("weights")
    o.see("file", lambda: c.log_model_artifact(m, str(folder / "weights.txt")))
    inner = folder / "inner"
    inner.mkdir()
    (inner / "code.py").write_text("pass")
    o.see("files", lambda: c.log_model_artifacts(m, str(inner)))
    o.see("listed", lambda: c.list_logged_model_artifacts(m))
    o.see("finalize", lambda: c.finalize_logged_model(m, "READY"))
    o.see("ready", lambda: c.get_logged_model(m))
    second = c.create_logged_model(e, name="second", params={"lr": "0.5"})
    o.know("model", second.model_id)

    def names(text: str | None = None, **query: Any) -> Callable[[], Any]:
        return lambda: [found.name for found in c.search_logged_models([e], text, **query)]

    for text in (
        "name = 'first'",
        "name LIKE '%s%' AND params.lr = '0.5'",
        "metrics.acc > 0.1",
        "metrics.acc > 0.9",
        "tags.a = 'z'",
        "attributes.model_type = 'classifier'",
        "name IN ('first', 'second')",
        "status = 'READY'",
        f"source_run_id = '{r}'",
        "colour = 'x'",
        "metrics.acc > 'x'",
    ):
        o.see(f"search {text.replace(r, '<run>')}", names(text, order_by=[{"field_name": "name"}]))
    o.see("by metric", names("name IN ('first', 'second')", order_by=[{"field_name": "metrics.acc", "ascending": False}]))
    o.see("on dataset", names(datasets=[{"dataset_name": "iris"}]))
    o.see("on other dataset", names(datasets=[{"dataset_name": "wine"}]))
    o.see("bad order", names(order_by=[{"field_name": "params.lr"}]))
    o.see("delete", lambda: c.delete_logged_model(second.model_id))
    o.see("deleted", lambda: c.get_logged_model(second.model_id))
    o.see("missing", lambda: c.get_logged_model("m-" + "0" * 32))
    o.see("finalize missing", lambda: c.finalize_logged_model("m-" + "0" * 32, "READY"))
    c.create_registered_model("of logged")
    o.see("register", lambda: c.create_model_version("of logged", f"models:/{m}", r, model_id=m))
    o.see("download", lambda: c.get_model_version_download_uri("of logged", "1"))
