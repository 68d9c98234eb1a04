"""Before a command starts: what it is to read is there, in `{{input:0}}`, `{{input:1}}` …"""

import os
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from osmo.agent.config import InputSpec
from osmo.agent.errand import Errand
from osmo.agent.events import Events
from osmo.agent.restore import NotStarted, told
from osmo.clock import Clock
from osmo.errors import StoreError, Unavailable
from osmo.logs.span import span
from osmo.logs.write import Log
from osmo.rundir.orders import Order
from osmo.store.base import Object, Store
from osmo.transfer.download import download
from osmo.transfer.find import find
from osmo.transfer.names import matcher
from osmo.transfer.run import Report
from osmo.transfer.walk import walk

_NAMES_SAID = 3
Open = Callable[[str], Store]


def gather(
    inputs: Sequence[InputSpec],
    open_it: Open,
    log: Log,
    events: Events,
    ordered: Callable[[], Order | None],
    clock: Clock,
    timeout_s: float,
) -> NotStarted | None:
    """Fetch what lies at urls, and link what is wanted of other tasks' outputs. None: all of it is there.

    A store that gives no answer is asked again until nothing has come for `timeout_s`; what an attempt before has
    fetched is not fetched again. The end of that is heard at once, whatever hangs.
    """
    if not inputs:
        return None
    errand = Errand("inputs", lambda self: _gather(self, inputs, open_it), log, clock)
    errand.start()
    while not errand.over.is_set():
        if (end := told(events, ordered)) is not None:
            errand.stop.set()
            return end
        if clock.monotonic() - errand.moved_at > timeout_s and not errand.over.is_set():
            errand.stop.set()
            trouble = errand.trouble or "no answer"
            return NotStarted(f"the inputs could not be fetched: {trouble}. Nothing has come for {span(timeout_s)}")
    return NotStarted(errand.why) if errand.why else None


def _gather(errand: Errand, inputs: Sequence[InputSpec], open_it: Open) -> str:
    fetches = any(one.url for one in inputs)
    if fetches:
        errand.log.ours("Downloading Start")
    for one in inputs:
        folder = Path(one.folder)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            why = _download(errand, one, open_it) if one.url else _link(errand, one, folder)
        except OSError as error:
            why = f"{error.filename or folder}: {error.strerror or error}"
        if why:
            return f"{{{{input:{one.number}}}}} is not there: {why}"
    if fetches:
        errand.log.ours("All Inputs Gathered")
    return ""


def _download(errand: Errand, one: InputSpec, open_it: Open) -> str:
    """Why it could not be done, else nothing."""
    errand.log.ours(f"Downloading {_named(one)}")
    while not errand.stop.is_set():
        try:
            store, found = find(one.url, open_it, matcher(one.regex))
            why, final = _fetch(errand, one, store, found)
        except StoreError as error:
            why = f"{error}. {error.hint}".rstrip() if error.hint else str(error)
            final = not isinstance(error, Unavailable)
        if final:
            return why
        errand.rest(why)
    return "stopped"


def _fetch(errand: Errand, one: InputSpec, store: Store, found: Sequence[Object]) -> tuple[str, bool]:
    """Why it is not all there, and whether to leave it at that. Raises StoreError."""
    errand.moved_at = errand.clock.monotonic()
    if not found:
        errand.log.ours(f"No entries found for {_named(one)}: {{{{input:{one.number}}}}} is empty")
        return "", True
    passage = errand.passage(sum(each.size for each in found))
    report = download(
        store, found, Path(one.folder), resume=True, progress=passage, clock=errand.clock, stop=errand.stop
    )
    if report.failed:
        return _first_of(report), report.unanswered < len(report.failed)
    if len(report.done) + len(report.skipped) < len(found):
        return "stopped", True
    there = f", {len(report.skipped):,} there already" if report.skipped else ""
    errand.log.ours(f"Downloaded {_named(one)} to {{{{input:{one.number}}}}}: {passage.end(len(report.done))}{there}")
    return "", True


def _link(errand: Errand, one: InputSpec, folder: Path) -> str:
    """What is wanted of another task's output, as the same files under another name: no byte is copied, unless they lie
    on another filesystem. Why it could not be done, else nothing."""
    count = 0
    for source in walk(f"{one.source}/*", matcher(one.regex)):
        if errand.stop.is_set():
            return "stopped"
        if source.problem:
            errand.log.ours(f"Left out of {{{{input:{one.number}}}}}: {source.path}: {source.problem}")
            continue
        _same_file(source.path, folder / source.key)
        errand.moved_at = errand.clock.monotonic()
        count += 1
    if not count:
        errand.log.ours(f"Nothing in {one.source} matches {one.regex!r}: {{{{input:{one.number}}}}} is empty")
    return ""


def _same_file(source: Path, target: Path) -> None:
    """Raises OSError."""
    real = os.path.realpath(source)
    if target.exists() and os.path.samefile(real, target):
        return
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = target.with_name(f".osmo-part.{threading.get_ident():x}")
    beside.unlink(missing_ok=True)
    try:
        os.link(real, beside)
    except OSError:  # another filesystem, or one without links
        shutil.copy2(real, beside)
    beside.replace(target)


def _first_of(report: Report) -> str:
    names = "; ".join(why for _, why in report.failed[:_NAMES_SAID])
    more = len(report.failed) - _NAMES_SAID
    return f"{names}{f' and {more:,} more' if more > 0 else ''}"


def _named(one: InputSpec) -> str:
    return f"{one.url} (regex {one.regex})" if one.regex else one.url
