"""`osmo workflow logs` and `wait`, and looking on after a submit."""

import argparse
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from typing import Any

from osmo.agent.signals import queued
from osmo.backends.local import LocalBackend
from osmo.cli import failures, launch
from osmo.cli.main import CANCELLED, FAILED, INTERRUPTED, OK, close, close_stdout
from osmo.cli.output import print_json
from osmo.cli.request import ask_all
from osmo.cli.settings import environment, load
from osmo.cli.view import RunView, as_json, attempt_of, home_of, task_named, view
from osmo.clock import Clock, SystemClock
from osmo.errors import OsmoError, UsageError
from osmo.logs.line import STAMP_LENGTH, stamp
from osmo.logs.line import as_json as line_as_json
from osmo.logs.read import LogReader, merged, skip_to_last
from osmo.rundir.orders import write_cancel
from osmo.rundir.paths import RunDir
from osmo.runner.service import Supervisor
from osmo.states import State

_LOOK_EVERY_S = 0.2
_SEE_TO_EVERY_S = 5.0
_STALLED_S = 10.0  # without a byte: nobody reads any more
_AT_ONCE = 64 * 1024
_LONGEST_AGO_S = 1e9
_HEEDED = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


def logs(args: argparse.Namespace) -> int:
    """Show the log: what is there, then what comes while the run lives."""
    run = home_of(load()).run(args.id)
    if args.error:
        return failures.show(run, args.task, args.retry_id)
    log = _Log(run, args.task, attempt=args.retry_id, since=_since(args.since), as_json=args.json)
    if args.last_n_lines is not None:
        log.show_last(args.last_n_lines)
    log.show()
    if not args.follow:
        _warn_of(view(run), set())
        return OK
    try:
        _until_over(run, log)
    except KeyboardInterrupt:
        return INTERRUPTED
    return OK


def _since(text: str | None) -> bytes:
    """The stamp that lines begin with at that moment: so long ago, or a moment in UTC. Raises UsageError."""
    if text is None:
        return b""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except ValueError:
        moment = SystemClock().now() - timedelta(seconds=_ago_s(text))
    return stamp(moment)


def _ago_s(text: str) -> float:
    from osmo.spec.duration import seconds

    try:
        return min(seconds(text), _LONGEST_AGO_S)
    except ValueError as error:
        raise UsageError(f"--since: {error}, nor a moment as 2026-11-23T18:30:00 (UTC)") from error


def wait(args: argparse.Namespace) -> int:
    """Wait for the end. The exit code says how it was."""
    run = home_of(load()).run(args.id)
    try:
        ended = _until_over(run, None)
    except KeyboardInterrupt:
        return INTERRUPTED
    if args.format == "json":
        print_json(as_json(ended, ended.unsaved()))
    return _conclude(ended)


def follow(run: RunDir) -> int:
    """Show the log until the run ends. Ctrl-C ends the looking, not the run."""
    try:
        ended = _until_over(run, _Log(run, None))
    except (KeyboardInterrupt, BrokenPipeError) as stopped:
        if isinstance(stopped, BrokenPipeError):
            close_stdout()
        print(
            f"\n{run.id} goes on. Look again: `osmo workflow logs {run.id}`; end it: `osmo workflow cancel {run.id}`",
            file=sys.stderr,
        )
        return INTERRUPTED
    return _conclude(ended)


def in_foreground(run: RunDir) -> int:
    """Supervise the run in this process and show its log. Ctrl-C cancels. SIGTERM is a preemption, and so is the end of
    the terminal (SIGHUP), unless somebody saw to it that it is ignored (nohup). SIGUSR1 asks for checkpoints."""
    clock = SystemClock()
    terminals = [stream.fileno() for stream in (sys.stdout, sys.stderr) if stream.isatty()]
    showing = _Showing(_Log(run, None), terminals, clock)
    signals: SimpleQueue[Any] = SimpleQueue()
    told: set[str] = set()
    with queued(signals, *_HEEDED, *([] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP])):
        supervisor = Supervisor(run, LocalBackend(environment()), clock)
        showing.start()
        while not supervisor.step().over:
            _warn_of(view(run), told)
            clock.sleep(_LOOK_EVERY_S)
            while not signals.empty():
                if (got := signals.get()) is signal.SIGINT:
                    write_cancel(run, "", at_once=False, moment=clock.now().isoformat())
                    continue
                if got is signal.SIGUSR1:
                    ask_all(run)
                    continue
                if got is signal.SIGHUP:
                    close(*terminals)
                supervisor.stop()
        showing.end()
    return _conclude(view(run))


