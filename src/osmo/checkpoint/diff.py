"""What a walk of the folder means, given what is in the store already."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import translate

from osmo.checkpoint.found import Found
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.table import Table
from osmo.checkpoint.tree import ROOT, Stat

# What readers of plain files take as "the set is complete": uploaded after everything else.
_END_MARKERS = (
    ".metadata",
    "trainer_state.json",
    "latest*",
    "_SUCCESS",
    "_CHECKPOINT_METADATA",
    "commit_success.txt",
)
_END_MARKER = re.compile("|".join(map(translate, _END_MARKERS)))


def unsure(now: Mapping[str, Stat], saved: Table) -> dict[str, Stat]:
    """The files of which only their bytes tell whether they are in the store as they are now."""
    return {name: now[name] for name in saved.unsure if name in now}


def by_size(records: Iterable[FileRecord], stats: Iterable[Stat]) -> dict[int, list[FileRecord]]:
    """Those of the records whose size one of the stats has too: only they can have the same content."""
    found: dict[int, list[FileRecord]] = {stat.size: [] for stat in stats}
    for record in records:
        if record.size in found:
            found[record.size].append(record)
    return found


def gone(now: Found, saved: Table, problems: Collection[str]) -> set[str]:
    """The files that are in the store and not in the folder any more. What lies behind a problem was not looked for."""
    return {name for name in now.lacks(saved) if not _behind(name, problems)}


def is_end_marker(name: str) -> bool:
    """Whether readers take this file as the sign that the set is complete."""
    return _END_MARKER.match(name, name.rfind("/") + 1) is not None


def speaks_for(marker: str, name: str) -> bool:
    """Whether this end marker says that `name` is there, too: it lies in its folder, or beneath it."""
    return name.startswith(marker[: marker.rfind("/") + 1]) and not is_end_marker(name)


def batches(files: Mapping[str, Stat], *, newest_first: bool) -> list[dict[str, Stat]]:
    """The files in the order in which they should be sent, those of one batch at the same time.

    End markers come after the files that they speak for: all that are in their folder, or beneath it. newest_first:
    time may run out, so one folder comes after the other, the one that was written last first, and in a folder the
    small files first: what is whole then is whole soon.
    """
    folders: dict[str, dict[str, Stat]] = {}
    for name, stat in files.items():
        folders.setdefault(name.rpartition("/")[0] if newest_first else "", {})[name] = stat
    if newest_first:
        newest = sorted(folders, key=lambda place: max(stat.mtime_ns for stat in folders[place].values()), reverse=True)
        folders = {place: dict(sorted(folders[place].items(), key=lambda item: item[1].size)) for place in newest}
    last_below = {above: place for place in folders for above in _with_parents(place)}
    markers: dict[str, list[dict[str, Stat]]] = {}  # after which folder they come: the deeper ones first
    for place in sorted(folders, key=len, reverse=True):
        of_this = {name: stat for name, stat in folders[place].items() if is_end_marker(name)}
        markers.setdefault(last_below[place], []).append(of_this)
    found: list[dict[str, Stat]] = [{}]
    for place, folder in folders.items():
        found[-1].update({name: stat for name, stat in folder.items() if not is_end_marker(name)})
        if any(due := markers.get(place, [])):
            found += [*due, {}]
    return [batch for batch in found if batch]


def _with_parents(folder: str) -> Iterator[str]:
    """The folder and all that it lies in, up to the root, which is empty."""
    yield folder
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder


def same_set(one: Table, other: Table) -> bool:
    """Whether two sets restore to the same files: names, contents, modes. When they were written does not count."""
    return len(one) == len(other) and all(
        _content(one.record(name)) == _content(other.record(name)) for name in one.differs(other)
    )


def _content(record: FileRecord | None) -> tuple[str, int, str, str, bool] | None:
    if record is None:
        return None
    return record.digest, record.mode, record.place, record.etag, record.torn_possible


def _behind(name: str, problems: Collection[str]) -> bool:
    if not problems:
        return False
    if name in problems or ROOT in problems:
        return True
    return any(name[:end] in problems for end, char in enumerate(name) if char == "/")
