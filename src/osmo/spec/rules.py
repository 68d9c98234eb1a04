"""The rules that need more than one value of a spec, or the place where its tasks will run."""

import os
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from osmo.spec import url
from osmo.spec.checkpoint import CheckpointEntry
from osmo.spec.expansion import expand
from osmo.spec.place import Place, located
from osmo.spec.place import entry as placed_entry
from osmo.spec.problem import Field, Problem, shown
from osmo.spec.regex import repeats_in_repeats
from osmo.spec.task import CheckpointSpec, File
from osmo.spec.tokens import example, substitute

SHORT_S: Final = 1.0
SANDBOX_OUTPUT: Final = "/osmo/data/output"
"""`{{output}}` of a task that has folders of its own."""
SANDBOX_INPUT: Final = "/osmo/data/input"
"""Its `{{input:N}}` is below that."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What is valid of one task: so that one mistake in it does not hide another.

    Files and checkpoints are known by their number in the spec, since some may be missing here.
    """

    field: Field
    name: str
    environment: Mapping[str, str]
    files: Mapping[int, File]
    checkpoint: Mapping[int, CheckpointSpec]
    has_image: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    problems: list[Problem]
    warnings: list[Problem]


@dataclass(frozen=True, slots=True)
class _Task:
    """A task's parts as they would be in a run: a likely id and its directories stand for the tokens."""

    parts: Parts
    place: Place
    run: str
    output: str
    tokens: Mapping[str, str]
    environment: Mapping[str, str]

    def is_private(self, path: str) -> bool:
        return self.place.is_private(path, has_image=self.parts.has_image)

    def text(self, raw: str) -> str:
        """With a value for each token; for inputs and hosts one is as good as another."""
        return example(substitute(raw, self.tokens))


@dataclass(frozen=True, slots=True)
class _File:
    """A file's path, and where in the spec it stands. private: no other task has that path."""

    task: Parts
    number: int
    field: Field
    value: str
    private: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    """A checkpoint entry, and where in the spec it stands."""

    task: Parts
    number: int
    field: Field
    value: CheckpointEntry


def findings(
    workflow: str, tasks: list[Parts], place: Place, real: Callable[[str], str] = os.path.realpath
) -> Findings:
    """All that is wrong with valid parts in this place.

    `real` follows links: a checkpoint must not contain the run directory by way of one.
    """
    found = Findings([], [])
    files: list[_File] = []
    entries: list[_Entry] = []
    for parts in tasks:
        task = _task(workflow, parts, place)
        files += _placed_files(task, found)
        for entry in _placed_entries(task, found):
            entries.append(entry)
            found.problems.extend(_misplaced(task, entry, real))
            found.warnings.extend(_doubtful(entry))
    found.problems.extend(_shared_files(files))
    found.problems.extend(_same_twice(entries))
    found.warnings.extend(_overwriting(entries))
    return found


def entry_findings(
    specs: Mapping[int, CheckpointSpec], place: Place, real: Callable[[str], str] = os.path.realpath
) -> Findings:
    """The same of entries with no workflow around them; their fields are `checkpoint[0]` and so on."""
    found = Findings([], [])
    entries = list(_placed_entries(_task("none", Parts((), "none", {}, {}, specs), place), found))
    for entry in entries:
        found.problems.extend(_store_in_path(entry, real))
        found.warnings.extend(_doubtful(entry))
    found.problems.extend(_same_twice(entries))
    return found


def _task(workflow: str, parts: Parts, place: Place) -> _Task:
    run = place.run_directory(f"{workflow}-1")
    output = f"{run}/tasks/{parts.name}/0/data"
    if place.in_sandbox(has_image=parts.has_image):
        output = SANDBOX_OUTPUT
    tokens = {"workflow_id": f"{workflow}-1", "output": output}
    environment: dict[str, str] = {}
    for name, value in parts.environment.items():
        environment[name] = expand(example(substitute(value, tokens)), environment)
    return _Task(parts, place, run, output, tokens, environment)


def _placed_files(task: _Task, found: Findings) -> Iterator[_File]:
    for number, file in task.parts.files.items():
        field = (*task.parts.field, "files", number)
        try:
            path = located(task.text(file.path), task.environment, task.place)
        except ValueError as error:
            found.problems.append(Problem((*field, "path"), str(error)))
        else:
            yield _File(task.parts, number, field, path, task.is_private(path))


def _placed_entries(task: _Task, found: Findings) -> Iterator[_Entry]:
    for number, spec in task.parts.checkpoint.items():
        field = (*task.parts.field, "checkpoint", number)
        changes = {name: task.text(getattr(spec, name)) for name in ("path", "url", "regex")}
        try:
            entry = placed_entry(spec.model_copy(update=changes), task.environment, task.place)
        except ValueError as error:
            found.problems.append(Problem((*field, "path"), str(error)))
        else:
            yield _Entry(task.parts, number, field, entry)


