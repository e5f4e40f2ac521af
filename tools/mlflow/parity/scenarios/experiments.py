"""Experiments: making, finding, changing, deleting them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, ViewType
from observe import Observer

from scenarios.scenario import scenario


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
    inside = run.info.run_id
    o.see("point of its run", lambda: c.log_metric(inside, "loss", 0.5))
    o.see("points of its run", lambda: c.log_batch(inside, metrics=[Metric("loss", 0.5, 1, 1)]))
    o.see("parameter of its run", lambda: c.log_param(inside, "lr", "1"))
    o.see("tag of its run", lambda: c.set_tag(inside, "k", "v"))
    o.see("end of its run", lambda: c.set_terminated(inside))
    o.see("restore", lambda: c.restore_experiment(e))
    o.see("point after", lambda: c.log_metric(inside, "loss", 0.25, timestamp=2, step=2))
    o.see("history after", lambda: [(m.step, m.value) for m in c.get_metric_history(inside, "loss")])
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
