"""What may happen to an attempt, and where who decides hears of it."""

import signal
from dataclasses import dataclass
from queue import SimpleQueue

from osmo.agent.requests import Answered
from osmo.agent.spot import Notice


@dataclass(frozen=True, slots=True)
class Durable:
    """A stream's last checkpoint is in the store."""

    place: int


@dataclass(frozen=True, slots=True)
class ForCommand:
    """A signal that came to us and is the command's: Ctrl-C."""

    signum: signal.Signals


@dataclass(frozen=True, slots=True)
class Stirred:
    """There may be something new to see: of the command, or of what others want."""


Event = signal.Signals | Durable | Notice | Answered | ForCommand | Stirred
Events = SimpleQueue[Event]
