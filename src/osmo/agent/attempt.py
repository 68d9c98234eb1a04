"""Puts together what takes part in one attempt, starts the command or finds it running, and lets the loop go."""

import secrets
from collections.abc import Mapping

from osmo.agent import files
from osmo.agent.child import Child, check_command
from osmo.agent.config import TaskConfig
from osmo.agent.loop import Attempt, Cause, Events, Patience
from osmo.agent.output import Follower
from osmo.agent.requests import Requests
from osmo.agent.status import StatusBoard
from osmo.agent.streams import Streams
from osmo.checkpoint.archive import Earlier
from osmo.checkpoint.manifest import Writer
from osmo.checkpoint.tree import Stat
from osmo.clock import Clock
from osmo.errors import OsmoError
from osmo.logs.write import LogWriter
from osmo.rundir import records
from osmo.rundir.identity import host
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.rundir.requests import ATTEMPT
from osmo.states import COULD_NOT_START, State


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
    writer = Writer(config.run, config.run_id, config.task, config.attempt, host(), secrets.token_hex(4))
    streams = Streams(config.streams, writer, config.limits, environ, log, board, events, clock, where.scratch)
    streams.prepare()
    try:
        child = child or _start(where, config, environ, board, log, clock)
    except (OsmoError, OSError, UnicodeError) as error:
        log.ours(f"Could not start: {error}")
        board.enter(State.FAILED_START_ERROR, exit_code=COULD_NOT_START, message=f"could not start: {error}")
        return board.state
    board.enter(State.RUNNING)
    follower = Follower(where, log, clock)
    follower.start()
    savers = streams.start() if is_first else streams.start(lambda place: _earlier(where, place))
    attempt = Attempt(
        child,
        savers,
        follower.finish,
        board,
        log,
        clock,
        events,
        canceled,
        Patience(config.limits.grace_s, config.limits.final_timeout_s),
        Requests(where, board, len(savers)),
    )
    return attempt.run(Cause(status["cause"]) if status and status.get("cause") else None).state


def _start(
    where: AttemptDir, config: TaskConfig, environ: Mapping[str, str], board: StatusBoard, log: LogWriter, clock: Clock
) -> Child:
    """Start the command. Raises OsmoError or OSError if it cannot be started."""
    board.enter(State.INITIALIZING)
    for note in config.notes:
        log.ours(note)
    environment = {"PYTHONUNBUFFERED": "1", **environ, **config.environment, ATTEMPT: str(where.path)}
    command = config.command or ("true",)
    check_command(command, environment, config.cwd)
    files.write(config.files)
    where.data.mkdir(mode=0o700, exist_ok=True)
    return Child.start(where, command, environment, config.cwd, clock)


def _earlier(where: AttemptDir, place: int) -> Earlier:
    """What an agent before us knew of the stream."""
    record = records.read(where.saved(place))
    if record is None or record["checkpoint"] is None:
        return Earlier(0, {})
    return Earlier(record["checkpoint"], {name: Stat(*stat) for name, stat in record["files"].items()})
