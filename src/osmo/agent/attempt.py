"""Puts together what takes part in one attempt, starts the command or finds it running, and lets the loop go."""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from osmo.agent import files
from osmo.agent.child import Child, missing_command
from osmo.agent.config import TaskConfig
from osmo.agent.loop import Attempt, Cause, Durable, Events, Patience
from osmo.agent.output import Follower
from osmo.agent.saver import Saver
from osmo.agent.say import Narrator
from osmo.agent.spot import Cloud, Watch
from osmo.agent.status import StatusBoard
from osmo.checkpoint.archive import Earlier
from osmo.checkpoint.budget import ByteBudget, suitable_total
from osmo.checkpoint.events import Event
from osmo.checkpoint.manifest import Writer
from osmo.checkpoint.stream import Settings, Stream
from osmo.checkpoint.tree import Stat
from osmo.clock import Clock
from osmo.errors import OsmoError, StoreError
from osmo.logs.write import LogWriter
from osmo.rundir import records
from osmo.rundir.identity import host
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.spec.checkpoint import CheckpointEntry
from osmo.states import COULD_NOT_START, State
from osmo.store.open import open_store, prepare


def run(where: AttemptDir, config: TaskConfig, environ: Mapping[str, str], events: Events, clock: Clock) -> State:
    """The attempt from where it stands to its end. Returns the state that it ended in.

    environ: what the run was submitted with. events: where signals arrive.
    """
    status = records.read(where.status)
    if status is not None and (state := State(status["state"])).over:
        return state
    log = LogWriter(where.log, config.task, config.attempt, clock)
    board = StatusBoard(where, config.streams, clock)
    canceled = RunDir(where.path.parents[2]).cancel.exists
    child = Child.find(where)
    is_first = child is None
    if child is None and canceled():
        board.enter(State.FAILED_CANCELED, message="canceled by the user before the command was started")
        return board.state
    for entries in config.streams:
        with suppress(StoreError):  # it will be said when it is asked
            prepare(entries[0].url, environ)
    try:
        child = child or _start(where, config, environ, board, log, clock)
    except (OsmoError, OSError, UnicodeError) as error:
        log.ours(f"Could not start: {error}")
        board.enter(State.FAILED_START_ERROR, exit_code=COULD_NOT_START, message=f"could not start: {error}")
        return board.state
    board.enter(State.RUNNING)
    budget = ByteBudget(suitable_total())
    savers = [
        _saver(
            place,
            entries,
            config,
            environ,
            log,
            board,
            events,
            clock,
            budget,
            None if is_first else _earlier(where, place),
        )
        for place, entries in enumerate(config.streams)
    ]
    follower = Follower(where, log, clock)
    follower.start()
    for saver in savers:
        saver.start()
    if savers and config.limits.spot != "off":
        Watch(events.put, clock, bases=_addresses(config.limits.spot)).start()
    patience = Patience(config.limits.grace_s, config.limits.final_timeout_s)
    attempt = Attempt(child, savers, follower, board, log, clock, events, canceled, patience)
    return attempt.run(Cause(status["cause"]) if status and status.get("cause") else None).state


def _addresses(spot: str) -> dict[Cloud, str] | None:
    """Whom to ask for a notice: None for the usual address."""
    return None if spot == "auto" else dict.fromkeys(Cloud, spot)


def _start(
    where: AttemptDir, config: TaskConfig, environ: Mapping[str, str], board: StatusBoard, log: LogWriter, clock: Clock
) -> Child:
    """Start the command. Raises OsmoError or OSError if it cannot be started."""
    board.enter(State.INITIALIZING)
    for note in config.notes:
        log.ours(note)
    environment = {"PYTHONUNBUFFERED": "1", **environ, **config.environment}
    command = config.command or ("true",)
    if (why := missing_command(command, environment, config.cwd)) is not None:
        raise OsmoError(why)
    files.write(config.files)
    where.data.mkdir(mode=0o700, exist_ok=True)
    return Child.start(where, command, environment, config.cwd, clock)


def _saver(
    place: int,
    entries: tuple[CheckpointEntry, ...],
    config: TaskConfig,
    environ: Mapping[str, str],
    log: LogWriter,
    board: StatusBoard,
    events: Events,
    clock: Clock,
    budget: ByteBudget,
    earlier: Earlier | None,
) -> Saver:
    """The thread of one stream, and where its news go: into the log and onto the board."""
    writer = Writer(config.run, config.run_id, config.task, config.attempt, host(), secrets.token_hex(4))
    narrator = Narrator(entries[0].path, entries[0].url, log, clock)

    def report(event: Event) -> None:
        narrator(event)
        board.happened(place, event)

    settings = Settings(
        settle_s=min(config.limits.settle_s, *(entry.frequency_s for entry in entries)),
        endpoint=environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL", ""),
    )
    open_it = partial(open_store, entries[0].url, environ)
    stream = Stream(entries, writer, open_it, report, clock, budget, settings, earlier)
    return Saver(
        stream,
        clock,
        failed=report,
        due=lambda seconds: board.due(place, seconds),
        done=lambda: events.put(Durable(place)),
    )


def _earlier(where: AttemptDir, place: int) -> Earlier:
    """What an agent before us knew of the stream."""
    record = records.read(where.saved(place))
    if record is None or record["checkpoint"] is None:
        return Earlier(0, {})
    return Earlier(record["checkpoint"], {name: Stat(*stat) for name, stat in record["files"].items()})
