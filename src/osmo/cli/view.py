"""One run as people and programs want to see it, put together from its records."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from osmo.agent.config import TaskConfig
from osmo.checkpoint.tree import Tree
from osmo.cli.settings import Settings
from osmo.clock import SystemClock
from osmo.rundir import records
from osmo.rundir.identity import Process
from osmo.rundir.paths import AttemptDir, Home, RunDir
from osmo.runner.service import newest_attempt, task_states
from osmo.spec.checkpoint import CheckpointEntry, Matcher
from osmo.states import State, of_workflow


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
    def streams(self) -> list[dict[str, Any]]:
        return list(self.status.get("streams", []))

    @property
    def config(self) -> TaskConfig:
        return TaskConfig.read(records.read(self.attempt.task))

    def unsaved(self) -> Unsaved:
        """Walks the task's checkpointed paths as they are now."""
        found = (self._unsaved(place, entries) for place, entries in enumerate(self.config.streams))
        return sum(found, start=Unsaved())

    def _unsaved(self, place: int, entries: tuple[CheckpointEntry, ...]) -> Unsaved:
        tree = Tree(entries[0].root)
        matchers = [Matcher(entry.regex, entry.basename) for entry in entries]
        saved = (records.read(self.attempt.saved(place)) or {}).get("files", {})
        missing = [
            stat
            for name, stat in tree.scan().files.items()
            if saved.get(name) != list(stat) and (tree.is_file or any(takes(name) for takes in matchers))
        ]
        oldest = min((stat.mtime_ns for stat in missing), default=None)
        return Unsaved(len(missing), sum(stat.size for stat in missing), oldest)


@dataclass(frozen=True, slots=True)
class RunView:
    """One run."""

    run: RunDir
    record: dict[str, Any]
    tasks: tuple[TaskView, ...]

    @property
    def state(self) -> State:
        return of_workflow(task.state for task in self.tasks)

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
        return record is None or Process.read(record).is_here

    @property
    def last_seen(self) -> str:
        """When an agent last wrote something, ISO 8601."""
        return max((task.status.get("written", "") for task in self.tasks), default="") or str(self.record["submitted"])

    def unsaved(self) -> Unsaved:
        return sum((task.unsaved() for task in self.tasks), start=Unsaved())

    def never_seen(self) -> Iterator[str]:
        """One line for each stream of an ended task of which no file was ever found."""
        for task in self.tasks:
            for stream in task.streams:
                if task.state.over and not stream["seen"]:
                    yield f"{task.name}: nothing was ever checkpointed from {stream['path']}: {_why_nothing(stream)}"


def _why_nothing(stream: dict[str, Any]) -> str:
    if not stream["exists"]:
        return "it was never there"
    return "no file matched its regex" if any(stream["regexes"]) else "there was no file in it"


def home_of(settings: Settings) -> Home:
    """Where the runs of this machine are. Raises RunDirectoryError if that belongs to another user."""
    home = Home(settings.home)
    home.check_owner()
    return home


def view(run: RunDir) -> RunView:
    """The run as it is now."""
    record = records.read(run.run) or {}
    names = list(record.get("tasks", []))
    states = task_states(run, names)
    tasks = []
    for name in names:
        attempt = newest_attempt(run, name)
        tasks.append(TaskView(name, attempt, states[name], records.read(attempt.status) or {}))
    return RunView(run, record, tuple(tasks))


def views(home: Home) -> list[RunView]:
    """All runs of this machine, the newest first."""
    found = [view(run) for run in home.runs() if run.run.exists()]
    return sorted(found, key=lambda one: one.record.get("submitted", ""), reverse=True)


def age_s(moment: str | None) -> float | None:
    """Seconds since an ISO 8601 moment, never negative."""
    if moment is None:
        return None
    return max(0.0, (SystemClock().now() - datetime.fromisoformat(moment)).total_seconds())
