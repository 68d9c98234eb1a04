"""Ending an attempt from outside: a file that its agent, or the one after it, finds."""

from dataclasses import dataclass
from pathlib import Path

from osmo.rundir import records
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.states import State

CANCELED = "canceled by the user"


@dataclass(frozen=True, slots=True)
class Order:
    """That an attempt is to end, and how that is called. exit_code: of one whose command never began. at_once: nothing
    is waited for, no last checkpoint is made."""

    state: State
    message: str
    exit_code: int | None = None
    at_once: bool = False


def write_stop(attempt: AttemptDir, order: Order) -> None:
    """The supervisor wants the attempt to end. What was ordered first stays. Raises OSError."""
    if not attempt.stop.exists():
        records.write(attempt.stop, {"state": order.state, "message": order.message, "exit_code": order.exit_code})


def write_cancel(run: RunDir, message: str, *, at_once: bool, moment: str) -> None:
    """The user wants the run to end. Raises OSError."""
    records.write(run.cancel, {"at": moment, "message": message, "force": at_once})


def cancel_of(run: RunDir) -> Order | None:
    """Whether the user wants the run to end."""
    record = _read(run.cancel)
    if record is None:
        return None
    message = f"{CANCELED}: {record['message']}" if record.get("message") else CANCELED
    return Order(State.FAILED_CANCELED, message, at_once=bool(record.get("force")))


def order_for(attempt: AttemptDir) -> Order | None:
    """Why the attempt is to end, if it is. What the user wants comes first."""
    if (canceled := cancel_of(RunDir(attempt.path.parents[2]))) is not None:
        return canceled
    record = _read(attempt.stop)
    return None if record is None else Order(State(record["state"]), record["message"], record["exit_code"])


def _read(path: Path) -> records.Record | None:
    return records.read(path) if path.exists() else None
