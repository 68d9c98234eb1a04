"""What the agent tells the world: one record, replaced whole whenever something happens."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Self

from osmo.agent.noted import Noted
from osmo.checkpoint.events import (
    Committed,
    Event,
    Failed,
    Finished,
    Holding,
    Looked,
    NotRestored,
    OfRestore,
    OfSaving,
    Restored,
    RestoreFailed,
    Restoring,
    TakenOver,
    Unchanged,
)
from osmo.checkpoint.manifest import Checkpoint
from osmo.clock import Clock
from osmo.rundir import records
from osmo.rundir.paths import AttemptDir
from osmo.spec.checkpoint import CheckpointEntry
from osmo.states import NEXT, State

_NAMES_KEPT = 100
_NAMES_SAID = 3
_ANSWERS_KEPT = 100


@dataclass(slots=True)
class StreamStatus:
    """One stream, as `osmo workflow query` shows it. Moments are ISO 8601, UTC."""

    path: str
    url: str
    regexes: list[str]
    frequencies_s: list[float]
    checkpoint: int | None = None
    checkpointed: str | None = None
    looked: str | None = None
    files: int = 0
    size: int = 0
    uploaded_files: int = 0
    uploaded_size: int = 0
    seen: bool = False
    exists: bool = False
    moving: int = 0
    open: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    unsent: int = 0
    behind: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    failures: int = 0
    error: str | None = None
    next_due: str | None = None
    final: bool = False
    restore: str | None = None

    @classmethod
    def of(cls, entries: tuple[CheckpointEntry, ...]) -> Self:
        """A stream of which nothing is known yet."""
        return cls(
            path=entries[0].path,
            url=entries[0].url,
            regexes=[entry.regex for entry in entries],
            frequencies_s=[entry.frequency_s for entry in entries],
        )

    @property
    def what_is_missing(self) -> str:
        """What could not be stored, the first of it by name."""
        first = [f"{name!r} ({why})" for name, why in list(self.problems.items())[:_NAMES_SAID]]
        more = len(self.problems) - len(first)
        return f"{self.path}: {', '.join(first)}{f' and {more} more' if more else ''}"

    @property
    def why_nothing(self) -> str:
        """Why no file was ever found."""
        if not self.exists:
            return f"{self.path} was never there"
        if any(self.regexes):
            return f"no file in {self.path} ever matched {' or '.join(map(repr, self.regexes))}"
        return f"there was never a file in {self.path}"


class StatusBoard:
    """Keeps `status.json` and the `saved-N.jsonl` of each stream. A write that fails is dropped and counted.

    inherited: whether an agent may come after this one, and go on from what is written. If not, only those who asked
    for a checkpoint ever read it.
    """

    def __init__(
        self,
        attempt: AttemptDir,
        streams: Iterable[tuple[CheckpointEntry, ...]],
        clock: Clock,
        *,
        inherited: bool = True,
    ) -> None:
        self._attempt = attempt
        self.inherited = inherited
        self._clock = clock
        self._lock = threading.Lock()
        self._streams = [StreamStatus.of(entries) for entries in streams]
        self._record: dict[str, Any] = {"state": State.SUBMITTING, "exit_code": None, "message": "", "answers": []}
        self._go_on(records.read(attempt.status))
        self._noted = [Noted(attempt.saved(place)) for place in range(len(self._streams))]
        self.dropped = 0
        self.written = False  # whether the record is on the disk as it is here

    @property
    def state(self) -> State:
        return State(self._record["state"])

    def enter(self, state: State, **facts: Any) -> None:
        """Move to another state. Raises ValueError for a move that is not legal."""
        with self._lock:
            if state not in NEXT[self.state]:
                raise ValueError(f"{self.state} cannot become {state}")
            now = self._clock.now().isoformat()
            if state is State.RUNNING:
                self._record.setdefault("started", now)
            moment = {"ended": now} if state.over else {}
            self._record |= {"state": state, **moment, **facts}
            self._write()

    def facts(self, **facts: Any) -> None:
        """Set other fields of the record."""
        with self._lock:
            self._record |= facts
            self._write()

    def answer(self, request: str, failed: str) -> None:
        """The checkpoint that was asked for is durable; or `failed` says why it is not."""
        with self._lock:
            kept = self._record["answers"][1 - _ANSWERS_KEPT :]
            self._record["answers"] = [*kept, {"request": request, "failed": failed}]
            self._write()

    def answered(self, request: str) -> bool:
        return any(answer["request"] == request for answer in self._record["answers"])

    def due(self, place: int, seconds: float | None) -> None:
        """Stream number `place` has its next cycle in `seconds`."""
        with self._lock:
            moment = None if seconds is None else self._clock.now() + timedelta(seconds=seconds)
            self._streams[place].next_due = _iso(moment)
            self._write()

    def final(self, place: int) -> None:
        """Stream number `place` has its last checkpoint in the store."""
        with self._lock:
            self._streams[place].final = True
            self._streams[place].next_due = None
            self._write()

    def unsent(self) -> int:
        """How many files there was no time for."""
        return sum(stream.unsent for stream in self._streams)

    def with_problems(self) -> list[StreamStatus]:
        """The streams of which something could not be stored."""
        return [stream for stream in self._streams if stream.problems]

    def seen_nothing(self) -> list[StreamStatus]:
        """The streams of which no file was ever found."""
        return [stream for stream in self._streams if not stream.seen]

    def happened(self, place: int, event: Event) -> None:
        """Take down what a stream reported."""
        with self._lock:
            if isinstance(event, OfRestore):
                self._of_restore(place, event)
            elif not self._of_saving(place, event):
                return
            self._write()

    def _of_saving(self, place: int, event: OfSaving) -> bool:
        """Whether there is anything to be told."""
        stream = self._streams[place]
        match event:
            case Looked():
                stream.exists = event.exists
                stream.seen = stream.seen or bool(event.files)
            case Committed():
                stream.checkpoint = event.number
                stream.checkpointed = stream.looked = _iso(self._clock.now())
                stream.files = len(event.saved)
                stream.size = event.saved.size
                stream.uploaded_files += event.sent_files
                stream.uploaded_size += event.sent_size
                stream.moving = len(event.deferred) + len(event.left_out)
                stream.unsent = len(event.unsent)
                stream.seen = stream.seen or bool(event.saved or stream.moving)
                stream.exists = True
                self._well(stream, event)
                self._save(place, event)
            case Unchanged():
                stream.looked = _iso(self._clock.now())
                stream.moving = event.moving
                stream.exists = event.exists
                stream.seen = stream.seen or bool(event.files)
                self._well(stream, event)
                self._save(place, event)
            case Finished():
                stream.behind = event.behind
            case TakenOver():
                stream.error = f"fenced by {event.by}"
            case Holding():
                stream.held = list(event.files[:_NAMES_KEPT])
            case Failed():
                stream.held = []
                stream.failures = event.failures
                stream.error = str(event.error)
            case _:
                return False
        return True

    def _of_restore(self, place: int, event: OfRestore) -> None:
        stream = self._streams[place]
        stream.failures, stream.error = 0, None
        match event:
            case Restoring():
                stream.restore = f"restoring checkpoint {_name(event.checkpoint)}"
            case NotRestored():
                stream.restore = "not restored: the path was not empty" if event.occupied else "nothing to restore"
            case Restored():
                self._restored(place, event)
            case RestoreFailed():
                stream.failures, stream.error = event.failures, str(event.error)

    def _restored(self, place: int, event: Restored) -> None:
        stream = self._streams[place]
        stream.restore = f"restored from checkpoint {_name(event.checkpoint)}"
        stream.checkpoint = event.checkpoint.number
        stream.checkpointed = _iso(event.checkpoint.committed)
        stream.looked = _iso(self._clock.now())
        stream.files = len(event.saved)
        stream.size = event.saved.size
        stream.exists = stream.seen = True
        self._save(place, event)

    @staticmethod
    def _well(stream: StreamStatus, event: Committed | Unchanged) -> None:
        stream.failures, stream.error = 0, None
        stream.problems = dict(list(event.problems.items())[:_NAMES_KEPT])
        stream.open, stream.held = list(event.open[:_NAMES_KEPT]), []

    def _save(self, place: int, event: Committed | Unchanged | Restored) -> None:
        """What is durable, and how it looked on this machine: so `query` can tell what is not."""
        if self.inherited:
            number, is_here = self._streams[place].checkpoint, isinstance(event, Restored)
            self._try(lambda: self._noted[place].note(number, event.saved, is_here=is_here))

    def _go_on(self, earlier: records.Record | None) -> None:
        """Take over what an agent before us had written of this attempt."""
        if earlier is None:
            return
        self._record |= {name: earlier[name] for name in ("started", "cause", "answers") if name in earlier}
        known = {name.name for name in fields(StreamStatus)}
        for place, stream in enumerate(earlier["streams"]):
            self._streams[place] = StreamStatus(**{name: value for name, value in stream.items() if name in known})

    def _write(self) -> None:
        moment = self._clock.now().isoformat()
        record = self._record | {"written": moment, "streams": [asdict(stream) for stream in self._streams]}
        self.written = self._try(lambda: records.write(self._attempt.status, record))

    def _try(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except OSError:
            self.dropped += 1
            return False
        return True


def _name(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.number} of {checkpoint.writer.run_id}"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
