"""What a client saw of a server, in words that do not depend on which server it was."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.store.entities.paged_list import PagedList

_ID_FIELDS = ("experiment_id", "run_id", "run_uuid", "model_id", "source_run_id")
_HIDDEN_FIELDS = ("user_id", "workspace", "trace_location", "trace_archival_retention", "effective_trace_archival_retention")
_RANDOM_NAME = re.compile(r"^[a-z]+-[a-z]+-\d+$")
_EARLIEST_CLOCK_MS = 10**12


class Observer:
    """Runs steps and keeps what each gave: a value, or an error's code and message."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self._ids: dict[str, str] = {}

    def see(self, label: str, call: Callable[[], Any]) -> Any:
        """Run a step; its failure is what was seen, and None its value."""
        try:
            value = call()
        except MlflowException as error:
            self.steps.append({"step": label, "error": error.error_code, "message": self._text(str(error.message))})
            return None
        except Exception as error:  # noqa: BLE001  any failure of the client is something to compare
            self.steps.append({"step": label, "error": type(error).__name__, "message": self._text(str(error))})
            return None
        self._plain(value, "")  # once for the ids in it, which other fields may hold before they are met
        self.steps.append({"step": label, "value": self._plain(value, "")})
        return value

    def know(self, kind: str, raw: str) -> None:
        """Name an id before it is seen in an answer."""
        if raw not in self._ids:
            self._ids[raw] = f"<{kind}#{sum(1 for name in self._ids.values() if name.startswith(f'<{kind}#')) + 1}>"

    def _plain(self, value: Any, field: str) -> Any:
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, (int, float)):
            return self._number(value)
        if isinstance(value, str):
            return self._string(value, field)
        if isinstance(value, PagedList):
            return {"items": [self._plain(item, "") for item in value], "more": bool(value.token)}
        if isinstance(value, Mapping):
            return {str(key): self._plain(item, str(key)) for key, item in sorted(value.items(), key=lambda pair: str(pair[0]))}
        if isinstance(value, (list, tuple)):
            return [self._plain(item, "") for item in value]
        if isinstance(value, set):
            return sorted(self._plain(item, "") for item in value)
        if hasattr(value, "__iter__") and hasattr(type(value), "_properties"):
            return {name: self._plain(item, name) for name, item in value if name not in _HIDDEN_FIELDS}
        if hasattr(value, "to_dictionary"):
            return self._plain(value.to_dictionary(), "")
        if type(value).__module__.startswith("mlflow.entities") and "span" not in type(value).__module__:
            fields = {name.lstrip("_"): item for name, item in vars(value).items()}
            return self._plain({name: item for name, item in fields.items() if name not in _HIDDEN_FIELDS}, "")
        return type(value).__name__

    def _number(self, value: float) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        return "<time>" if isinstance(value, int) and value > _EARLIEST_CLOCK_MS else value

    def _string(self, value: str, field: str) -> str:
        if field in _ID_FIELDS and value != "":
            self.know("run" if field == "source_run_id" or field == "run_uuid" else field.removesuffix("_id"), value)
            return self._ids[value]
        if _RANDOM_NAME.match(value):
            return "<random name>"
        return self._text(value)

    def _text(self, text: str) -> str:
        for raw, name in sorted(self._ids.items(), key=lambda pair: -len(pair[0])):
            text = re.sub(rf"(?:(?<![\w.#])|(?<=%2F)){re.escape(raw)}(?![\w])", name, text)
        text = re.sub(r"\s*Error: \(.*", "", text, flags=re.DOTALL)
        text = re.sub(r"\{('[^{}]*')\}?", lambda found: "{" + ", ".join(sorted(found.group(1).split(", "))) + "}", text)
        text = re.sub(r"http://127\.0\.0\.1:\d+", "<server>", text)
        text = re.sub(r"Response text: (\{.*\})\s*$", _error_of, text, flags=re.DOTALL)
        return re.sub(r"/tmp/[\w./-]+", "<file>", text)


def _error_of(found: re.Match[str]) -> str:
    body = json.loads(found.group(1))
    return f"{body.get('error_code')}: {body.get('message')}"
