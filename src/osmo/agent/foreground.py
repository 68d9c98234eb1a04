"""A command with checkpoints and no workflow around it. This process is its agent; nobody comes after it."""

import os
import secrets
import shutil
import signal
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from osmo.agent import memory
from osmo.agent.child import KILLED
from osmo.agent.config import Limits, streams_of
from osmo.agent.deadline import Patience
from osmo.agent.events import Events, ForCommand
from osmo.agent.job import Job
from osmo.agent.loop import Attempt
from osmo.agent.requests import Requests
from osmo.agent.restore import NotStarted, bring_back
from osmo.agent.signals import queued
from osmo.agent.status import StatusBoard
from osmo.agent.streams import Streams
from osmo.agent.watcher import Watcher
from osmo.checkpoint.manifest import Writer
from osmo.clock import Clock
from osmo.errors import UsageError
from osmo.logs.write import Log
from osmo.rundir import records
from osmo.rundir.identity import Process, host
from osmo.rundir.paths import AttemptDir
from osmo.rundir.requests import ATTEMPT
from osmo.spec.checkpoint import CheckpointEntry
from osmo.states import State

_OURS = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
_THE_COMMANDS = (signal.SIGINT, signal.SIGQUIT, signal.SIGUSR2)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run and what is saved. name: of the stream, empty for that of its folder."""

    command: tuple[str, ...]
    entries: tuple[CheckpointEntry, ...]
    name: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class Ending:
    """code: the command's own (128+n for a signal). lost: what is not in the store and how to bring it there, or empty.
    interrupted: Ctrl-C at the terminal has ended it."""

    code: int
    lost: str
    interrupted: bool


def run(plan: Plan, environ: Mapping[str, str], log: Log, clock: Clock) -> Ending:
    """Start the command, save what it writes, return when both are over. Only for the main thread.

    Raises NoSuchCommand if it cannot be started, UsageError if there is no room for what tells it where we are; then
    nothing was saved.
    """
    memory.give_back()
    place = AttemptDir(_temporary(plan.entries))
    events: Events = SimpleQueue()
    try:
        with queued(events, *_heeded(_OURS)), queued(events, *_heeded(_THE_COMMANDS), event=ForCommand):
            return _run(plan, place, environ, events, log, clock)
    finally:
        shutil.rmtree(place.path, ignore_errors=True)


def _run(plan: Plan, place: AttemptDir, environ: Mapping[str, str], events: Events, log: Log, clock: Clock) -> Ending:
    names = {entries: plan.name or entries[0].stream for entries in streams_of(plan.entries)}
    writer = Writer(
        str(uuid.uuid4()), f"checkpoint-run-{os.getpid()}", min(names.values()), 0, host(), secrets.token_hex(4)
    )
    board = StatusBoard(place, names, clock, inherited=False)
    streams = Streams(
        tuple(names), writer, plan.limits, environ, log, board, events, clock, place.scratch, names.__getitem__
    )
    streams.prepare()
    with suppress(OSError):  # a full disk: then the command finds nobody to ask for a checkpoint
        records.write(place.agent, Process.of(os.getpid()).record())
    board.enter(State.INITIALIZING)
    opened = streams.open()
    refused = bring_back(opened, 0, events, lambda: None, clock, plan.limits.restore_timeout_s)
    if refused is not None:
        return _refused(refused, log)
    job = Job.start(plan.command, {**environ, ATTEMPT: str(place.path)}, ATTEMPT, clock)
    signal.signal(signal.SIGIO, signal.SIG_IGN)  # of osmo.checkpoint.lease; the command was to have it as it is
    board.enter(State.RUNNING)
    savers = streams.start(opened)
    Watcher(place, job.pid, events.put).start()
    attempt = Attempt(
        job,
        savers,
        lambda: None,
        board,
        log,
        clock,
        events,
        lambda: None,
        Patience(plan.limits.grace_s, plan.limits.final_timeout_s),
        Requests(place, board, len(savers)),
    )
    ending, code = attempt.run(), job.ended()
    return Ending(KILLED if code is None else code, ending.lost, job.interrupted)


def _refused(why: NotStarted, log: Log) -> Ending:
    """The command has not run: what a signal ended, ends as if it had reached the command."""
    if why.by is not None:
        return Ending(128 + why.by, "", why.by is signal.SIGINT)
    log.ours(why.message)
    return Ending(0, why.message, interrupted=False)


def _heeded(signums: tuple[signal.Signals, ...]) -> list[signal.Signals]:
    """Those that nobody has seen to that they are ignored (nohup, `&` in a script)."""
    return [signum for signum in signums if signal.getsignal(signum) is not signal.SIG_IGN]


def _temporary(entries: tuple[CheckpointEntry, ...]) -> Path:
    """A directory for as long as the command runs: in there it asks for checkpoints. Raises UsageError."""
    above = os.path.realpath(tempfile.gettempdir())
    for entry in entries:
        root = os.path.realpath(entry.root)
        if os.path.commonpath((root, above)) == root:
            raise UsageError(f"{entry.path} contains the temporary directory {above}", hint="Set TMPDIR to another.")
    try:
        return Path(tempfile.mkdtemp(prefix="osmo-", dir=above))
    except OSError as error:
        raise UsageError(f"{above}: {error.strerror}", hint="Set TMPDIR to a directory of yours.") from error
