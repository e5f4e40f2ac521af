"""Finding runs: filters, orders, pages, and what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType
from observe import Observer

from scenarios.scenario import scenario


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
