"""Where a task's files and checkpoints lie on the machine that it runs on."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from osmo.errors import SpecError
from osmo.spec import url
from osmo.spec.checkpoint import CheckpointEntry
from osmo.spec.task import CheckpointSpec, File, Task

_VARIABLE: Final = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*)|(?=[{(]))")


@dataclass(frozen=True, slots=True)
class Place:
    """What a task inherits from `osmo workflow submit`, and where osmo keeps its own files.

    environ: the environment of the submit.
    cwd: its working directory, absolute.
    osmo_home: `$OSMO_HOME`, absolute.
    runtime: whether tasks run in a sandbox: `auto` (those with an image), `sandbox` (all), `process` (none).
    shared: the names in `/` that a task in a sandbox sees as they are; all others are its own.
    """

    environ: Mapping[str, str]
    cwd: str
    osmo_home: str
    runtime: Literal["auto", "process", "sandbox"] = "process"
    shared: frozenset[str] = frozenset()

    def in_sandbox(self, *, has_image: bool) -> bool:
        """Whether a task runs in one."""
        return self.runtime == "sandbox" or (self.runtime == "auto" and has_image)

    def is_private(self, path: str, *, has_image: bool) -> bool:
        """Whether the absolute `path` is a task's own, whatever this machine or another task has there."""
        if not self.in_sandbox(has_image=has_image) or _first(path) in self.shared:
            return False
        return not (self.shows_cwd and posixpath.commonpath((self.cwd, path)) == self.cwd)

    @property
    def shows_cwd(self) -> bool:
        """Whether the working directory needs to be shown to a sandbox: where a person works stays there, also below
        /tmp. But /tmp itself is the task's own."""
        return _first(self.cwd) not in self.shared and self.cwd.count("/") > 1

    def run_directory(self, workflow_id: str) -> str:
        """The directory of a run (design: the run directory)."""
        return posixpath.join(self.osmo_home, "workflows", workflow_id)


def _first(path: str) -> str:
    return path.lstrip("/").partition("/")[0]


def located(path: str, environment: Mapping[str, str], place: Place) -> str:
    """The absolute path that a resolved `path` means to a task with this `environment` of its own.

    `~`, `$VAR` and `${VAR}` as the task would see them, `.` and `..` resolved as text (a link is not followed), no
    trailing slash. Nothing else is special: `*` and `?` are letters here. Raises `ValueError`, which names the variable
    that is not set.
    """
    if not path.strip():
        raise ValueError("must not be empty")
    expanded = _expand(path, {**place.environ, **environment})
    if not expanded:
        raise ValueError(f"{path!r} is empty in the task's environment")
    # normpath keeps two leading slashes, as POSIX allows; here they mean nothing.
    return "/" + posixpath.normpath(posixpath.join(place.cwd, expanded)).lstrip("/")


def entry(spec: CheckpointSpec, environment: Mapping[str, str], place: Place) -> CheckpointEntry:
    """The entry that a resolved item of a task's `checkpoint:` means. Raises `ValueError`."""
    return CheckpointEntry(
        path=located(spec.path, environment, place),
        url=url.checked(spec.url),
        frequency_s=spec.frequency,
        regex=spec.regex,
        keep=spec.keep,
        restore=spec.restore,
    )


def entries(task: Task, place: Place) -> tuple[CheckpointEntry, ...]:
    """The entries of a resolved task, in the order of its `checkpoint:`.

    Raises `SpecError`; never for a task that `osmo.spec.load.check` accepted for this place.
    """
    found = []
    for number, spec in enumerate(task.checkpoint):
        try:
            found.append(entry(spec, task.environment, place))
        except ValueError as error:
            raise SpecError((f"{task.name}: checkpoint[{number}]: {error}",)) from error
    return tuple(found)


def files(task: Task, place: Place) -> tuple[File, ...]:
    """The files of a resolved task with absolute paths; `data` is what to write. Raises `SpecError` as `entries`."""
    found = []
    for number, file in enumerate(task.files):
        try:
            path = located(file.path, task.environment, place)
        except ValueError as error:
            raise SpecError((f"{task.name}: files[{number}]: {error}",)) from error
        found.append(file.model_copy(update={"path": path}))
    return tuple(found)


def _expand(path: str, environ: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name is None:
            raise ValueError(f"{path!r}: only ~, $VAR and ${{VAR}} are expanded")
        if name not in environ:
            raise ValueError(f"{path!r}: the variable {name} is not set")
        return environ[name]

    # The tilde first and only as written, as a shell does: the value of a variable is not looked into again.
    user, slash, rest = path.partition("/")
    if user == "~":
        if not environ.get("HOME"):
            raise ValueError(f"{path!r}: the variable HOME is not set")
        return environ["HOME"] + slash + _VARIABLE.sub(value, rest)
    if user.startswith("~"):
        raise ValueError(f"{path!r}: only ~ and ~/ are expanded, not another user's home")
    return _VARIABLE.sub(value, path)
