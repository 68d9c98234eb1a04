"""How an attempt ended, and the words for it."""

import signal
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from osmo.checkpoint.manifest import Writer
from osmo.checkpoint.stream import Stream
from osmo.rundir.exits import ExitAction, after
from osmo.rundir.orders import CANCELED, Order
from osmo.states import PREEMPTED, STORE_FAILED, State

_SIGNALS = {int(number) for number in signal.Signals}


class Cause(StrEnum):
    """Why the attempt ends."""

    ITSELF = "itself"
    CANCELED = "canceled"
    ORDERED = "ordered"
    PREEMPTED = "preempted"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How an attempt ended. lost: what is not in the store and how to bring it there, empty if everything is."""

    state: State
    exit_code: int
    message: str
    lost: str = ""


def conclude(cause: Cause, code: int, lost: str, why: str = "", order: Order | None = None) -> Conclusion:
    """code: the command's own. lost: what is not in the store and how to bring it there, empty if everything is. why:
    the command ended so, if its code alone does not tell. order: of who wanted the end, if somebody did."""
    also = f". {lost}" if lost else ""
    if cause is Cause.ORDERED and order is not None:
        if order.state is State.COMPLETED and lost:
            return Conclusion(State.FAILED, STORE_FAILED, order.message + also, lost)
        return Conclusion(order.state, code, order.message.removesuffix("." if lost else "") + also, lost)
    if cause is Cause.CANCELED:
        return Conclusion(State.FAILED_CANCELED, code, (order.message if order else CANCELED) + also, lost)
    if cause is Cause.PREEMPTED:
        return Conclusion(State.FAILED_PREEMPTED, PREEMPTED, "preempted (SIGTERM)" + also, lost)
    if code:
        return Conclusion(State.FAILED, code, f"the command failed: {why or outcome(code)}" + also, lost)
    if lost:
        return Conclusion(State.FAILED, STORE_FAILED, lost, lost)
    return Conclusion(State.COMPLETED, 0, "")


def with_actions(ending: Conclusion, cause: Cause, actions: Iterable[ExitAction], retries_left: int) -> Conclusion:
    """The end by the task's exit actions. They have no say in what somebody else wanted, and what is lost is not made
    good by a code that means success."""
    if cause in (Cause.CANCELED, Cause.ORDERED):
        return ending
    actions = tuple(actions)
    found = after(ending.state, ending.exit_code, actions, retries_left)
    if found.state is State.COMPLETED and ending.lost and ending.exit_code != STORE_FAILED:
        ending = Conclusion(State.FAILED, STORE_FAILED, ending.lost, ending.lost)
        found = after(ending.state, ending.exit_code, actions, retries_left)
    if found.state is State.COMPLETED:
        return Conclusion(found.state, ending.exit_code, found.note, ending.lost)
    message = "; ".join(filter(None, (ending.message, found.note)))
    return Conclusion(found.state, ending.exit_code, message, ending.lost)


def outcome(code: int) -> str:
    """`exit code 3`, `exit code 137 (SIGKILL)`."""
    return f"exit code {code}" + (f" ({signal.Signals(code - 128).name})" if code - 128 in _SIGNALS else "")


def taken_over(stream: Stream, by: Writer) -> str:
    """What is said of a stream that another run has claimed."""
    return f"fenced by {by}: it writes the checkpoints in {stream.url} now; the files are still in {stream.path}"


def by_hand(stream: Stream) -> str:
    """What is said of a stream whose last checkpoint did not get through, and what a person can do about it."""
    return (
        f"the last checkpoint of {stream.path} is not in {stream.url}; the files are still on this machine: "
        f"upload them by hand with `{stream.upload_command}`"
    )
