"""How much time the end of an attempt may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """grace_s: between TERM and KILL; when the machine is taken away, for everything. final_timeout_s: how long nothing
    may become durable at the end."""

    grace_s: float
    final_timeout_s: float


@dataclass(frozen=True, slots=True)
class Deadline:
    """How the time is used when the machine is about to be taken away: monotonic seconds.

    The command has until `kill` to end, files are sent until `send`, their record is made until `end`.
    """

    kill: float
    send: float
    end: float

    @classmethod
    def of(cls, now: float, grace_s: float) -> "Deadline":
        return cls(now + 0.6 * grace_s, now + 0.8 * grace_s, now + 0.9 * grace_s)
