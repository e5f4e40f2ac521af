"""Acts on a library when it is imported, now or later: a script may begin its run before it imports torch."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def when_imported(name: str, act: Callable[[ModuleType], None]) -> None:
    """Call `act` with the module at once when it is loaded, else right after its first import."""
    module = sys.modules.get(name)
    if module is not None:
        act(module)
        return
    finder = next((one for one in sys.meta_path if isinstance(one, _Finder)), None)
    if finder is None:
        finder = _Finder()
        sys.meta_path.insert(0, finder)
    finder.acts.setdefault(name, []).append(act)


class _Finder(MetaPathFinder):
    """Finds nothing itself: it puts its loader around the one that the others find."""

    def __init__(self) -> None:
        self.acts: dict[str, list[Callable[[ModuleType], None]]] = {}

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        acts = self.acts.pop(fullname, None)  # taken out first, so that the search below does not end here again
        if acts is None:
            return None
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            self.acts[fullname] = acts  # not there yet; it may be installed or put on the path later
            return None
        spec.loader = _Loader(spec.loader, acts)
        return spec


class _Loader(Loader):
    def __init__(self, inner: Any, acts: Sequence[Callable[[ModuleType], None]]) -> None:
        self._inner, self._acts = inner, acts

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._inner.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        # Before the library runs: whatever asks it for its loader gets the real one.
        module.__loader__ = self._inner
        if module.__spec__ is not None:
            module.__spec__.loader = self._inner
        self._inner.exec_module(module)
        for act in self._acts:
            act(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
