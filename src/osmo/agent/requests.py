"""Checkpoints that somebody asked for: handed to every stream, answered when each of them has spoken."""

from contextlib import suppress
from dataclasses import dataclass, field

from osmo.agent.status import StatusBoard
from osmo.rundir import requests
from osmo.rundir.paths import AttemptDir
from osmo.rundir.requests import Request

BY_SIGNAL = Request("")  # whoever sent it is not known, and waits for nothing


@dataclass(frozen=True, slots=True)
class Answered:
    """Stream number `place` has made the checkpoint that these requests asked for. failed: why not, else empty."""

    place: int
    requests: tuple[Request, ...]
    failed: str


@dataclass(slots=True)
class _Open:
    """A request that not all streams have answered."""

    places: set[int]
    failures: list[str] = field(default_factory=list)


class Requests:
    """For the thread that decides. places: how many streams the attempt has."""

    def __init__(self, attempt: AttemptDir, board: StatusBoard, places: int) -> None:
        self._attempt = attempt
        self._board = board
        self._places = places
        self._open: dict[str, _Open] = {}

    def new(self) -> list[Request]:
        """What was asked for since the last call, also of an agent before us. The streams are to make it now."""
        found = []
        for name in requests.waiting(self._attempt):
            if self._board.answered(name):
                self._forget(name)
            elif name not in self._open:
                found.append(requests.read(self._attempt, name))
                self._open[name] = _Open(set(range(self._places)))
                self._conclude(name)
        return found

    def answered(self, event: Answered) -> None:
        """One stream has spoken."""
        for name in (request.id for request in event.requests if request.id in self._open):
            self._open[name].places.discard(event.place)
            if event.failed:
                self._open[name].failures.append(event.failed)
            self._conclude(name)

    def _conclude(self, name: str) -> None:
        if not self._open[name].places:
            self._board.answer(name, "; ".join(self._open.pop(name).failures))
            self._forget(name)

    def _forget(self, name: str) -> None:
        """Not before the answer is on the disk: an agent after us would have neither."""
        if self._board.written:
            with suppress(OSError):
                requests.remove(self._attempt, name)
