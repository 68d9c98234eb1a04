"""One cycle: one pass over one path."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from osmo.checkpoint.manifest import Trigger
from osmo.checkpoint.meter import Meter
from osmo.checkpoint.tree import Scan, Stat
from osmo.errors import StoreError


@dataclass(slots=True)
class Cycle:
    """What one cycle knows: why it runs, what it found, what became of it.

    due: the files that it looks at more closely. moving: those of them that are being written. unsent: those that there
    was no time for. out_of_time: whether its deadline has passed. failed: why it is
    not the last one yet, although everything else is done.
    """

    trigger: Trigger
    exit_code: int | None
    stop: threading.Event
    begun: datetime
    meter: Meter
    out_of_time: Callable[[], bool]
    scan: Scan
    due: Mapping[str, Stat]
    problems: dict[str, str]
    moving: set[str] = field(default_factory=set)
    unsent: set[str] = field(default_factory=set)
    failed: StoreError | None = None

    @property
    def last(self) -> bool:
        return self.trigger is not Trigger.INTERVAL

    @property
    def makes_way(self) -> bool:
        """The last one is to come, and this one to end without a commit."""
        return self.stop.is_set() and not self.last

    @property
    def hurried(self) -> bool:
        """Nothing more is to be begun."""
        return self.makes_way or self.out_of_time()
