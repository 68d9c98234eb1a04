"""The savers of an attempt's streams, and where their news go: into the log, onto the board, to who decides."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from osmo.agent.config import Limits
from osmo.agent.events import Durable, Events
from osmo.agent.requests import Answered
from osmo.agent.saver import Saver
from osmo.agent.say import Narrator
from osmo.agent.spot import Cloud, Watch
from osmo.agent.status import StatusBoard
from osmo.checkpoint.archive import Earlier
from osmo.checkpoint.budget import ByteBudget, suitable_total
from osmo.checkpoint.events import Event
from osmo.checkpoint.manifest import Writer
from osmo.checkpoint.settings import Settings
from osmo.checkpoint.stream import Stream
from osmo.clock import Clock
from osmo.errors import StoreError
from osmo.logs.write import Log
from osmo.spec.checkpoint import CheckpointEntry
from osmo.store.limit import Bandwidth
from osmo.store.open import open_store, prepare

Entries = tuple[CheckpointEntry, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """One stream, ready to be restored and saved. report: takes its events. goes_on: an agent before us knew of it.
    hurried: called when there is a deadline."""

    place: int
    stream: Stream
    report: Callable[[Event], None]
    goes_on: bool
    hurried: Callable[[], None] = lambda: None


def _of_the_task(_entries: Entries) -> str:
    return ""


def _unknown(_place: int) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Streams:
    """All that one attempt saves, each stream with the place that the board knows it by.

    environ: where credentials and endpoints are looked for. name: of a stream, empty for `<task>.<folder>`. scratch:
    where copies of databases may lie for a while.
    """

    streams: Iterable[Entries]
    writer: Writer
    limits: Limits
    environ: Mapping[str, str]
    log: Log
    board: StatusBoard
    events: Events
    clock: Clock
    scratch: Path
    name: Callable[[Entries], str] = _of_the_task

    def prepare(self) -> None:
        """Load what their stores need: later the package may be another."""
        for entries in self.streams:
            with suppress(StoreError):  # it will be said when it is asked
                prepare(entries[0].url, self.environ)

    def open(self, earlier: Callable[[int], Earlier | None] = _unknown) -> list[Opened]:
        """Put them together; nobody is asked for anything yet. earlier: what an agent before us knew of the stream at a
        place."""
        shutil.rmtree(self.scratch, ignore_errors=True)  # what an agent before us left there
        shared = ByteBudget(suitable_total()), Bandwidth(self.limits.max_bandwidth, self.clock)
        return [self._open(place, entries, *shared, earlier(place)) for place, entries in enumerate(self.streams)]

    def start(self, opened: Iterable[Opened]) -> list[Saver]:
        """Begin, the command having started: the first checkpoints are due a frequency from now."""
        savers = [self._saver(one) for one in opened]
        for saver in savers:
            saver.start()
        if savers and self.limits.spot != "off":
            Watch(self.events.put, self.clock, bases=_addresses(self.limits.spot)).start()
        return savers

    def _open(
        self, place: int, entries: Entries, budget: ByteBudget, bandwidth: Bandwidth, earlier: Earlier | None
    ) -> Opened:
        narrator = Narrator(entries[0].path, entries[0].url, self.log, self.clock)

        def report(event: Event) -> None:
            narrator(event)
            self.board.happened(place, event)

        settings = Settings(
            settle_s=min(self.limits.settle_s, *(entry.frequency_s for entry in entries)),
            endpoint=self.environ.get("AWS_ENDPOINT_URL_S3") or self.environ.get("AWS_ENDPOINT_URL", ""),
            name=self.name(entries),
            shared=any(entry.shared for entry in entries),
            scratch=self.scratch,
            live=self.limits.live,
        )
        open_it = partial(open_store, entries[0].url, self.environ, bandwidth)
        stream = Stream(entries, self.writer, open_it, report, self.clock, budget, settings, earlier)
        return Opened(place, stream, report, earlier is not None, bandwidth.lift)

    def _saver(self, one: Opened) -> Saver:
        return Saver(
            one.stream,
            self.clock,
            failed=one.report,
            hurried=one.hurried,
            due=lambda seconds: self.board.due(one.place, seconds),
            done=lambda: self.events.put(Durable(one.place)),
            answered=lambda requests, failed: self.events.put(Answered(one.place, requests, failed)),
        )


def _addresses(spot: str) -> dict[Cloud, str] | None:
    """Whom to ask for a notice: None for the usual address."""
    return None if spot == "auto" else dict.fromkeys(Cloud, spot)
