"""`osmo workflow logs` and `wait`, and looking on after a submit."""

import argparse
import errno
import signal
import sys
from queue import SimpleQueue
from typing import Any

from osmo.agent.signals import queued
from osmo.backends.local import LocalBackend
from osmo.cli import launch
from osmo.cli.main import CANCELLED, FAILED, INTERRUPTED, OK, close, close_stdout
from osmo.cli.output import print_json
from osmo.cli.settings import environment, load
from osmo.cli.view import RunView, as_json, home_of, view
from osmo.clock import SystemClock
from osmo.errors import OsmoError, UsageError
from osmo.logs.line import as_json as line_as_json
from osmo.logs.read import LogReader, merged, skip_to_last
from osmo.rundir import records
from osmo.rundir.paths import RunDir
from osmo.runner.service import Supervisor
from osmo.states import State

_LOOK_EVERY_S = 0.2
_SEE_TO_EVERY_S = 5.0
_ENDS = (signal.SIGTERM, signal.SIGINT)


def logs(args: argparse.Namespace) -> int:
    """Show the log: what is there, then what comes while the run lives."""
    run = home_of(load()).run(args.id)
    log = _Log(run, args.task, as_json=args.json)
    if args.last_n_lines is not None:
        log.show_last(args.last_n_lines)
    log.show()
    if args.no_follow:
        _warn_of(view(run), set())
        return OK
    try:
        _until_over(run, log)
    except KeyboardInterrupt:
        return INTERRUPTED
    return OK


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
    the terminal (SIGHUP), unless somebody saw to it that it is ignored (nohup)."""
    clock = SystemClock()
    log = _Log(run, None)
    terminals = [stream.fileno() for stream in (sys.stdout, sys.stderr) if stream.isatty()]
    signals: SimpleQueue[Any] = SimpleQueue()
    told: set[str] = set()
    with queued(signals, *_ENDS, *([] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP])):
        supervisor = Supervisor(run, LocalBackend(environment()), clock)
        while not supervisor.step().over:
            _show_if_read(log, terminals)
            _warn_of(view(run), told)
            clock.sleep(_LOOK_EVERY_S)
            while not signals.empty():
                if (got := signals.get()) is signal.SIGINT:
                    records.write(run.cancel, {"by": "Ctrl-C"})
                    continue
                if got is signal.SIGHUP:
                    close(*terminals)
                supervisor.stop()
        _show_if_read(log, terminals)
    return _conclude(view(run))


def _show_if_read(log: "_Log", terminals: list[int]) -> None:
    """The run does not end because nobody looks on any more."""
    try:
        log.show()
    except BrokenPipeError:
        close_stdout()
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        close(*terminals)  # the terminal is gone, SIGHUP is on its way


class _Log:
    """The log of a run, or of one of its tasks, shown as far as it goes."""

    def __init__(self, run: RunDir, task: str | None, *, as_json: bool = False) -> None:
        names = [one.name for one in view(run).tasks]
        if task is not None and task not in names:
            raise UsageError(f"{run.id} has no task {task!r} (it has {', '.join(names)})")
        self._run = run
        self._names = names if task is None else [task]
        self._readers: dict[str, LogReader] = {}
        self._shape = line_as_json if as_json else bytes

    def show(self) -> None:
        """What came since the last time."""
        sys.stdout.buffer.writelines(map(self._shape, merged(self._all())))
        sys.stdout.buffer.flush()

    def show_last(self, count: int) -> None:
        """The last `count` lines of what there is; `show` goes on behind them."""
        sys.stdout.buffer.writelines(map(self._shape, skip_to_last(self._all(), count)))
        sys.stdout.buffer.flush()

    def _all(self) -> list[LogReader]:
        for name in self._names:
            for attempt in self._run.attempts(name):
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
