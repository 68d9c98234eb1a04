"""Signals only enqueue. What they mean is decided where everything else is decided."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any


def _as_it_is(signum: signal.Signals) -> signal.Signals:
    return signum


@contextmanager
def queued(
    events: "SimpleQueue[Any]", *signums: signal.Signals, event: Callable[[signal.Signals], Any] = _as_it_is
) -> Iterator[None]:
    """Inside the block each signal becomes an event; after it, the old handlers are back."""

    def put(got: int, _frame: Any) -> None:
        events.put(event(signal.Signals(got)))

    old = {number: signal.signal(number, put) for number in signums}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
