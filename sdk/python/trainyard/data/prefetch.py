"""Makes the next batches while the loop computes: one thread, a bounded number of batches, errors raised in the loop.

The thread is started at the first batch that is asked for, so never in a process that ranks are forked from. It is a daemon:
a script that ends in the middle of an epoch does not wait for it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
#: How long a closed prefetcher waits for its thread to leave the batch that it is in.
_LEAVE_SECONDS = 5.0


class Prefetched(Generic[T]):
    """An iterator over `source`, which a thread keeps `depth` items ahead. Close it, or take it to its end."""

    def __init__(self, source: Iterator[T], depth: int) -> None:
        self._source = source
        self._depth = depth
        self._ready: deque[T] = deque()
        self._changed = threading.Condition()
        self._over = False
        self._closed = False
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def __iter__(self) -> Prefetched[T]:
        return self

    def __next__(self) -> T:
        """Return the next item; raises what the source raised, after the items before it."""
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._work, name="trainyard-prefetch", daemon=True)
            self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._over or self._closed)
            if self._ready:
                item = self._ready.popleft()
                self._changed.notify_all()
                return item
            error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    def close(self) -> None:
        """End the thread and drop what it has made."""
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_LEAVE_SECONDS)

    def _work(self) -> None:
        try:
            for item in self._source:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._ready) < self._depth or self._closed)
                    if self._closed:
                        return
                    self._ready.append(item)
                    self._changed.notify_all()
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()
