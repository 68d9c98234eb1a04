"""Tasks of one group begin together: a command waits until the others of its group are ready for theirs."""

from collections.abc import Callable

from osmo.agent.events import Events
from osmo.agent.restore import NotStarted, told
from osmo.agent.status import StatusBoard
from osmo.logs.write import Log
from osmo.rundir.orders import Order
from osmo.rundir.paths import AttemptDir


def wait_for_group(
    where: AttemptDir, board: StatusBoard, log: Log, events: Events, ordered: Callable[[], Order | None]
) -> NotStarted | None:
    """Say that this task is ready, and wait until the supervisor has seen it of all. None: the command may start."""
    log.ours("Waiting for group ready ...")
    board.facts(ready=True)
    while not where.go.exists():
        if (end := told(events, ordered)) is not None:
            return end
    log.ours("Group ready")
    return None
