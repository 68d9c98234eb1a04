"""Puts together what takes part in one attempt, starts the command or finds it running, and lets the loop go."""

import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from osmo.agent import start
from osmo.agent.barrier import wait_for_group
from osmo.agent.child import Child
from osmo.agent.conclusion import Cause, with_actions
from osmo.agent.config import TaskConfig
from osmo.agent.deadline import Patience
from osmo.agent.events import Events
from osmo.agent.inputs import gather
from osmo.agent.loop import Attempt
from osmo.agent.output import Follower
from osmo.agent.outputs import Outputs
from osmo.agent.requests import Requests
from osmo.agent.restore import NotStarted, bring_back
from osmo.agent.status import StatusBoard
from osmo.agent.streams import Streams
from osmo.agent.watcher import Watcher
from osmo.checkpoint.archive import Earlier
from osmo.checkpoint.manifest import Writer
from osmo.checkpoint.tree import Stat
from osmo.clock import Clock
from osmo.errors import OsmoError, StoreError
from osmo.logs.write import LogWriter
from osmo.rundir import looks, records
from osmo.rundir.exits import after
from osmo.rundir.identity import host
from osmo.rundir.orders import order_for
from osmo.rundir.paths import AttemptDir
from osmo.states import COULD_NOT_START, PREEMPTED, RESTORE_FAILED, State
from osmo.store.base import Store
from osmo.store.limit import Bandwidth
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
    ordered = partial(order_for, where)
    child = Child.find(where)
    is_first = child is None
    if child is None and (order := ordered()) is not None:
        return _not_started(NotStarted("before the command was started", order=order), config, board, log)
    writer = Writer(config.run, config.run_id, config.task, config.attempt, host(), secrets.token_hex(4))
    streams = Streams(config.streams, writer, config.limits, environ, log, board, events, clock, where.scratch)
    streams.prepare()
    open_it = _opener(config, environ, clock)
    opened = streams.open(lambda place: _earlier(where, place, is_first=is_first))
    try:
        if child is None:
            board.enter(State.INITIALIZING)
            _set_aside(where, config.attempt)
            for note in config.notes:
                log.ours(note)
            variables = start.environment(where, config, environ)
            timeout_s = config.limits.restore_timeout_s
            refused = (
                gather(config.inputs, open_it, log, events, ordered, clock, timeout_s)
                or bring_back(opened, config.attempt, events, ordered, clock, timeout_s)
                or (wait_for_group(where, board, log, events, ordered) if config.barrier else None)
            )
            if refused is not None:
                return _not_started(refused, config, board, log)
            child = start.start(where, config, variables, clock)
    except (OsmoError, OSError, UnicodeError) as error:
        log.ours(f"Could not start: {error}")
        return _over(config, board, State.FAILED_START_ERROR, COULD_NOT_START, f"could not start: {error}")
    board.enter(State.RUNNING)
    follower = Follower(where, log, clock)
    follower.start()
    savers = streams.start(opened)
    Watcher(where, child.pid, events.put, also=[where.path.parents[2]]).start()
    attempt = Attempt(
        child,
        savers,
        follower.finish,
        board,
        log,
        clock,
        events,
        ordered,
        Patience(config.limits.grace_s, config.limits.final_timeout_s),
        Requests(where, board, len(savers)),
        lambda ending, cause: with_actions(ending, cause, config.exit_actions, config.retries_left),
        Outputs(config.outputs, where.task_output, config.sandbox is not None, open_it, log, clock),
    )
    state = attempt.run(Cause(status["cause"]) if status and status.get("cause") else None).state
    if state is State.COMPLETED:  # what was to be kept is in a store, or an output
        for used in (where.root, where.task_inputs):
            shutil.rmtree(used, ignore_errors=True)
    return state


def _opener(config: TaskConfig, environ: Mapping[str, str], clock: Clock) -> Callable[[str], Store]:
    """What opens the stores of the task's inputs and outputs. All that they need is loaded: later the package may be
    another."""
    for url in filter(None, [*(each.url for each in config.inputs), *(each.url for each in config.outputs)]):
        with suppress(StoreError):  # it will be said when it is asked
            prepare(url, environ)
    return partial(open_store, environ=environ, bandwidth=Bandwidth(config.limits.max_bandwidth, clock))


def _set_aside(where: AttemptDir, attempt: int) -> None:
    """What the attempt before has left in the task's output goes into that attempt's own folder, once."""
    if attempt > 0:
        before = AttemptDir(where.path.with_name(str(attempt - 1)))
        if where.task_output.exists() and before.path.is_dir() and not before.left_output.exists():
            where.task_output.rename(before.left_output)
    where.task_output.mkdir(mode=0o700, exist_ok=True)


def _not_started(why: NotStarted, config: TaskConfig, board: StatusBoard, log: LogWriter) -> State:
    """Nothing has run, and nothing is saved: what is at the paths is not the run's."""
    if why.order is not None:
        message = f"{why.order.message.removesuffix('.')} ({why.message})"
        board.enter(why.order.state, exit_code=why.order.exit_code, message=message)
        return board.state
    if why.by is not None:
        message = f"preempted ({why.by.name}) {why.message}"
        return _over(config, board, State.FAILED_PREEMPTED, PREEMPTED, message)
    log.ours(why.message[0].upper() + why.message[1:])
    return _over(config, board, State.FAILED, RESTORE_FAILED, why.message)


def _over(config: TaskConfig, board: StatusBoard, state: State, code: int, message: str) -> State:
    """The attempt has ended before its command has begun."""
    found = after(state, code, config.exit_actions, config.retries_left)
    board.enter(found.state, exit_code=code, message="; ".join(filter(None, (message, found.note))))
    return board.state


def _earlier(where: AttemptDir, place: int, *, is_first: bool) -> Earlier | None:
    """What an agent before us knew of the stream, if there was one. Before the command started it can only have
    restored it."""
    number, stats = looks.read(where.saved(place), Stat) or (None, {})
    if number is None:
        return None if is_first else Earlier(0, {})
    return Earlier(number, stats)
