"""Signals only enqueue. What they mean is decided where everything else is decided."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any


@contextmanager
def queued(events: "SimpleQueue[Any]", *signums: signal.Signals) -> Iterator[None]:
    """Inside the block each signal becomes an event; after it, the old handlers are back."""
    old = {number: signal.signal(number, lambda got, _frame: events.put(signal.Signals(got))) for number in signums}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
