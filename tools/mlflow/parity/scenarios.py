"""What the parity check does with a client: a scenario per group of methods, errors included."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    ExperimentTag,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelParameter,
    Metric,
    Param,
    RunTag,
    ViewType,
)
from observe import Observer

Body = Callable[[MlflowClient, Observer, Path], None]


@dataclass(frozen=True)
class Scenario:
    """A named sequence of steps, and the methods of the client that it is there for."""

    name: str
    methods: tuple[str, ...]
    run: Body


SCENARIOS: list[Scenario] = []


def scenario(*methods: str) -> Callable[[Body], Body]:
    """Register a scenario for these methods, each of which counts as covered by it."""

    def register(body: Body) -> Body:
        SCENARIOS.append(Scenario(body.__name__, methods, body))
        return body

    return register


MISSING_RUN = "f" * 32
LONG = "x" * 9000


@scenario("create_experiment", "get_experiment", "get_experiment_by_name", "rename_experiment", "set_experiment_tag", "delete_experiment_tag")
def experiments(c: MlflowClient, o: Observer, _: Path) -> None:
    o.see("default", lambda: c.get_experiment("0"))
    o.see("default by name", lambda: c.get_experiment_by_name("Default"))
    e = c.create_experiment("one experiment", tags={"team": "vision", "a.b/c": "d e"})
    o.know("experiment", str(e))
    o.see("get", lambda: c.get_experiment(e))
    o.see("by name", lambda: c.get_experiment_by_name("one experiment"))
    o.see("no such name", lambda: c.get_experiment_by_name("nothing"))
    o.see("again", lambda: c.create_experiment("one experiment"))
    o.see("no name", lambda: c.create_experiment(""))
    o.see("long name", lambda: c.create_experiment("n" * 501))
    o.see("longest name", lambda: type(c.create_experiment("n" * 500)).__name__)
    o.see("set tag", lambda: c.set_experiment_tag(e, "team", "speech"))
    o.see("set long tag", lambda: c.set_experiment_tag(e, "k", "v" * 20001))
    o.see("set bad tag", lambda: c.set_experiment_tag(e, "../up", "v"))
    o.see("delete tag", lambda: c.delete_experiment_tag(e, "a.b/c"))
    o.see("delete tag again", lambda: c.delete_experiment_tag(e, "a.b/c"))
    o.see("rename", lambda: c.rename_experiment(e, "renamed"))
    o.see("renamed", lambda: c.get_experiment(e))
    o.see("rename to nothing", lambda: c.rename_experiment(e, ""))
    o.see("no such id", lambda: c.get_experiment("987654321"))
    o.see("rename what is not there", lambda: c.rename_experiment("987654321", "x"))
    o.see("tag what is not there", lambda: c.set_experiment_tag("987654321", "k", "v"))


@scenario("delete_experiment", "restore_experiment")
def experiment_lifecycle(c: MlflowClient, o: Observer, _: Path) -> None:
    e = c.create_experiment("to delete")
    o.know("experiment", e)
    run = c.create_run(e, run_name="inside")
    o.know("run", run.info.run_id)
    o.see("delete", lambda: c.delete_experiment(e))
    o.see("deleted", lambda: c.get_experiment(e))
    o.see("its run", lambda: c.get_run(run.info.run_id).info.lifecycle_stage)
    o.see("delete again", lambda: c.delete_experiment(e))
    o.see("rename deleted", lambda: c.rename_experiment(e, "other"))
    o.see("run in deleted", lambda: c.create_run(e))
    o.see("tag deleted", lambda: c.set_experiment_tag(e, "k", "v"))
    o.see("restore", lambda: c.restore_experiment(e))
    o.see("restored", lambda: c.get_experiment(e))
    o.see("its run again", lambda: c.get_run(run.info.run_id).info.lifecycle_stage)
    o.see("restore again", lambda: c.restore_experiment(e))
    o.see("delete what is not there", lambda: c.delete_experiment("987654321"))
    o.see("restore what is not there", lambda: c.restore_experiment("987654321"))


@scenario("search_experiments")
def experiment_search(c: MlflowClient, o: Observer, _: Path) -> None:
    for index, kind in enumerate(("red", "green", "blue")):
        o.know("experiment", c.create_experiment(f"search {kind}", tags={"kind": kind, "n": str(index)}))
        time.sleep(0.005)
    c.delete_experiment(c.get_experiment_by_name("search blue").experiment_id)

    def names(**query: Any) -> Callable[[], Any]:
        return lambda: [found.name for found in c.search_experiments(**query)]

    mine = "name LIKE 'search %'"
    o.see("like", names(filter_string=mine, order_by=["name ASC"]))
    o.see("all", names(filter_string=mine, view_type=ViewType.ALL, order_by=["name DESC"]))
    o.see("deleted", names(filter_string=mine, view_type=ViewType.DELETED_ONLY))
    o.see("by tag", names(filter_string="tags.kind = 'red'"))
    o.see("by quoted tag", names(filter_string="tags.`kind` != 'red' AND " + mine))
    o.see("ilike", names(filter_string="attribute.name ILIKE 'SEARCH GR%'"))
    o.see("newest first", names(filter_string=mine, view_type=ViewType.ALL, order_by=["creation_time DESC"]))
    o.see("tag null", names(filter_string=mine + " AND tags.nothing IS NULL", order_by=["name"]))
    o.see("tag not null", names(filter_string=mine + " AND tags.kind IS NOT NULL", order_by=["name"]))
    o.see("by time", names(filter_string=mine + " AND creation_time > 0", order_by=["name"]))

    def pages() -> Any:
        first = c.search_experiments(filter_string=mine, view_type=ViewType.ALL, max_results=2, order_by=["name"])
        second = c.search_experiments(filter_string=mine, view_type=ViewType.ALL, max_results=2, order_by=["name"], page_token=first.token)
        return [[found.name for found in page] + [bool(page.token)] for page in (first, second)]

    o.see("pages", pages)
    o.see("bad entity", names(filter_string="thing.name = 'x'"))
    o.see("bad attribute", names(filter_string="colour = 'x'"))
    o.see("unquoted", names(filter_string="name = colour"))
    o.see("garbage", names(filter_string="what is this"))
    o.see("bad order", names(order_by=["colour DESC"]))
    o.see("too many", names(max_results=50001))
    o.see("none", names(max_results=0))


@scenario("create_run", "get_run", "update_run", "set_terminated", "delete_run", "restore_run", "get_parent_run")
def runs(c: MlflowClient, o: Observer, _: Path) -> None:
    e = c.create_experiment("runs")
    o.know("experiment", e)
    run = o.see("create", lambda: c.create_run(e, start_time=1000, tags={"mlflow.user": "ada", "k": "v"}, run_name="first"))
    r = run.info.run_id
    o.see("get", lambda: c.get_run(r))
    o.see("unnamed", lambda: c.create_run(e, start_time=1000))
    o.see("named by tag", lambda: c.create_run(e, start_time=1, tags={"mlflow.runName": "tagged"}))
    o.see("named twice", lambda: c.create_run(e, tags={"mlflow.runName": "a"}, run_name="b"))
    o.see("no experiment", lambda: c.create_run("987654321"))
    o.see("rename", lambda: c.update_run(r, name="second"))
    o.see("renamed", lambda: c.get_run(r))
    o.see("rename by tag", lambda: c.set_tag(r, "mlflow.runName", "third"))
    o.see("renamed by tag", lambda: c.get_run(r).info)
    for status in ("SCHEDULED", "RUNNING", "KILLED", "FAILED", "FINISHED"):
        o.see(f"status {status}", lambda status=status: c.update_run(r, status=status))
        o.see(f"is {status}", lambda: c.get_run(r).info)
    o.see("terminate", lambda: c.set_terminated(r, "FAILED", end_time=5000))
    o.see("terminated", lambda: c.get_run(r).info)
    o.see("end now", lambda: c.set_terminated(r))
    o.see("ended now", lambda: c.get_run(r).info)
    o.see("bad status", lambda: c.update_run(r, status="DREAMING"))
    child = c.create_run(e, start_time=1, tags={"mlflow.parentRunId": r}, run_name="child").info.run_id
    o.know("run", child)
    o.see("parent", lambda: c.get_parent_run(child).info)
    o.see("no parent", lambda: c.get_parent_run(r))
    o.see("lost parent", lambda: c.create_run(e, start_time=1, tags={"mlflow.parentRunId": MISSING_RUN}, run_name="lost"))
    o.see("delete", lambda: c.delete_run(r))
    o.see("deleted", lambda: c.get_run(r))
    o.see("delete again", lambda: c.delete_run(r))
    o.see("log to deleted", lambda: c.log_metric(r, "m", 1.0))
    o.see("param to deleted", lambda: c.log_param(r, "p", 1))
    o.see("tag to deleted", lambda: c.set_tag(r, "t", 1))
    o.see("batch to deleted", lambda: c.log_batch(r, metrics=[Metric("m", 1, 1, 1)]))
    o.see("update deleted", lambda: c.update_run(r, name="x"))
    o.see("restore", lambda: c.restore_run(r))
    o.see("restored", lambda: c.get_run(r).info)
    o.see("restore again", lambda: c.restore_run(r))
    for name, call in {
        "get": lambda: c.get_run(MISSING_RUN),
        "update": lambda: c.update_run(MISSING_RUN, status="FAILED"),
        "terminate": lambda: c.set_terminated(MISSING_RUN),
        "delete": lambda: c.delete_run(MISSING_RUN),
        "restore": lambda: c.restore_run(MISSING_RUN),
        "parent": lambda: c.get_parent_run(MISSING_RUN),
    }.items():
        o.see(f"{name} what is not there", call)


@scenario("log_metric", "get_metric_history")
def metrics(c: MlflowClient, o: Observer, _: Path) -> None:
    e = c.create_experiment("metrics")
    r = c.create_run(e, start_time=1).info.run_id
    o.know("run", r)
    o.see("log", lambda: c.log_metric(r, "loss", 0.5, timestamp=1000, step=1))
    o.see("log again", lambda: c.log_metric(r, "loss", 0.5, timestamp=1000, step=1))
    for value, step in ((0.25, 2), (0.75, 10), (math.nan, 3), (-1, -5), (1e-300, 2**53 - 1), (0.1, 2)):
        o.see(f"log {value} at {step}", lambda value=value, step=step: c.log_metric(r, "loss", value, timestamp=1000 + step % 7, step=step))
    o.see("numpy", lambda: c.log_metric(r, "np/acc 1", np.float32(0.5), timestamp=1000))
    o.see("no step", lambda: c.log_metric(r, "plain", 3, timestamp=5))
    o.see("history", lambda: c.get_metric_history(r, "loss"))
    o.see("history of nothing", lambda: c.get_metric_history(r, "nothing"))
    o.see("latest", lambda: c.get_run(r).data.metrics)
    o.see("bad name", lambda: c.log_metric(r, "a\nb", 1))
    o.see("path name", lambda: c.log_metric(r, "a/../b", 1))
    o.see("empty name", lambda: c.log_metric(r, "", 1))
    o.see("no name", lambda: c.log_metric(r, None, 1))
    o.see("long name", lambda: c.log_metric(r, "m" * 251, 1))
    o.see("text", lambda: c.log_metric(r, "loss", "high"))
    o.see("negative time", lambda: c.log_metric(r, "loss", 1, timestamp=-1))
    o.see("no run", lambda: c.log_metric(MISSING_RUN, "loss", 1))
    o.see("history of no run", lambda: c.get_metric_history(MISSING_RUN, "loss"))


@scenario("log_param", "set_tag", "delete_tag")
def params_and_tags(c: MlflowClient, o: Observer, _: Path) -> None:
    e = c.create_experiment("params")
    r = c.create_run(e, start_time=1, run_name="p").info.run_id
    o.know("run", r)
    o.see("log", lambda: c.log_param(r, "lr", 0.1))
    o.see("same", lambda: c.log_param(r, "lr", 0.1))
    o.see("other", lambda: c.log_param(r, "lr", 0.2))
    o.see("empty", lambda: c.log_param(r, "empty", ""))
    o.see("none", lambda: c.log_param(r, "none", None))
    o.see("unicode", lambda: c.log_param(r, "größe", "ünïcode ✓"))
    o.see("long value", lambda: c.log_param(r, "long", LONG))
    o.see("long name", lambda: c.log_param(r, "p" * 251, 1))
    o.see("bad name", lambda: c.log_param(r, "/abs", 1))
    o.see("no name", lambda: c.log_param(r, None, 1))
    o.see("no run", lambda: c.log_param(MISSING_RUN, "p", 1))
    o.see("params", lambda: {k: v[:50] for k, v in c.get_run(r).data.params.items()})
    o.see("tag", lambda: c.set_tag(r, "colour", "red"))
    o.see("tag over", lambda: c.set_tag(r, "colour", "blue"))
    o.see("tag of number", lambda: c.set_tag(r, "n.m/o", 5))
    o.see("long tag", lambda: c.set_tag(r, "long", LONG))
    o.see("bad tag", lambda: c.set_tag(r, "a//b", "x"))
    o.see("no tag", lambda: c.set_tag(r, None, "x"))
    o.see("tags", lambda: {k: v[:50] for k, v in c.get_run(r).data.tags.items()})
    o.see("delete tag", lambda: c.delete_tag(r, "colour"))
    o.see("delete again", lambda: c.delete_tag(r, "colour"))
    o.see("tag no run", lambda: c.set_tag(MISSING_RUN, "x", "y"))
    o.see("delete of no run", lambda: c.delete_tag(MISSING_RUN, "x"))


@scenario("log_batch")
def batches(c: MlflowClient, o: Observer, _: Path) -> None:
    e = c.create_experiment("batches")
    r = c.create_run(e, start_time=1, run_name="b").info.run_id
    o.know("run", r)
    points = [Metric(f"k{index % 3}", index / 7, 1000 + index, index // 3) for index in range(1000)]
    o.see("full", lambda: c.log_batch(r, metrics=points))
    o.see("mixed", lambda: c.log_batch(r, [Metric("m", math.inf, 1, 1)], [Param("p", "1"), Param("q", "2")], [RunTag("t", "1"), RunTag("t", "2")]))
    o.see("same", lambda: c.log_batch(r, [Metric("m", math.inf, 1, 1), Metric("m", math.inf, 1, 1)], [Param("p", "1")]))
    o.see("differs", lambda: c.log_batch(r, [Metric("late", 1, 1, 1)], [Param("p", "other")]))
    o.see("twice", lambda: c.log_batch(r, params=[Param("z", "1"), Param("z", "2")]))
    o.see("nothing", lambda: c.log_batch(r))
    o.see("run", lambda: c.get_run(r).data)
    o.see("history", lambda: c.get_metric_history(r, "k1")[:3] + c.get_metric_history(r, "k1")[-3:])
    o.see("many params", lambda: c.log_batch(r, params=[Param(f"p{index}", "1") for index in range(101)]))
    o.see("bad metric", lambda: c.log_batch(r, [Metric("ok", 1, 1, 1), Metric("../x", 1, 1, 1)]))
    o.see("bad param", lambda: c.log_batch(r, params=[Param("a\tb", "1")]))
    o.see("bad tag", lambda: c.log_batch(r, tags=[RunTag("a//b", "1")]))
    o.see("rename", lambda: c.log_batch(r, tags=[RunTag("mlflow.runName", "by batch")]))
    o.see("renamed", lambda: c.get_run(r).info.run_name)
    o.see("no run", lambda: c.log_batch(MISSING_RUN, [Metric("m", 1, 1, 1)]))


@scenario("search_runs")
def run_search(c: MlflowClient, o: Observer, _: Path) -> None:
    e = c.create_experiment("search runs")
    other = c.create_experiment("search other runs")
    for index, (loss, rate) in enumerate([(0.5, "0.1"), (0.25, "0.01"), (math.nan, "0.1"), (1.5, "1")]):
        run = c.create_run(e, start_time=1000 + index, run_name=f"run {index}", tags={"kind": "even" if index % 2 == 0 else "odd"})
        o.know("run", run.info.run_id)
        c.log_batch(run.info.run_id, [Metric("loss", loss, 1, 1), Metric("a b/c", index, 1, 1)], [Param("lr", rate)], [RunTag("a b", f"x{index}y")])
        if index == 3:
            c.set_terminated(run.info.run_id, "FAILED", end_time=9000)
    bare = c.create_run(e, start_time=2000, run_name="bare").info.run_id
    o.know("run", bare)
    gone = c.create_run(e, start_time=3000, run_name="gone").info.run_id
    o.know("run", gone)
    c.delete_run(gone)
    c.log_inputs(bare, [DatasetInput(Dataset("iris", "d1", "local", "{}"), [InputTag("mlflow.data.context", "training")])])

    def names(text: str = "", **query: Any) -> Callable[[], Any]:
        return lambda: [found.info.run_name for found in c.search_runs([e, other], filter_string=text, **query)]

    for text in [
        "",
        "metrics.loss > 0.3",
        "metrics.loss <= 0.5 and params.lr = '0.1'",
        "metrics.loss != 0.5",
        "metric.`a b/c` >= 2",
        'metrics."a b/c" < 1',
        "params.lr LIKE '0.%'",
        "params.lr ILIKE '0.0%'",
        "parameters.lr != '0.1'",
        "tags.`a b` LIKE '%1%'",
        "tag.kind = 'even'",
        "attributes.status = 'FAILED'",
        "status != 'FAILED'",
        "status LIKE 'FAI%'",
        "attributes.status = 'RUNNING' and tags.kind = 'odd'",
        "run_name = 'run 1'",
        "`run name` = 'run 1'",
        "attributes.run_name LIKE 'run %'",
        "start_time >= 1002",
        "attributes.end_time = 9000",
        "created < 1001",
        "tags.kind IS NULL",
        "params.lr IS NOT NULL",
        "dataset.name = 'iris'",
        "datasets.digest IN ('d1', 'd2')",
        "dataset.context LIKE 'train%'",
    ]:
        o.see(f"filter {text}", names(text, order_by=["start_time ASC"]))
    o.see("by id", lambda: [f.info.run_name for f in c.search_runs([e], f"run_id IN ('{bare}', 'nothing')")])
    o.see("not by id", lambda: [f.info.run_name for f in c.search_runs([e], f"run_id NOT IN ('{bare}')", order_by=["start_time"])])
    for order in (
        ["metrics.loss ASC"],
        ["metrics.loss DESC"],
        ["params.lr"],
        ["params.lr DESC", "start_time ASC"],
        ["tags.kind ASC", "metrics.`a b/c` DESC"],
        ["attributes.start_time DESC"],
        ["run_name DESC"],
        ["end_time DESC"],
        ["status", "start_time"],
    ):
        o.see(f"order {order}", names(order_by=order))
    o.see("deleted", names(run_view_type=ViewType.DELETED_ONLY))
    o.see("all", names(run_view_type=ViewType.ALL))
    o.see("no experiment", lambda: list(c.search_runs([])))
    o.see("whole", lambda: c.search_runs([e], "run_name = 'run 0'"))

    def pages() -> Any:
        seen, token = [], None
        while True:
            page = c.search_runs([e], max_results=2, page_token=token, order_by=["start_time"])
            seen.append([found.info.run_name for found in page])
            token = page.token
            if not token:
                return seen

    o.see("pages", pages)
    for text in [
        "metrics.loss > 'x'",
        "metrics.loss LIKE '1'",
        "params.lr > '1'",
        "params.lr = 0.1",
        "params.lr = lr",
        "thing.lr = '1'",
        "attributes.colour = '1'",
        "dataset.colour = '1'",
        "start_time LIKE '1'",
        "run_name IN ('a')",
        "metrics.loss IS NULL",
        "metrics.loss > 1 OR metrics.loss < 0",
        "garbage",
        "tags.a =",
    ]:
        o.see(f"bad filter {text}", names(text))
    o.see("bad order", names(order_by=["thing.x"]))
    o.see("bad order attribute", names(order_by=["attributes.colour"]))
    o.see("bad direction", names(order_by=["metrics.loss SIDEWAYS"]))
    o.see("too many", names(max_results=50001))
    o.see("bad token", names(page_token="not a token"))


@scenario("log_inputs", "log_outputs")
def inputs(c: MlflowClient, o: Observer, _: Path) -> None:
    e = c.create_experiment("inputs")
    r = c.create_run(e, start_time=1, run_name="i").info.run_id
    o.know("run", r)
    data = Dataset("iris", "abc", "local", '{"uri": "x"}', schema='{"a": 1}', profile='{"rows": 3}')
    o.see("log", lambda: c.log_inputs(r, [DatasetInput(data, [InputTag("mlflow.data.context", "training"), InputTag("k", "v")])]))
    o.see("second", lambda: c.log_inputs(r, [DatasetInput(Dataset("wine", "def", "http", "{}"), [])]))
    o.see("inputs", lambda: c.get_run(r).inputs)
    model = c.create_logged_model(e, name="linked", source_run_id=r)
    o.know("model", model.model_id)
    o.see("models in", lambda: c.log_inputs(r, models=[LoggedModelInput(model.model_id)]))
    o.see("models out", lambda: c.log_outputs(r, [LoggedModelOutput(model.model_id, 3)]))
    o.see("linked", lambda: (c.get_run(r).inputs, c.get_run(r).outputs))
    o.see("found", lambda: [f.outputs for f in c.search_runs([e])])
    o.see("long name", lambda: c.log_inputs(r, [DatasetInput(Dataset("n" * 501, "d", "s", "{}"), [])]))
    o.see("no run", lambda: c.log_inputs(MISSING_RUN, [DatasetInput(data, [])]))
    o.see("out of no run", lambda: c.log_outputs(MISSING_RUN, [LoggedModelOutput(model.model_id, 3)]))


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


@scenario(
    "create_registered_model",
    "get_registered_model",
    "update_registered_model",
    "rename_registered_model",
    "delete_registered_model",
    "set_registered_model_tag",
    "delete_registered_model_tag",
)
def registered_models(c: MlflowClient, o: Observer, _: Path) -> None:
    o.see("create", lambda: c.create_registered_model("my model", tags={"team": "vision"}, description="what it is"))
    o.see("again", lambda: c.create_registered_model("my model"))
    o.see("plain", lambda: c.create_registered_model("plain"))
    o.see("bad name", lambda: c.create_registered_model("a/b"))
    o.see("no name", lambda: c.create_registered_model(""))
    o.see("get", lambda: c.get_registered_model("my model"))
    o.see("missing", lambda: c.get_registered_model("nothing"))
    o.see("describe", lambda: c.update_registered_model("my model", "other words"))
    o.see("describe missing", lambda: c.update_registered_model("nothing", "x"))
    o.see("tag", lambda: c.set_registered_model_tag("my model", "team", "speech"))
    o.see("tag more", lambda: c.set_registered_model_tag("my model", "a b", "c"))
    o.see("bad tag", lambda: c.set_registered_model_tag("my model", "../x", "c"))
    o.see("tag missing", lambda: c.set_registered_model_tag("nothing", "a", "c"))
    o.see("untag", lambda: c.delete_registered_model_tag("my model", "a b"))
    o.see("untag again", lambda: c.delete_registered_model_tag("my model", "a b"))
    o.see("now", lambda: c.get_registered_model("my model"))
    o.see("rename", lambda: c.rename_registered_model("my model", "our model"))
    o.see("rename onto", lambda: c.rename_registered_model("our model", "plain"))
    o.see("rename missing", lambda: c.rename_registered_model("nothing", "x"))
    o.see("old name", lambda: c.get_registered_model("my model"))
    o.see("delete", lambda: c.delete_registered_model("plain"))
    o.see("delete again", lambda: c.delete_registered_model("plain"))


def _run_with_files(c: MlflowClient, o: Observer, name: str) -> str:
    e = c.create_experiment(name)
    o.know("experiment", e)
    r = c.create_run(e, start_time=1, run_name=name).info.run_id
    o.know("run", r)
    c.log_text(r, "weights", "model/weights.txt")
    return r


@scenario(
    "create_model_version",
    "get_model_version",
    "update_model_version",
    "delete_model_version",
    "set_model_version_tag",
    "delete_model_version_tag",
    "get_model_version_download_uri",
    "get_latest_versions",
    "get_model_version_stages",
    "copy_model_version",
)
def model_versions(c: MlflowClient, o: Observer, _: Path) -> None:
    r = _run_with_files(c, o, "versions")
    c.create_registered_model("versions")
    source = f"{c.get_run(r).info.artifact_uri}/model"
    o.see("create", lambda: c.create_model_version("versions", source, r, tags={"a": "b"}, description="first"))
    o.see("second", lambda: c.create_model_version("versions", f"runs:/{r}/model", r))
    o.see("outside", lambda: c.create_model_version("versions", "s3://bucket/model"))
    o.see("no model", lambda: c.create_model_version("nothing", source, r))
    o.see("source of another", lambda: c.create_model_version("versions", source))
    o.see("local source", lambda: c.create_model_version("versions", "/etc/passwd"))
    o.see("relative source", lambda: c.create_model_version("versions", "s3://bucket/../x"))
    o.see("get", lambda: c.get_model_version("versions", "1"))
    o.see("get missing", lambda: c.get_model_version("versions", "99"))
    o.see("get of missing", lambda: c.get_model_version("nothing", "1"))
    o.see("get no number", lambda: c.get_model_version("versions", "one"))
    o.see("describe", lambda: c.update_model_version("versions", "1", "other words"))
    o.see("tag", lambda: c.set_model_version_tag("versions", "1", "c d", "e"))
    o.see("tag latest", lambda: c.set_model_version_tag("versions", stage="None", key="newest", value="yes"))
    o.see("bad tag", lambda: c.set_model_version_tag("versions", "1", "../c", "e"))
    o.see("untag", lambda: c.delete_model_version_tag("versions", "1", "a"))
    o.see("untag again", lambda: c.delete_model_version_tag("versions", "1", "a"))
    o.see("tag missing", lambda: c.set_model_version_tag("versions", "99", "c", "e"))
    o.see("now", lambda: c.get_model_version("versions", "1"))
    o.see("download uri", lambda: c.get_model_version_download_uri("versions", "1"))
    o.see("download uri of missing", lambda: c.get_model_version_download_uri("versions", "99"))
    o.see("stages", lambda: c.get_model_version_stages("versions", "1"))
    o.see("latest", lambda: c.get_latest_versions("versions"))
    o.see("latest of stage", lambda: c.get_latest_versions("versions", ["Production"]))
    o.see("latest of bad stage", lambda: c.get_latest_versions("versions", ["Dreaming"]))
    o.see("model", lambda: c.get_registered_model("versions"))
    o.see("copy", lambda: c.copy_model_version("models:/versions/1", "copied"))
    o.see("copy missing", lambda: c.copy_model_version("models:/versions/99", "copied"))
    o.see("delete", lambda: c.delete_model_version("versions", "2"))
    o.see("delete again", lambda: c.delete_model_version("versions", "2"))
    o.see("next number", lambda: c.create_model_version("versions", source, r).version)
    o.see("delete all", lambda: c.delete_registered_model("versions"))
    o.see("gone", lambda: c.get_model_version("versions", "1"))


@scenario("set_registered_model_alias", "delete_registered_model_alias", "get_model_version_by_alias")
def aliases(c: MlflowClient, o: Observer, _: Path) -> None:
    r = _run_with_files(c, o, "aliases")
    c.create_registered_model("aliases")
    for _index in range(2):
        c.create_model_version("aliases", f"runs:/{r}/model", r)
    o.see("set", lambda: c.set_registered_model_alias("aliases", "best", "1"))
    o.see("second", lambda: c.set_registered_model_alias("aliases", "Small_one-2", "1"))
    o.see("by alias", lambda: c.get_model_version_by_alias("aliases", "best"))
    o.see("latest", lambda: c.get_model_version_by_alias("aliases", "latest").version)
    o.see("move", lambda: c.set_registered_model_alias("aliases", "best", "2"))
    o.see("moved", lambda: c.get_model_version_by_alias("aliases", "best"))
    o.see("model", lambda: c.get_registered_model("aliases"))
    o.see("missing", lambda: c.get_model_version_by_alias("aliases", "nothing"))
    o.see("of missing", lambda: c.get_model_version_by_alias("nothing", "best"))
    o.see("to missing", lambda: c.set_registered_model_alias("aliases", "best", "99"))
    o.see("reserved", lambda: c.set_registered_model_alias("aliases", "latest", "1"))
    o.see("like a version", lambda: c.set_registered_model_alias("aliases", "v1", "1"))
    o.see("bad", lambda: c.set_registered_model_alias("aliases", "a b", "1"))
    o.see("empty", lambda: c.set_registered_model_alias("aliases", "", "1"))
    o.see("delete", lambda: c.delete_registered_model_alias("aliases", "best"))
    o.see("delete again", lambda: c.delete_registered_model_alias("aliases", "best"))
    o.see("deleted", lambda: c.get_model_version_by_alias("aliases", "best"))


@scenario("transition_model_version_stage")
def stages(c: MlflowClient, o: Observer, _: Path) -> None:
    r = _run_with_files(c, o, "stages")
    c.create_registered_model("stages")
    for _index in range(2):
        c.create_model_version("stages", f"runs:/{r}/model", r)
    o.see("none", lambda: c.transition_model_version_stage("stages", "1", "None"))
    o.see("archive", lambda: c.transition_model_version_stage("stages", "1", "archived"))
    o.see("archived", lambda: c.get_model_version("stages", "1"))
    o.see("bad stage", lambda: c.transition_model_version_stage("stages", "1", "Dreaming"))
    o.see("missing", lambda: c.transition_model_version_stage("stages", "99", "Archived"))
    o.see("latest", lambda: [(v.version, v.current_stage) for v in c.get_latest_versions("stages")])


@scenario("search_registered_models", "search_model_versions")
def registry_search(c: MlflowClient, o: Observer, _: Path) -> None:
    r = _run_with_files(c, o, "registry search")
    for name, colour in (("find a", "red"), ("find b", "blue"), ("Find c", "red")):
        c.create_registered_model(name, tags={"colour": colour})
        time.sleep(0.005)
    for name in ("find a", "find a", "find b"):
        c.create_model_version(name, f"runs:/{r}/model", r, tags={"colour": name[-1]})
        time.sleep(0.005)

    def models(text: str | None = None, **query: Any) -> Callable[[], Any]:
        return lambda: [found.name for found in c.search_registered_models(text, **query)]

    for text in (
        "name = 'find a'",
        "name LIKE 'find %'",
        "name ILIKE 'find %'",
        "name != 'find a' and name LIKE 'find%'",
        "tags.colour = 'red'",
        "tag.`colour` != 'red' and name LIKE 'find%'",
        "tags.colour LIKE 'b%' and name LIKE 'find%'",
        "name LIKE 'nothing%'",
        "colour = 'x'",
        "thing.x = 'y'",
        "name > 'x'",
        "tags.colour > 'x'",
        "name = 5",
        "what is this",
    ):
        o.see(f"models {text}", models(text))
    o.see("order", models("name ILIKE 'find %'", order_by=["name DESC"]))
    o.see("order by time", models("name ILIKE 'find %'", order_by=["last_updated_timestamp DESC"]))
    o.see("bad order", models(order_by=["colour"]))
    o.see("order twice", models(order_by=["name", "name DESC"]))
    o.see("too many", models(max_results=1001))
    o.see("whole", lambda: c.search_registered_models("name = 'find a'"))

    def pages() -> Any:
        first = c.search_registered_models("name ILIKE 'find %'", max_results=2)
        second = c.search_registered_models("name ILIKE 'find %'", max_results=2, page_token=first.token)
        return [[found.name for found in page] + [bool(page.token)] for page in (first, second)]

    o.see("pages", pages)

    def versions(text: str | None = None, **query: Any) -> Callable[[], Any]:
        return lambda: [(found.name, found.version) for found in c.search_model_versions(text, **query)]

    for text in (
        "name = 'find a'",
        "name LIKE 'find %'",
        "name IN ('find a', 'find b')",
        f"run_id = '{r}'",
        f"run_id IN ('{r}') and version_number > 1",
        f"source_path = 'runs:/{r}/model' and version_number = 1",
        "tags.colour = 'a'",
        "version_number LIKE 'x'",
        "colour = 'x'",
        "name = 5",
    ):
        o.see(f"versions {text.replace(r, '<run>')}", versions(text))
    o.see("versions by number", versions("name LIKE 'find %'", order_by=["version_number ASC", "name DESC"]))
    o.see("versions by time", versions("name LIKE 'find %'", order_by=["creation_timestamp DESC"]))
    o.see("versions bad order", versions(order_by=["colour"]))
    o.see("versions whole", lambda: c.search_model_versions("name = 'find b'"))


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
