"""Runs, and what is logged into them: metrics, parameters, tags, batches, inputs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput, LoggedModelOutput, Metric, Param, RunTag
from observe import Observer

from scenarios.scenario import MISSING_RUN, scenario

LONG = "x" * 9000


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
