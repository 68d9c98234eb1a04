"""`osmo workflow checkpoint` and `osmo checkpoint now`: a checkpoint at a moment that somebody chose."""

import argparse
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osmo.cli import launch
from osmo.cli.main import FAILED, OK
from osmo.cli.output import files_of, print_json
from osmo.cli.settings import environment, load
from osmo.cli.view import home_of, view
from osmo.clock import SystemClock
from osmo.errors import OsmoError, UsageError
from osmo.logs.size import bytes_of
from osmo.rundir import records, requests
from osmo.rundir.identity import Process
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.states import State

_LOOK_EVERY_S = 0.1
_SEE_TO_EVERY_S = 5.0


@dataclass(slots=True)
class _Asked:
    """One attempt that was asked. failed: None until it has answered, empty when the checkpoint is durable."""

    task: str
    attempt: AttemptDir
    request: str
    failed: str | None = None

    @property
    def streams(self) -> list[dict[str, Any]]:
        return list((records.read(self.attempt.status) or {}).get("streams", []))

    def record(self) -> dict[str, Any]:
        kept = ("path", "url", "exists", "checkpoint", "checkpointed", "files", "size", "moving")
        checkpoints = [{name: stream[name] for name in kept} for stream in self.streams if self.failed is not None]
        return {"task": self.task, "request": self.request, "failed": self.failed, "checkpoints": checkpoints}


def workflow_checkpoint(args: argparse.Namespace) -> int:
    """Ask the tasks of a run for a checkpoint now."""
    timeout_s = _timeout_s(args)
    run = home_of(load()).run(args.id)
    seen = view(run)
    if args.task is not None and args.task not in [task.name for task in seen.tasks]:
        raise UsageError(f"{run.id} has no task {args.task!r} (it has {', '.join(task.name for task in seen.tasks)})")
    wanted = [task for task in seen.tasks if args.task in (None, task.name)]
    if all(task.state.over for task in wanted):
        raise UsageError(f"{run.id}{f': {args.task}' if args.task else ''} is over already ({wanted[0].state})")
    if seen.rebooted:
        raise OsmoError(
            f"{run.id} does not run: its machine was rebooted", hint=f"`osmo workflow resume {run.id}` goes on."
        )
    saving = [task for task in wanted if not task.state.over and task.config.entries]
    if not saving:
        raise UsageError(f"{run.id}: there is no `checkpoint:` in the spec of {' and '.join(t.name for t in wanted)}")
    launch.see_to(run)
    asked = [_Asked(task.name, task.attempt, requests.ask(task.attempt, at_rest=False)) for task in saving]
    if args.wait:
        _wait(asked, timeout_s, lambda: launch.see_to(run))
    return _say(asked, args)


def ask_all(run: RunDir) -> None:
    """Ask every task of a run that saves something. Nobody waits for an answer, so a full disk does not matter."""
    for task in view(run).tasks:
        if not task.state.over and task.config.entries:
            with suppress(OSError):
                requests.ask(task.attempt, at_rest=False)


def now(args: argparse.Namespace) -> int:
    """The same from inside a task, whose agent said in the environment where it is to be asked."""
    timeout_s = _timeout_s(args)
    directory = environment().get(requests.ATTEMPT)
    if not directory:
        raise UsageError(
            f"this is not inside a task: {requests.ATTEMPT} is not set",
            hint="From outside, `osmo workflow checkpoint ID` asks for one.",
        )
    attempt = AttemptDir(Path(directory))
    _refuse_the_dead(attempt)
    try:
        # A task that waits writes nothing meanwhile; one that does not wait goes on writing.
        request = requests.ask(attempt, at_rest=args.wait)
    except OSError as error:
        raise OsmoError(f"{directory}: {error.strerror}: nobody can be asked for a checkpoint") from error
    asked = [_Asked("", attempt, request)]
    if args.wait:
        _wait(asked, timeout_s, lambda: _refuse_the_dead(attempt))
    return _say(asked, args)


