"""One attempt from start to end. One thread decides; the others put events."""

import signal
from collections.abc import Callable
from queue import Empty
from typing import Protocol

from osmo.agent.child import KILLED
from osmo.agent.conclusion import Cause, Conclusion, by_hand, conclude, outcome, taken_over
from osmo.agent.deadline import Deadline, Patience
from osmo.agent.events import Durable, Event, Events, ForCommand
from osmo.agent.outputs import Outputs
from osmo.agent.requests import BY_SIGNAL, Answered, Requests
from osmo.agent.saver import Last, Saver
from osmo.agent.spot import Notice
from osmo.agent.status import StatusBoard
from osmo.checkpoint.manifest import Trigger
from osmo.clock import Clock
from osmo.logs.write import Log
from osmo.rundir.orders import Order
from osmo.rundir.requests import Request
from osmo.states import State

_TICK_S = 0.2
_IDLE_S = 10.0  # while a watcher tells what there is to look at
_GOES_WITH_IT_S = 0.3
_AT_ONCE_S = 0.01
_DEAD_AFTER_KILL_S = 30.0
_CLOSE_S = 5.0
_NOTICE_MARGIN_S = 5.0
_TOLD_WITHIN_S = 1.0
_WRITE_EVERY_S = 1.0
_TERMINATED = 128 + signal.SIGTERM
_LEAVES_OUTPUT = (State.COMPLETED, State.FAILED)  # not if somebody ended it, nor if it begins anew
_RESTARTED = "the machine was restarted"


