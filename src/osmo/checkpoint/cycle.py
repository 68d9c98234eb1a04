"""One cycle: one pass over one path."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from osmo.checkpoint.manifest import Trigger
from osmo.checkpoint.meter import Meter
from osmo.checkpoint.tree import Scan, Stat


@dataclass(slots=True)
class Cycle:
    """What one cycle knows: why it runs, what it found, what became of it.

    due: the files that it looks at more closely. moving: those of them that are being written.
    """

    trigger: Trigger
    exit_code: int | None
    stop: threading.Event
    begun: datetime
    begun_s: float
    meter: Meter
    scan: Scan
    due: Mapping[str, Stat]
    moving: set[str] = field(default_factory=set)
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def last(self) -> bool:
        return self.trigger is not Trigger.INTERVAL

    @property
    def hurried(self) -> bool:
        """It is to make way for the last one."""
        return self.stop.is_set() and not self.last
