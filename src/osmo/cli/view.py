"""One run as people and programs want to see it, put together from its records."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from osmo.agent.config import TaskConfig
from osmo.agent.status import StreamStatus
from osmo.checkpoint.source import Source
from osmo.checkpoint.tree import Stat
from osmo.cli.settings import Settings
from osmo.clock import SystemClock
from osmo.errors import RunDirectoryError, RunNotFound, UsageError
from osmo.rundir import looks, records
from osmo.rundir.home import Home
from osmo.rundir.identity import Process, host, rebooted_since
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.rundir.plan import Plan
from osmo.runner import agents
from osmo.runner.attempts import newest_attempt
from osmo.runner.lifecycle import Seen, state_of_run
from osmo.states import State


@dataclass(frozen=True, slots=True)
class Unsaved:
    """Files on this machine that are not in the store as they are. oldest: when the first of them was written."""

    files: int = 0
    size: int = 0
    oldest_ns: int | None = None

    def __add__(self, other: "Unsaved") -> "Unsaved":
        moments = [moment for moment in (self.oldest_ns, other.oldest_ns) if moment is not None]
        return Unsaved(self.files + other.files, self.size + other.size, min(moments, default=None))


@dataclass(frozen=True, slots=True)
class TaskView:
    """One task's newest attempt."""

    name: str
    attempt: AttemptDir
    state: State
    status: dict[str, Any]

    @property
    def number(self) -> int:
        """Of the attempt."""
        return int(self.attempt.path.name)

    @property
    def seen(self) -> Seen:
        return Seen(self.number, self.state)

    @property
    def streams(self) -> list[dict[str, Any]]:
        """The agent's words about each stream; before it had any, that there is nothing to say yet."""
        status = self.status if "streams" in self.status else records.read(self._saver.status) or {}
        if "streams" in status:
            return list(status["streams"])
        return [asdict(StreamStatus.of(entries)) for entries in self.config.streams]

    @property
    def config(self) -> TaskConfig:
        return TaskConfig.read(records.read(self.attempt.task))

    @property
    def _saver(self) -> AttemptDir:
        """The attempt that knows what is saved: one that has not begun does not."""
        if "streams" in self.status:
            return self.attempt
        earlier = (AttemptDir(self.attempt.path.with_name(str(number))) for number in reversed(range(self.number)))
        known = (place for place in earlier if "streams" in (records.read(place.status) or {}))
        return next(known, self.attempt)

    def unsaved(self, below: str = "/") -> Unsaved:
        """Walks the task's checkpointed paths as they are now; only those in the folder `below`."""
        streams = enumerate(TaskConfig.read(records.read(self._saver.task)).streams)
        found = (self.unsaved_of(place) for place, entries in streams if Path(entries[0].root).is_relative_to(below))
        return sum(found, start=Unsaved())

    def unsaved_of(self, place: int) -> Unsaved:
        """The same of one stream."""
        saver = self._saver
        _, saved = looks.read(saver.saved(place), Stat) or (None, {})
        files = Source(TaskConfig.read(records.read(saver.task)).streams[place]).scan().files
        missing = [stat for name, stat in files.items() if saved.get(name) != stat]
        oldest = min((stat.mtime_ns for stat in missing), default=None)
        return Unsaved(len(missing), sum(stat.size for stat in missing), oldest)


@dataclass(frozen=True, slots=True)
class RunView:
    """One run."""

    run: RunDir
    record: dict[str, Any]
    tasks: tuple[TaskView, ...]

    @property
    def plan(self) -> Plan:
        return Plan.read(self.record)

    @property
    def state(self) -> State:
        return state_of_run(self.plan, {task.name: task.seen for task in self.tasks})

    @property
    def host(self) -> str:
        return str(self.record["host"])

    @property
    def submitted(self) -> datetime:
        return datetime.fromisoformat(self.record["submitted"])

    @property
    def is_here(self) -> bool:
        """Its files are on this machine."""
        record = records.read(self.run.supervisor)
        return self.host == host() if record is None else Process.read(record).is_here

    @property
    def rebooted(self) -> bool:
        """It was not over when its machine was rebooted: nothing of it runs until it is resumed."""
        return not self.state.over and rebooted(self.run)

    def troubles(self) -> list[str]:
        """What keeps it from going on, a line each."""
        if self.state.over:
            return []
        if self.rebooted:
            return [f"its machine was rebooted; `osmo workflow resume {self.run.id}` goes on"]
        supervisor = records.read(self.run.supervisor)
        known = [(task, agents.read(supervisor, task.name)) for task in self.tasks if not task.state.over]
        return [
            f"{task.name}: its agent died {one.deaths} times, last at {moment(one.died)};"
            f" see {task.attempt.agent_errors}"
            for task, one in known
            if one.ailing
        ]

    @property
    def last_seen(self) -> str:
        """When an agent last wrote something, ISO 8601."""
        return max((task.status.get("written", "") for task in self.tasks), default="") or str(self.record["submitted"])

    def unsaved(self) -> Unsaved | None:
        """None if this machine, or this version of osmo, cannot tell."""
        if not self.is_here:
            return None
        try:
            return sum((task.unsaved() for task in self.tasks), start=Unsaved())
        except RunDirectoryError:
            return None

    def shortcomings(self) -> Iterator[str]:
        """What a task that ran and ended does not have in the store although nothing failed, a line a stream."""
        for task in self.tasks:
            for stream in task.streams if task.state.over and task.status.get("started") else ():
                if not stream["seen"]:
                    yield f"{task.name}: nothing was ever checkpointed from {stream['path']}: {_why_nothing(stream)}"
                elif problems := stream["problems"]:
                    name, why = next(iter(problems.items()))
                    more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
                    yield f"{task.name}: not in the last checkpoint of {stream['path']}: {name!r} ({why}){more}"


