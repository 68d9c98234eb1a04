"""Where one tool meets one server: a home and a store of its own, and what it costs to use them."""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench import cycles, data, measure
from bench.measure import Cost, Failed
from bench.tools import PEERS, Peer, environment
from bench.wire import Wire
from support.servers import S3Server, free_port, rclone_s3

BUCKET = "bench"
TO = f"{BUCKET}/run"


@dataclass
class Site:
    """A tool with its server. wire: what it talks to the server through, if that is counted."""

    tool: Peer
    server: S3Server
    directory: Path
    wire: Wire | None = None

    @property
    def endpoint(self) -> str:
        return self.wire.endpoint if self.wire else self.server.endpoint

    @property
    def plain(self) -> Path:
        """Where the plain files lie: the server's buckets are directories."""
        return self.server.directory / TO

    def run(self, folder: Path, args: Sequence[str] = ()) -> Cost:
        """Let the tool do what `args` say (else what it does to store a folder)."""
        command = self.tool.command(self.server, folder, TO, args=args, endpoint=self.endpoint)
        environ = environment(self.directory, self.server, self.endpoint)
        with self.counted() as count:
            cost = measure.run(command, environ, self.server, self.directory)
        return count(cost)

    def prepare(self, folder: Path) -> None:
        if self.tool.first:
            self.run(folder, self.tool.first)

    def check(self, folder: Path) -> None:
        """Raises Failed if the plain files are not those of the folder. What was there before may still be."""
        if self.tool.plain:
            compare(folder, self.plain, self.tool.name)

    @contextlib.contextmanager
    def counted(self) -> "Iterator[Counter]":
        """What goes over the wire in the block is added to a cost."""
        yield Counter(self.wire)


class Counter:
    """Adds to a cost what went over the wire since it was made."""

    def __init__(self, wire: Wire | None) -> None:
        self._wire = wire
        self._before = (wire.requests, wire.sent, wire.received) if wire else (0, 0, 0)

    def __call__(self, cost: Cost) -> Cost:
        if self._wire is None:
            return cost
        now = self._wire.requests, self._wire.sent, self._wire.received
        requests, sent, received = (after - before for after, before in zip(now, self._before, strict=True))
        return replace(cost, requests=requests, sent=sent, received=received)


def compare(folder: Path, stored: Path, name: str) -> None:
    """Raises Failed if not every file of a folder is in the other, with its size."""
    there = data.plain_files(stored)
    missing = [path for path, size in data.plain_files(folder).items() if there.get(path) != size]
    if missing:
        raise Failed(f"{name}: {len(missing)} files are not as they should be, {missing[0]} the first of them")


@contextlib.contextmanager
def site(directory: Path, tool: Peer, *, count: bool = False, copies_parts: bool = False) -> Iterator[Site]:
    """A fresh server for a tool. count: through a proxy. copies_parts: one that can copy parts of objects."""
    here = directory / "site"
    number = 0
    while (place := here.with_name(f"site-{number}")).exists():
        number += 1
    place.mkdir()
    try:
        opened = localbucket(place / "store") if copies_parts else rclone_s3(place / "store", buckets=(BUCKET,))
        with opened as server, Wire(server.endpoint) if count else contextlib.nullcontext() as wire:
            yield Site(tool, server, place, wire)
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def localbucket(directory: Path) -> Iterator[S3Server]:
    """An S3 server in Python over a directory: slow, but it can copy parts, and knows create-only."""
    (directory / BUCKET).mkdir(parents=True)
    port = free_port()
    command = [str(PEERS / "localbucket"), "--port", str(port), str(directory)]
    server = S3Server(f"http://127.0.0.1:{port}", port, "KEY", "SECRET", directory, command)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Live:
    """osmo's engine in a process that lives on, as an agent does: `bench/cycles.py`."""

    def __init__(self, at: Site, folder: Path) -> None:
        self._at = at
        self._process = subprocess.Popen(
            [sys.executable, cycles.__file__, str(folder), f"s3://{TO}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(at.directory, at.server, at.endpoint),
            text=True,
        )

    def cycle(self) -> Cost:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        before = measure.cpu_of(self._at.server)
        with self._at.counted() as count:
            self._process.stdin.write("cycle\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise Failed(f"osmo: {cycles.__file__} has ended")
        said = json.loads(line)
        server = measure.cpu_of(self._at.server) - before
        return count(Cost(said["seconds"], said["cpu_s"], server, int(said["memory"])))

    def close(self) -> None:
        self._process.communicate()
