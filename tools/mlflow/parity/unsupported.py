"""One call of each method of the client that no scenario covers: a server that leaves it out says so."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from mlflow import MlflowClient
from mlflow.entities.webhook import WebhookEvent

_BY_NAME: dict[str, Any] = {
    "prompt_version": 1,
    "version": 1,
    "events": [WebhookEvent.from_str("registered_model.created")],
    "url": "https://example.com/hook",
    "experiment_ids": ["0"],
    "experiment_id": "0",
    "trace_ids": ["tr-0"],
    "trace_id": "tr-0",
    "request_id": "tr-0",
    "tags": {"a": "b"},
    "template": "Hello {{name}}",
    "max_timestamp_millis": 1,
    "prompt_versions": [],
    "server_json": {"name": "io.example/a", "version": "1.0.0"},
    "transport_type": None,
    "locations": ["0"],
    "run_id": "f" * 32,
    "workspace_name": "team",
}


def call_of(method: str) -> Callable[[MlflowClient], Any]:
    """Make a call of the method with a value for each argument that it needs."""

    def call(client: MlflowClient) -> Any:
        function = getattr(client, method)
        needed = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        values = {p.name: _BY_NAME.get(p.name, "x") for p in needed}
        if "workspace" in method and "name" in values:
            values["name"] = "team"
        if method in ("create_prompt", "register_prompt"):
            values["name"] = "a-prompt"
        if method == "search_traces":
            values["locations"] = ["0"]
        if method in ("delete_traces",):
            values |= {"max_timestamp_millis": 1}
        if method in ("create_dataset", "search_datasets"):
            values |= {"experiment_ids": ["0"]} if method == "search_datasets" else {}
        if method.startswith("update_"):
            optional = inspect.signature(function).parameters
            values |= {name: "x" for name in ("description", "display_name") if name in optional}
        return function(**values)

    return call