def _why_nothing(stream: dict[str, Any]) -> str:
    if not stream["exists"]:
        return "it was never there"
    return "no file matched its regex" if any(stream["regexes"]) else "there was no file in it"


def task_named(seen: RunView, name: str) -> TaskView:
    """Raises UsageError if the run has no such task."""
    for task in seen.tasks:
        if task.name == name:
            return task
    raise UsageError(f"{seen.run.id} has no task {name!r} (it has {', '.join(task.name for task in seen.tasks)})")


def attempt_of(run: RunDir, task: str, number: int) -> AttemptDir:
    """Raises UsageError if there is none of that number."""
    found = run.attempts(task)
    if number >= len(found):
        raise UsageError(f"{task} of {run.id} has no retry {number} (it has 0 to {len(found) - 1})")
    return found[number]


def home_of(settings: Settings) -> Home:
    """Where the runs of this machine are. Raises RunDirectoryError if that belongs to another user."""
    home = Home(settings.home)
    home.check_owner()
    return home


def view(run: RunDir) -> RunView:
    """The run as it is now. Raises RunNotFound if it was deleted meanwhile."""
    record = records.read(run.run)
    if record is None:
        raise RunNotFound(f"{run.id} is not there any more ({run.path})")
    waits = (records.read(run.supervisor) or {}).get("waits", {})
    return RunView(run, record, tuple(_task(run, name, waits.get(name)) for name in record.get("tasks", [])))


def _task(run: RunDir, name: str, waits: records.Record | None) -> TaskView:
    """waits: what its supervisor says of a task that may not begin yet."""
    attempt = newest_attempt(run, name)
    status = records.read(attempt.status)
    if status is None and waits is not None:
        status = {"state": waits["state"], "message": waits["why"]}
    status = status or {}
    return TaskView(name, attempt, State(status.get("state", State.SUBMITTING)), status)


def live(home: Home) -> list[RunView]:
    """The runs of this machine that are not over. Those that are, however many, are not read."""
    found = []
    for run in home.live():
        with suppress(RunNotFound):  # deleted meanwhile
            found.append(view(run))
    return [seen for seen in found if not seen.state.over]


def rebooted(run: RunDir) -> bool:
    """Whether this machine was booted again since somebody last took care of the run."""
    return rebooted_since(records.read(run.supervisor) or records.read(run.run) or {})


def summary(seen: RunView) -> dict[str, Any]:
    """A run for programs, in short."""
    return {
        "name": seen.run.id,
        "uuid": seen.record["uuid"],
        "status": seen.state,
        "submitted": seen.record["submitted"],
        "host": seen.host,
        "directory": str(seen.run.path),
        "rebooted": seen.rebooted,
        "labels": seen.record.get("labels", {}),
        "troubles": seen.troubles(),
    }


def as_json(seen: RunView, unsaved: Unsaved | None) -> dict[str, Any]:
    """A run for programs, with all there is to say."""
    supervisor = records.read(seen.run.supervisor)
    tasks = [
        {
            "name": task.name,
            "attempt": task.number,
            "status": task.state,
            "exit_code": task.status.get("exit_code"),
            "message": task.status.get("message", ""),
            "started": task.status.get("started"),
            "ended": task.status.get("ended"),
            "agent": agents.read(supervisor, task.name).record(),
            "checkpoints": [stream | {"age_s": age_s(stream["checkpointed"])} for stream in task.streams],
        }
        for task in seen.tasks
    ]
    on_disk = None if unsaved is None else {"files": unsaved.files, "size": unsaved.size}
    return summary(seen) | {"tasks": tasks, "not_in_store": on_disk, "shortcomings": list(seen.shortcomings())}


def moment(text: str | None) -> str:
    """`2025-04-22 23:57:13`, UTC."""
    return "-" if text is None else text[:19].replace("T", " ")


def age_s(moment: str | None) -> float | None:
    """Seconds since an ISO 8601 moment, never negative."""
    if moment is None:
        return None
    return max(0.0, (SystemClock().now() - datetime.fromisoformat(moment)).total_seconds())
