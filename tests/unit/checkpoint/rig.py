"""A stream over a folder and a store in memory, with a clock that only goes when waited with."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from osmo.checkpoint.archive import Earlier
from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.events import Committed, Event, Looked, Progressed, Unchanged
from osmo.checkpoint.manifest import Trigger, Writer
from osmo.checkpoint.settings import Settings
from osmo.checkpoint.stream import Stream
from osmo.errors import StoreError
from osmo.spec.checkpoint import CheckpointEntry
from osmo.store.base import Store
from support.clock import FakeClock
from support.memory import MemoryStore
from support.stored import parsed
from support.stores import Recording, Request, is_content
from support.trees import Content, grow

WRITER = Writer("uuid", "run-1", "train", 0, "here", "0a0b")


class Rig:
    """`folder` is checkpointed to `memory` through `wrap`, which may be changed at any time."""

    def __init__(
        self,
        tmp_path: Path,
        path: str = "",
        regexes: tuple[str, ...] = ("",),
        *,
        keep: int = 1,
        create_only: bool = True,
    ) -> None:
        self.folder = tmp_path / "ckpt"
        self.memory = MemoryStore(create_only=create_only)
        self.asked = Recording(self.memory)
        self.wrap: Callable[[Store], Store] = lambda store: store
        self.opened = 0
        self.clock = FakeClock()
        self.stop = threading.Event()
        self.events: list[Event] = []
        self.looked: list[Looked] = []
        place = path or str(self.folder)
        self.entries = tuple(
            CheckpointEntry(place, "memory://test", 10.0 + number, regex, keep) for number, regex in enumerate(regexes)
        )
        self.stream = self.another()

    def another(self, earlier: Earlier | None = None, writer: Writer = WRITER) -> Stream:
        """A stream of another process, of the same path and url. earlier: what it knows of the first one's."""
        return Stream(
            self.entries,
            writer,
            self._open,
            self._take_down,
            self.clock,
            ByteBudget(2**24),
            Settings(2.0, at_once=4, scratch=self.folder.parent / "scratch"),
            earlier,
        )

    def _take_down(self, event: Event) -> None:
        self.looked.append(event) if isinstance(event, Looked) else self.events.append(event)

    def _open(self) -> Store:
        self.opened += 1
        return self.wrap(self.asked)

    def reopen(self) -> None:
        """The stream opens its store anew: `wrap` is asked again."""
        self.stream._archive.reopen()

    def grow(self, files: Mapping[str, Content]) -> None:
        grow(self.folder, files)

    def cycle(self, *due: int) -> list[tuple[str, str]]:
        """One periodic cycle (of the entries of these numbers). The requests that it made."""
        entries = [self.entries[number] for number in due] if due else self.entries
        self.stream.cycle(entries, Trigger.INTERVAL, self.stop)
        return self.asked.take()

    def finish(self, exit_code: int = 0) -> list[tuple[str, str]]:
        """The last cycle. The requests that it made."""
        self.stream.cycle(self.entries, Trigger.FINAL, self.stop, exit_code=exit_code)
        return self.asked.take()

    def fail(self, cycle: Callable[[], object] | None = None) -> StoreError:
        """A cycle that fails. Its error."""
        try:
            (cycle or self.cycle)()
        except StoreError as error:
            self.asked.take()
            return error
        raise AssertionError("the cycle did not fail")

    @property
    def contents(self) -> dict[str, bytes]:
        """The plain files."""
        return {key: body for key, body in self.memory.objects.items() if not key.startswith(".osmo/")}

    @property
    def restorable(self) -> dict[str, bytes]:
        """The files of the newest checkpoint."""
        return {file["name"]: self.memory.objects[file["place"]] for file in self.newest["files"]}

    def sent(self, requests: list[tuple[str, str]]) -> list[str]:
        """The contents among what these requests wrote: the file's name, or the key if no checkpoint names it."""
        names = {file["place"]: file["name"] for record in self.records for file in record["files"]}
        return [names.get(key, key) for method, key in requests if is_content(Request(method, key))]

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records of all checkpoints, oldest first."""
        return [record for record in self.log if record["kind"] == "checkpoint"]

    @property
    def log(self) -> list[dict[str, Any]]:
        """All records, oldest first."""
        return [
            parsed(body)
            for key, body in sorted(self.memory.objects.items())
            if "/log/" in key and key.startswith(".osmo/")
        ]

    @property
    def newest(self) -> dict[str, Any]:
        return self.records[-1]

    @property
    def names(self) -> list[str]:
        """The files of the newest checkpoint."""
        return [file["name"] for file in self.newest["files"]]

    def said(self, *kinds: type[Any]) -> list[str]:
        """The events since the last call, by name (of these kinds)."""
        events, self.events[:] = self.events[:], []
        return [type(event).__name__ for event in events if not kinds or isinstance(event, kinds)]

    @property
    def committed(self) -> Committed:
        return [event for event in self.events if isinstance(event, Committed)][-1]

    @property
    def unchanged(self) -> Unchanged:
        return [event for event in self.events if isinstance(event, Unchanged)][-1]

    @property
    def progress(self) -> list[Progressed]:
        return [event for event in self.events if isinstance(event, Progressed)]

    def check(self) -> None:
        """Every file of the newest checkpoint has its bytes at its place."""
        from blake3 import blake3

        for file in self.newest["files"]:
            body = self.memory.objects[file["place"]]
            assert (blake3(body).hexdigest(), self.memory.etags[file["place"]]) == (file["digest"], file["etag"])