def _misplaced(task: _Task, item: _Entry, real: Callable[[str], str]) -> Iterator[Problem]:
    """What a checkpoint would upload of our own: the store's files, the run's records."""
    if task.is_private(item.value.root):
        return
    entry, root, run = item.value, real(item.value.root), real(task.run)
    if _contains(root, run):
        text = f"{shown(entry.path)} contains the run directory, which is below {task.place.osmo_home}"
        yield Problem((*item.field, "path"), text)
    elif _contains(run, root) and not _contains(real(task.output), root):
        yield Problem((*item.field, "path"), f"{shown(entry.path)} is in the run directory, but not in {{{{output}}}}")
    yield from _store_in_path(item, real)


def _store_in_path(item: _Entry, real: Callable[[str], str]) -> Iterator[Problem]:
    """A store that would hold itself."""
    entry, root, store = item.value, real(item.value.root), url.directory(item.value.url)
    if store is None:
        return
    if _contains(root, real(store)):
        yield Problem((*item.field, "url"), f"{shown(entry.url)} is inside the path {shown(entry.path)}")
    elif _contains(real(store), root):
        yield Problem((*item.field, "url"), f"{shown(entry.url)} contains the path {shown(entry.path)}")


def _doubtful(item: _Entry) -> Iterator[Problem]:
    """What can be meant, but probably is not."""
    entry = item.value
    if wild := re.search(r"[*?]", entry.root):
        text = f"{wild[0]!r} is a letter of the name here: choose files with regex, or end the path with /*"
        yield Problem((*item.field, "path"), text)
    if variable := re.search(r"\$\{?[A-Za-z_]\w*\}?", entry.url):
        yield Problem((*item.field, "url"), f"{shown(variable[0])} is not expanded in a url")
    if repeats_in_repeats(entry.regex):
        text = f"{shown(entry.regex)} repeats a repeat: some names may take it forever, and nothing is saved meanwhile"
        yield Problem((*item.field, "regex"), text)
    if entry.frequency_s < SHORT_S:
        text = f"every {entry.frequency_s:g} s is often: each time the whole folder is looked through"
        yield Problem((*item.field, "frequency"), text)


def _shared_files(files: list[_File]) -> Iterator[Problem]:
    """Tasks share what they see of the host, and each file has one writer."""
    first: dict[tuple[str, str], _File] = {}
    for item in files:
        other = first.setdefault((item.task.name if item.private else "", item.value), item)
        if other is item:
            continue
        if other.task is item.task:
            text = f"{shown(item.value)} is the path of files[{other.number}] too"
        else:
            names = f"tasks {shown(other.task.name)} and {shown(item.task.name)}"
            text = f"{names} both write {shown(item.value)} on one host: {{{{output}}}}/... is each task's own"
        yield Problem((*item.field, "path"), text)


def _same_twice(entries: list[_Entry]) -> Iterator[Problem]:
    """Two entries of one task may share a destination only as two schedules of one path, told apart by their regex."""
    earlier: dict[Field, list[_Entry]] = {}
    for item in entries:
        others = earlier.setdefault(item.task.field, [])
        if problem := next(filter(None, (_clash(other, item) for other in others)), None):
            yield problem
        others.append(item)


def _clash(other: _Entry, item: _Entry) -> Problem | None:
    earlier, later = other.value, item.value
    if _destination(earlier) != _destination(later):
        return None
    if (earlier.path, earlier.url) != (later.path, later.url):
        text = f"writes to {_destination(later)} as checkpoint[{other.number}] does, from another path"
        return Problem((*item.field, "url"), text)
    if earlier.regex == later.regex:
        return Problem(
            item.field, f"has the same path, url and regex as checkpoint[{other.number}]: one of them is enough"
        )
    return None


def _overwriting(entries: list[_Entry]) -> Iterator[Problem]:
    """One line for each destination that several tasks write to."""
    writers: dict[str, dict[Field, _Entry]] = {}
    for item in entries:
        writers.setdefault(_destination(item.value), {}).setdefault(item.task.field, item)
    for destination, by_task in writers.items():
        if len(by_task) > 1:
            first, second, *others = by_task.values()
            names = f"{shown(first.task.name)} and {shown(second.task.name)}"
            more = f" and {len(others)} more" if others else ""
            text = f"tasks {names}{more} write to {destination}: plain files of equal name overwrite each other"
            yield Problem((*second.field, "url"), text)


def _destination(item: CheckpointEntry) -> str:
    """What every key of the entry begins with."""
    return f"{item.url}/{item.prefix}"


def _contains(directory: str, path: str) -> bool:
    return posixpath.commonpath((directory, path)) == directory
