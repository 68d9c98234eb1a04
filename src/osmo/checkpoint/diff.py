"""What a walk of the folder means, given what is in the store already."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.tree import Stat

# What readers of plain files take as "the set is complete": uploaded after everything else.
_END_MARKERS = (
    ".metadata",
    "trainer_state.json",
    "latest*",
    "_SUCCESS",
    "_CHECKPOINT_METADATA",
    "commit_success.txt",
)


@dataclass(frozen=True, slots=True)
class Saved:
    """A file whose bytes are in the store, and how it looked on this machine when they were read."""

    stat: Stat
    record: FileRecord


def changed(now: Mapping[str, Stat], saved: Mapping[str, Saved]) -> dict[str, Stat]:
    """The files that are not in the store as they are now."""
    return {name: stat for name, stat in now.items() if name not in saved or saved[name].stat != stat}


def gone(now: Container[str], saved: Mapping[str, Saved], problems: Container[str]) -> set[str]:
    """The files that are in the store and not in the folder any more. What lies behind a problem was not looked for."""
    return {name for name in saved if name not in now and not _behind(name, problems)}


def is_end_marker(name: str) -> bool:
    """Whether readers take this file as the sign that the set is complete."""
    path = PurePosixPath(name)
    return any(path.match(pattern) for pattern in _END_MARKERS)


def same_set(one: Mapping[str, Saved], other: Mapping[str, Saved]) -> bool:
    """Whether two sets restore to the same files: names, contents, modes. When they were written does not count."""
    return one.keys() == other.keys() and all(
        _content(saved.record) == _content(other[name].record) for name, saved in one.items()
    )


def _content(record: FileRecord) -> tuple[str, int, str, bool]:
    return record.digest, record.mode, record.etag, record.torn_possible


def _behind(name: str, problems: Container[str]) -> bool:
    return name in problems or any(str(above) in problems for above in PurePosixPath(name).parents)
