"""Registered models, their versions, aliases and stages, and finding them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from observe import Observer

from scenarios.scenario import scenario


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