def _refuse_the_dead(attempt: AttemptDir) -> None:
    """A workflow's agent has a successor. `osmo checkpoint run` has none. Raises OsmoError."""
    agent = records.read(attempt.agent)
    if attempt.task.exists() or (agent is not None and (Process.read(agent).alive or not Process.read(agent).is_here)):
        return
    raise OsmoError(f"nobody makes checkpoints any more: the osmo of {attempt.path} has ended")


def _timeout_s(args: argparse.Namespace) -> float:
    from osmo.spec.duration import seconds

    if args.timeout is None:
        return float("inf")
    if not args.wait:
        raise UsageError("--timeout goes with --wait")
    try:
        return seconds(args.timeout)
    except ValueError as error:
        raise UsageError(f"--timeout: {error}") from error


def _wait(asked: list[_Asked], timeout_s: float, see_to: Callable[[], None]) -> None:
    """Until all have answered, or the time is over: then that is the answer of those who have not."""
    clock = SystemClock()
    deadline = clock.monotonic() + timeout_s
    see_to_at = clock.monotonic() + _SEE_TO_EVERY_S
    while True:
        for one in asked:
            if one.failed is None:
                one.failed = answer(records.read(one.attempt.status) or {}, one.request)
                if one.failed == "":
                    one.failed = "; ".join(_durable(stream) for stream in one.streams if _gone(stream))
        if all(one.failed is not None for one in asked):
            return
        if clock.monotonic() > deadline:
            break
        if clock.monotonic() > see_to_at:
            see_to()
            see_to_at = clock.monotonic() + _SEE_TO_EVERY_S
        clock.sleep(_LOOK_EVERY_S)
    for one in asked:
        if one.failed is None:
            one.failed = f"not durable after {timeout_s:g} s; it is still being tried"


def answer(status: dict[str, Any], request: str) -> str | None:
    """What an agent's status says to a request: None nothing yet, empty that it is durable, else why it is not.

    An attempt that has ended made its last checkpoint after everything that was asked for before.
    """
    for known in status.get("answers", []):
        if known["request"] == request:
            return str(known["failed"])
    if not State(status.get("state", State.SUBMITTING)).over:
        return None
    streams = status.get("streams", [])
    if status.get("started") and all(stream["final"] and not stream["unsent"] for stream in streams):
        return ""
    return str(status.get("message") or "it ended before that")


def _say(asked: list[_Asked], args: argparse.Namespace) -> int:
    failed = [one for one in asked if one.failed]
    if args.format == "json":
        print_json([one.record() for one in asked])
        return FAILED if failed else OK
    for one in asked:
        name = f"{one.task}: " if one.task else ""
        if one.failed:
            print(f"osmo: {name}no checkpoint: {one.failed}", file=sys.stderr)
        elif one.failed is None:
            print(f"{name}a checkpoint is asked for")
        else:
            for stream in one.streams:
                print(f"{name}{_durable(stream)}")
    return FAILED if failed else OK


def _gone(stream: dict[str, Any]) -> bool:
    """A folder that was checkpointed and is no more: whoever waits wanted its files, of which there are none."""
    return stream["checkpoint"] is not None and not stream["exists"]


def _durable(stream: dict[str, Any]) -> str:
    """What of a stream is in the store, in a line."""
    if stream["checkpoint"] is None:
        why = f"{files_of(stream['moving'])} being written" if stream["moving"] else "no file to checkpoint"
        return f"{stream['path']}: {why if stream['exists'] else 'it is not there'}"
    size = f"{files_of(stream['files'])}, {bytes_of(stream['size'])}"
    if _gone(stream):
        made = f"checkpoint {stream['checkpoint']} of {stream['checkpointed']}"
        return f"{stream['path']} is not there: nothing new was saved; {made} is in {stream['url']}: {size}"
    moving = f"; {files_of(stream['moving'])} being written are not in it as they are now" if stream["moving"] else ""
    return f"checkpoint {stream['checkpoint']} of {stream['path']} is in {stream['url']}: {size}{moving}"