class _Showing(threading.Thread):
    """Shows a log beside what else goes on: neither its end nor a reader that has stopped reading holds up the run."""

    def __init__(self, log: "_Log", terminals: list[int], clock: Clock) -> None:
        super().__init__(name="show", daemon=True)
        self._log = log
        self._terminals = terminals
        self._clock = clock
        self._last = threading.Event()

    def end(self) -> None:
        """Show the rest, as long as somebody reads."""
        self._last.set()
        shown = -1
        while self.is_alive() and self._log.shown > shown:
            shown = self._log.shown
            self.join(_STALLED_S)

    def run(self) -> None:
        while not self._last.is_set():
            self._show_if_read()
            self._clock.wait(self._last, _LOOK_EVERY_S)
        self._show_if_read()

    def _show_if_read(self) -> None:
        """The run does not end because nobody looks on any more."""
        try:
            self._log.show()
        except BrokenPipeError:
            close_stdout()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            close(*self._terminals)  # the terminal is gone, SIGHUP is on its way


class _Log:
    """The log of a run, or of one of its tasks, shown as far as it goes.

    attempt: only that of each task. since: only what is stamped so, or later.
    """

    def __init__(
        self,
        run: RunDir,
        task: str | None,
        *,
        attempt: int | None = None,
        since: bytes = b"",
        as_json: bool = False,
    ) -> None:
        seen = view(run)
        self._run = run
        self._names = [one.name for one in seen.tasks] if task is None else [task_named(seen, task).name]
        self._attempt = attempt
        self._since = since
        if task is not None and attempt is not None:
            attempt_of(run, task, attempt)
        self._readers: dict[str, LogReader] = {}
        self._shape = line_as_json if as_json else bytes
        self.shown = 0  # bytes so far
        sys.stdout.flush()

    def show(self) -> None:
        """What came since the last time."""
        self._show(merged(self._all()))

    def show_last(self, count: int) -> None:
        """The last `count` lines of what there is; `show` goes on behind them."""
        self._show(skip_to_last(self._all(), count))

    def _show(self, lines: Iterable[bytes]) -> None:
        together = bytearray()
        for text in lines:
            if text[:STAMP_LENGTH] < self._since:
                continue
            together += self._shape(text)
            if len(together) >= _AT_ONCE:
                self._write(bytes(together))
                together.clear()
        self._write(bytes(together))

    def _write(self, body: bytes) -> None:
        # Not through `sys.stdout`: Python could not end while another thread is held up in there.
        while body:
            written = os.write(sys.stdout.fileno(), body)
            body = body[written:]
            self.shown += written

    def _all(self) -> list[LogReader]:
        for name in self._names:
            for number, attempt in enumerate(self._run.attempts(name)):
                if self._attempt not in (None, number):
                    continue
                self._readers.setdefault(str(attempt.log), LogReader(attempt.log))
        return list(self._readers.values())


def _until_over(run: RunDir, log: _Log | None) -> RunView:
    """Look at the run until it is over."""
    clock = SystemClock()
    see_to_at = clock.monotonic() + _SEE_TO_EVERY_S
    told: set[str] = set()
    while True:
        seen = view(run)
        if log is not None:
            log.show()
        if seen.state.over:
            return seen
        if not seen.is_here:
            raise UsageError(f"{run.id} runs on {seen.host}, last seen {seen.last_seen}")
        if seen.rebooted:
            raise OsmoError(
                f"{run.id} was {seen.state} when its machine was rebooted",
                hint=f"`osmo workflow resume {run.id}` goes on.",
            )
        _warn_of(seen, told)
        if clock.monotonic() >= see_to_at:
            launch.see_to(run)
            see_to_at = clock.monotonic() + _SEE_TO_EVERY_S
        clock.sleep(_LOOK_EVERY_S)


def _warn_of(seen: RunView, told: set[str]) -> None:
    """Say what keeps the run from going on, once for each task. told: what was said already."""
    for trouble in seen.troubles():
        if (about := trouble.partition(":")[0]) not in told:
            told.add(about)
            print(f"WARNING: {seen.run.id}: {trouble}", file=sys.stderr)


def _conclude(ended: RunView) -> int:
    """Say how it ended, last of all what was never saved."""
    for task in ended.tasks:
        if task.state is not State.COMPLETED and (message := task.status.get("message")):
            print(f"{task.name}: {message}", file=sys.stderr)
    sys.stdout.flush()
    print(f"{ended.run.id}: {ended.state}", file=sys.stderr)
    for line in ended.shortcomings():
        print(f"WARNING: {line}", file=sys.stderr)
    if ended.state is State.COMPLETED:
        return OK
    return CANCELLED if ended.state is State.FAILED_CANCELED else FAILED
