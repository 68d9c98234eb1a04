"""What the supervisor should do next. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from osmo.states import State

_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One task's newest attempt. starts: how often this supervisor started its agent; started_at: when last."""

    task: str
    state: State
    alive: bool
    starts: int = 0
    started_at: float = 0.0


def to_start(tasks: Sequence[Seen], now: float) -> list[str]:
    """The tasks that need an agent now. One that died is replaced, after 1 s, 2 s … 60 s."""
    return [task.task for task in tasks if not task.state.over and not task.alive and now >= _earliest(task)]


def _earliest(task: Seen) -> float:
    if task.starts == 0:
        return 0.0
    return task.started_at + min(_LONGEST_WAIT_S, 2.0 ** min(task.starts - 1, 10))
