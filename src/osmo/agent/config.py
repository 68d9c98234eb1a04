"""What the agent is to do, as the runner wrote it down."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Self

from osmo.agent.sandbox import Sandbox
from osmo.errors import RunDirectoryError
from osmo.rundir.exits import ExitAction
from osmo.rundir.records import Record
from osmo.spec.checkpoint import CheckpointEntry

FORMAT = 1


@dataclass(frozen=True, slots=True)
class FileSpec:
    """A file to be made before the command starts.

    contents: base64. replace: what is there now was made by osmo and may be replaced.
    """

    path: str
    contents: str
    replace: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """How much patience an attempt has.

    final_timeout_s: how long nothing may become durable at the end. grace_s: between TERM and KILL; when the machine is
    taken away, for everything. spot: `auto` (ask the cloud whether it will be), `off`, or the address to ask. live:
    patterns of files that are appended to all day, besides the usual ones. restore_timeout_s: how long, before the
    command starts, nothing may come from a store. max_bandwidth: bytes a second that all uploads together may take, 0
    for no limit.
    """

    final_timeout_s: float
    grace_s: float
    settle_s: float
    spot: str = "off"
    live: tuple[str, ...] = ()
    restore_timeout_s: float = 1800.0
    max_bandwidth: int = 0


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What has to be in `folder` before the command starts: what lies at `url`, else links to what is in the folder
    `source`. regex: of what names; empty: all. number: of the task's inputs."""

    number: int
    folder: str
    url: str = ""
    source: str = ""
    regex: str = ""


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """Where the task's output goes when the command has ended. regex: of what names; empty: all."""

    url: str
    regex: str = ""


def streams_of(entries: Iterable[CheckpointEntry]) -> tuple[tuple[CheckpointEntry, ...], ...]:
    """The entries, those of the same path and url together: they share one stream and one writer."""
    streams: dict[tuple[str, str], list[CheckpointEntry]] = {}
    for entry in entries:
        streams.setdefault((entry.path, entry.url), []).append(entry)
    return tuple(map(tuple, streams.values()))


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """One attempt of one task. `command` is empty for a task that only checkpoints. `notes` go into the log first.

    max_retries: how many attempts there may be after the first. barrier: whether it begins together with its group.
    inputs: those that something has to be done for.
    """

    run_id: str
    run: str
    task: str
    attempt: int
    command: tuple[str, ...]
    environment: dict[str, str]
    cwd: str
    files: tuple[FileSpec, ...]
    entries: tuple[CheckpointEntry, ...]
    limits: Limits
    notes: tuple[str, ...] = ()
    sandbox: Sandbox | None = None
    exit_actions: tuple[ExitAction, ...] = ()
    max_retries: int = 0
    barrier: bool = False
    inputs: tuple[InputSpec, ...] = ()
    outputs: tuple[OutputSpec, ...] = ()

    @property
    def retries_left(self) -> int:
        return self.max_retries - self.attempt

    @property
    def streams(self) -> tuple[tuple[CheckpointEntry, ...], ...]:
        return streams_of(self.entries)

    def record(self) -> Record:
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def read(cls, record: Record | None) -> Self:
        """Raises RunDirectoryError if this version cannot read it."""
        if record is None or record.get("format") != FORMAT:
            raise RunDirectoryError("task.json is missing, or of another version of osmo")
        values = {name: value for name, value in record.items() if name != "format"}
        return cls(
            **values
            | {
                "command": tuple(values["command"]),
                "files": tuple(FileSpec(**file) for file in values["files"]),
                "entries": tuple(CheckpointEntry(**entry) for entry in values["entries"]),
                "limits": Limits(**values["limits"] | {"live": tuple(values["limits"].get("live", ()))}),
                "notes": tuple(values["notes"]),
                "sandbox": _sandbox(values.get("sandbox")),
                "exit_actions": tuple(ExitAction(**each) for each in values.get("exit_actions", ())),
                "inputs": tuple(InputSpec(**each) for each in values.get("inputs", ())),
                "outputs": tuple(OutputSpec(**each) for each in values.get("outputs", ())),
            }
        )


def _sandbox(record: Record | None) -> Sandbox | None:
    if record is None:
        return None
    mounts, read_only = (tuple((seen, real) for seen, real in record[name]) for name in ("mounts", "read_only"))
    return Sandbox(mounts, tuple(record["shared"]), read_only)