class Command(Protocol):
    """A command that runs, and all that it started."""

    @property
    def went_with_the_machine(self) -> bool:
        """Whether it ended because the machine did."""

    def ended(self) -> int | None:
        """Its exit code (128+n for a signal), None while it runs."""

    def group_alive(self) -> bool:
        """Whether it, or anything that it started and that counts as part of it, still runs."""

    def pass_on(self, signum: signal.Signals) -> None:
        """Give it a signal that came to us, unless it got that itself."""

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal to all of that."""


def _as_it_is(ending: Conclusion, _cause: Cause) -> Conclusion:
    return ending


class Attempt:
    """Follows a command to its end and sees to its last checkpoints.

    finish_output: called when the command has ended; what it printed is in the log when this returns. ordered: whether
    somebody wants the end. judge: what exit actions make of an end. outputs: where the task's output
    goes. The savers run already.
    """

    def __init__(
        self,
        child: Command,
        savers: list[Saver],
        finish_output: Callable[[], None],
        board: StatusBoard,
        log: Log,
        clock: Clock,
        events: Events,
        ordered: Callable[[], Order | None],
        patience: Patience,
        requests: Requests,
        judge: Callable[[Conclusion, Cause], Conclusion] = _as_it_is,
        outputs: Outputs | None = None,
    ) -> None:
        self._child = child
        self._savers = savers
        self._finish_output = finish_output
        self._board = board
        self._log = log
        self._clock = clock
        self._events = events
        self._ordered = ordered
        self._judge = judge
        self._outputs = outputs
        self._order: Order | None = None
        self._patience = patience
        self._requests = requests
        self._deadline: Deadline | None = None

    def run(self, cause: Cause | None = None) -> Conclusion:
        """Returns when everything is over; the board knows it by then.

        cause: why an agent before us had begun to end the attempt, if one had.
        """
        cause, code = self._follow() if cause is None else self._go_on(cause)
        if cause is not Cause.ITSELF:
            self._board.facts(cause=cause)  # the code alone would not tell who comes after us
        if cause is Cause.PREEMPTED:
            self._hurry()
            for saver in self._savers:
                saver.request()  # what is at rest travels while the command ends
        code = self._end_group(code)
        for saver in self._savers:
            saver.stop()
        self._finish_output()
        self._board.facts(exit_code=code)
        why = _RESTARTED if self._child.went_with_the_machine else outcome(code)
        self._log.ours(f"The command has ended: {why}")
        lost = self._save(Trigger.PREEMPT if cause is Cause.PREEMPTED else Trigger.FINAL, code)
        for stream in self._board.with_problems():
            self._log.ours(f"Not in the last checkpoint: {stream.what_is_missing}")
        for stream in self._board.seen_nothing():
            self._log.ours(f"Nothing was ever checkpointed: {stream.why_nothing}")
        ending = self._judge(conclude(cause, code, lost, why, self._order), cause)
        if self._outputs and ending.state in _LEAVES_OUTPUT:
            cause, undelivered = self._deliver(self._outputs, cause)
            lost = "; ".join(filter(None, (lost, undelivered)))
            ending = self._judge(conclude(cause, code, lost, why, self._order), cause)
        if ending.message:
            self._log.ours(ending.message[0].upper() + ending.message[1:])
        if self._log.dropped:
            self._log.ours(f"{self._log.dropped} lines of this log could not be written")
        self._board.enter(ending.state, exit_code=ending.exit_code, message=ending.message)
        self._insist_on_the_end()
        return ending

    def _insist_on_the_end(self) -> None:
        """A disk that is full now may not be later. Whoever comes after us would not know that all is done."""
        while self._board.inherited and not self._board.written and not isinstance(self._next_event(), signal.Signals):
            self._clock.sleep(_WRITE_EVERY_S)
            self._board.facts()

    def _follow(self) -> tuple[Cause, int | None]:
        """Until the command has ended, or has to end: then its exit code is None."""
        leave_at = float("inf")
        while True:
            event = self._next_event(min(_IDLE_S, leave_at - self._clock.monotonic()))
            if (code := self._child.ended()) is not None:
                return Cause.PREEMPTED if code == _TERMINATED and self._told(event) else Cause.ITSELF, code
            if (order := self._ordered()) is not None:
                return self._obey(order), None
            if isinstance(event, Notice):
                leave_at = self._noticed(event)
            if isinstance(event, signal.Signals) or self._clock.monotonic() >= leave_at:
                return Cause.PREEMPTED, None

    def _go_on(self, cause: Cause) -> tuple[Cause, int | None]:
        """What an agent before us had begun."""
        if cause in (Cause.CANCELED, Cause.ORDERED):
            self._order = self._ordered()
        return cause, self._child.ended()

    def _obey(self, order: Order) -> Cause:
        self._order = order
        if order.state is State.FAILED_CANCELED:
            return Cause.CANCELED
        self._log.ours(f"{order.message.removesuffix('.')}: the command is asked to end")
        return Cause.ORDERED

    @property
    def _at_once(self) -> bool:
        """Whether nothing is to be waited for any more; a cancel may become so later."""
        if self._order is not None and not self._order.at_once:
            self._order = self._ordered() or self._order
        return self._order is not None and self._order.at_once

    def _noticed(self, notice: Notice) -> float:
        """Say it, save what is at rest at once. Returns when the command has to go: as late as the last checkpoint
        allows."""
        left_s = 0.0 if notice.at is None else (notice.at - self._clock.now()).total_seconds()
        when = "now" if notice.at is None else f"at {notice.at:%H:%M:%S} UTC"
        self._log.ours(f"{notice.cloud.value} will take this machine away ({notice.what}) {when}")
        for saver in self._savers:
            saver.request()
        return self._clock.monotonic() + max(0.0, left_s - self._patience.grace_s - _NOTICE_MARGIN_S)

    def _hurry(self) -> None:
        """From now on everything has to be done within the grace."""
        if self._deadline is None:
            self._deadline = Deadline.of(self._clock.monotonic(), self._patience.grace_s)
            for saver in self._savers:
                saver.hurry(self._deadline.send)

    def _hurried_by(self, event: "signal.Signals | Notice | ForCommand") -> None:
        """The command is over: what comes now is about us, Ctrl-C too. For whoever pressed that, it takes too long."""
        if isinstance(event, ForCommand) and self._deadline is None:
            self._log.ours(f"{event.signum.name}: the last checkpoint has {self._patience.grace_s:g} s left")
        self._hurry()

    def _told(self, event: Event | None) -> bool:
        """Whether a signal came with this event or comes now. Who takes a machine away often tells everybody at once:
        the command may have ended before we hear of it."""
        deadline = self._clock.monotonic() + _TOLD_WITHIN_S
        while not isinstance(event, signal.Signals) and self._clock.monotonic() < deadline:
            event = self._next_event()
        return isinstance(event, signal.Signals)

    def _end_group(self, code: int | None) -> int:
        """TERM to all that is left of the command's group, its grace, KILL. Returns the command's exit code."""
        if code is not None:  # its wrapper has said so, and is about to go as well
            self._group_ends_by(self._clock.monotonic() + _GOES_WITH_IT_S, tick_s=_AT_ONCE_S)
        if self._child.group_alive():
            if code is not None:
                self._log.ours("The command has ended, some processes that it started have not: they are asked to end")
            now = self._clock.monotonic()
            if not self._at_once:
                self._child.signal(signal.SIGTERM)
            if self._at_once or not self._group_ends_by(now + self._patience.grace_s):
                late = f"Still running {self._clock.monotonic() - now:.0f} s later: killed"
                self._log.ours("Killed without grace (--force)" if self._at_once else late)
                self._child.signal(signal.SIGKILL)
                if not self._group_ends_by(
                    self._clock.monotonic() + _DEAD_AFTER_KILL_S, killed=True
                ):  # it waits for a disk that does not answer
                    self._log.ours("Some of it cannot even be killed; the last checkpoint is made nevertheless")
                    return KILLED if code is None else code
        while code is None:
            self._next_event()
            code = self._child.ended()
        return code

    def _group_ends_by(self, moment: float, *, killed: bool = False, tick_s: float = _TICK_S) -> bool:
        """Wait for it. A signal in between shortens the wait: the machine is being taken away."""
        while self._child.group_alive():
            if self._clock.monotonic() > min(moment, self._deadline.kill if self._deadline else moment):
                return False
            if self._at_once and not killed:
                return False
            if isinstance(self._next_event(tick_s), signal.Signals):
                self._hurry()
        return True

    def _save(self, trigger: Trigger, code: int) -> str:
        """The last checkpoint of each stream. What is not in the store when patience ends, and how to get it there."""
        if not self._at_once:
            for saver in self._savers:
                saver.finish(Last(trigger, code))
        open_places = self._wait_for_the_last()
        streams = [saver.stream for saver in self._savers]
        for place in open_places:
            if streams[place].durable:  # what follows a commit is still under way
                self._board.final(place)
        if not self._at_once:
            self._let_them_close()
        lost = [by_hand(stream) for place, stream in enumerate(streams) if place in open_places and not stream.durable]
        lost += [taken_over(stream, by) for stream in streams if (by := stream.lost_to) is not None]
        if unsent := self._board.unsent():
            lost.append(
                f"there was no time for {unsent} file{'' if unsent == 1 else 's'}; they are still on this machine"
            )
        return "; ".join(lost)

    def _wait_for_the_last(self) -> set[int]:
        """The places of the streams that are not done when patience ends."""
        open_places = set(range(len(self._savers)))
        began = self._clock.monotonic()
        while open_places and not self._at_once:
            match event := self._next_event():
                case Durable():
                    open_places.discard(event.place)
                    if self._savers[event.place].stream.durable:
                        self._board.final(event.place)
                    continue
                case signal.Signals() | Notice() | ForCommand():
                    self._hurried_by(event)
            now = self._clock.monotonic()
            quiet_since = max([began, *(self._savers[place].stream.flowed_at for place in open_places)])
            if now - quiet_since > self._patience.final_timeout_s or (self._deadline and now > self._deadline.end):
                break
        return open_places

    def _deliver(self, outputs: Outputs, cause: Cause) -> tuple[Cause, str]:
        """The task's output to its urls. Why the attempt ends by now, and what did not get there, and how it can."""
        errand = outputs.send()
        while not errand.over.is_set():
            event = self._next_event()
            order = self._ordered()
            if order is not None and (cause is Cause.ITSELF or order.state is State.FAILED_CANCELED):
                errand.stop.set()
                return self._obey(order), outputs.by_hand("the upload was ended")
            if isinstance(event, signal.Signals | Notice | ForCommand):
                self._hurried_by(event)
            now = self._clock.monotonic()
            waited = now - errand.moved_at > self._patience.final_timeout_s
            if waited or self._at_once or (self._deadline and now > self._deadline.end):
                errand.stop.set()
                return cause, outputs.by_hand(errand.trouble or "there was no time")
        return cause, outputs.by_hand(errand.why) if errand.why else ""

    def _let_them_close(self) -> None:
        """What ends well should say so in the store, but nobody waits long for that."""
        until = self._clock.monotonic() + _CLOSE_S
        if self._deadline is not None:
            until = min(until, self._deadline.end)
        for saver in self._savers:
            if saver.stream.durable:
                saver.join(max(0.0, until - self._clock.monotonic()))

    def _next_event(self, tick_s: float = _TICK_S) -> Event | None:
        """What happened, None if nothing did for so long. Requests for a checkpoint, and what is the command's, are
        seen to here: they change nothing in the course of things."""
        for request in self._requests.new():
            self._ask(request)
        try:
            event = self._events.get(timeout=max(0.0, tick_s))
        except Empty:
            return None
        match event:
            case signal.SIGUSR1:
                self._ask(BY_SIGNAL)
                return None
            case Answered():
                self._requests.answered(event)
            case ForCommand():
                self._child.pass_on(event.signum)
        return event

    def _ask(self, request: Request) -> None:
        for saver in self._savers:
            saver.ask(request)
