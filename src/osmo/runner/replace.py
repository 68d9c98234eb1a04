"""Which attempts need another agent, and which are given up. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from osmo.states import State

LIVES_S = 60.0  # an agent that lived so long did start; the next death is the first again
_LONGEST_WAIT_S = 60.0
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Seen:
    """One task's newest attempt. starts: how often its agent was started in a row without living long; started_at: when
    last. begun: whether the command was ever started."""

    task: str
    state: State
    alive: bool
    starts: int = 0
    started_at: float = 0.0
    begun: bool = False


def to_start(tasks: Sequence[Seen], now: float) -> list[str]:
    """The tasks that need an agent now. One that died is replaced, after 1 s, 2 s … 60 s."""
    return [task.task for task in tasks if not task.state.over and not task.alive and now >= _earliest(task)]


def to_give_up(tasks: Sequence[Seen]) -> list[str]:
    """The tasks whose agent dies at every start, 10 times by now, and whose command never began: nothing is lost.

    A command that began, alive or not, has data to be saved: it is never given up.
    """
    return [
        task.task
        for task in tasks
        if not task.state.over and not task.alive and not task.begun and task.starts >= _TRIES
    ]


def _earliest(task: Seen) -> float:
    if task.starts == 0:
        return 0.0
    return task.started_at + min(_LONGEST_WAIT_S, 2.0 ** min(task.starts - 1, 10))
