"""How many torn objects a tool stores while a task rewrites its files: `scripts/bench torn`.

Each tool runs beside the same writer (`writer.py`): osmo with the writer as its workflow's command, the others in a
loop with a pause, as people write it. After each round of the loop (for osmo: twice a second) and once more at the end
every object is read at its key. An object is torn if it is not one whole generation of its file.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from bench import tools, writer
from support.servers import S3Server, rclone_s3, s3_client

PAUSE_S = 1.0  # between two rounds; osmo's `frequency`
LOOK_S = 0.5
BUCKET = "bench"
WRITERS = {"place": "in place", "rename": "by rename"}
COLUMNS = ("writer", "tool", "version", "rounds", "objects stored", "torn", "as on disk at the end", "errors")


@dataclass(frozen=True, slots=True)
class Place:
    """Where one tool meets one writer: a server, a folder and a home of its own."""

    server: S3Server
    directory: Path
    how: str
    seconds: float
    seed: int

    @property
    def folder(self) -> Path:
        return self.directory / "data"

    @property
    def writer(self) -> list[str]:
        return [sys.executable, writer.__file__, self.how, str(self.folder), f"{self.seconds:g}", str(self.seed)]

    def start(self, command: list[str]) -> "subprocess.Popen[bytes]":
        """A tool, in its own environment; what it says goes to the file `output`."""
        with self.output.open("ab") as log:
            return subprocess.Popen(
                command, stdout=log, stderr=log, env=tools.environment(self.directory, self.server), cwd=self.directory
            )

    @property
    def output(self) -> Path:
        return self.directory / "output"


@dataclass
class Seen:
    """The objects that were readable at a file's key, by (name, digest): the whole ones, and the others."""

    place: Place
    whole: set[tuple[str, bytes]] = field(default_factory=set)
    torn: set[tuple[str, bytes]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._client: Any = s3_client(self.place.server)

    def look(self) -> int:
        """Read every object that is there now. Returns how many of them are what is on disk."""
        same = 0
        for name, size in writer.SIZES.items():
            body = self._get(name)
            if body is not None:
                found = self.whole if is_whole(body, size) else self.torn
                found.add((name, blake2b(body, digest_size=16).digest()))
                same += body == (self.place.folder / name).read_bytes()
        return same

    def _get(self, key: str) -> bytes | None:
        try:
            body: bytes = self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except self._client.exceptions.NoSuchKey:
            return None
        return body


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often a tool went over the folder, and how often it said that it failed."""

    count: int
    errors: int


def is_whole(body: bytes, size: int) -> bool:
    """Whether it is one generation of a file of this size: one number, over and over."""
    return len(body) == size and body[writer.WORD :] == body[: -writer.WORD]


def peer_in_a_loop(peer: tools.Peer, place: Place, seen: Seen) -> Rounds:
    """The writer, and the tool until it has ended, then once more."""
    rounds = errors = 0
    command = peer.command(place.server, place.folder, BUCKET)
    place.folder.mkdir()
    with subprocess.Popen(place.writer) as writing:
        ended = False
        while not ended:
            ended = writing.poll() is not None
            errors += place.start(command).wait() != 0
            rounds += 1
            seen.look()
            time.sleep(PAUSE_S)
    return Rounds(rounds, errors)


def osmo(place: Place, seen: Seen) -> Rounds:
    """The writer as the command of a workflow's task."""
    entry = {"path": f"{place.folder}/*", "url": f"s3://{BUCKET}", "frequency": f"{PAUSE_S:g}s"}
    task = {"name": "writer", "command": place.writer, "checkpoint": [entry]}
    spec = place.directory / "spec.yaml"
    spec.write_text(json.dumps({"workflow": {"name": "torn", "tasks": [task]}}))
    with place.start([str(tools.OSMO), "workflow", "submit", "--foreground", str(spec)]) as running:
        while running.poll() is None:
            time.sleep(LOOK_S)
            seen.look()
    return Rounds(place.output.read_text().count("Data has been uploaded"), int(running.returncode != 0))


def measure(how: str, args: argparse.Namespace, version: str, tool: str, run: Callable[[Place, Seen], Rounds]) -> None:
    """One line of the table."""
    with tempfile.TemporaryDirectory(prefix="osmo-bench-", dir=args.directory) as directory:
        here = Path(directory)
        with rclone_s3(here / "store", buckets=(BUCKET,)) as server:
            place = Place(server, here, how, args.seconds, args.seed)
            seen = Seen(place)
            rounds = run(place, seen)
            same = f"{seen.look()} of {len(writer.SIZES)}"
            stored = len(seen.whole) + len(seen.torn)
            numbers = map(str, (rounds.count, stored, len(seen.torn), same, rounds.errors))
            _print_row((WRITERS[how], tool, version, *numbers))


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench torn", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=90, help="how long each writer writes (%(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="of the writers' pauses (%(default)d)")
    parser.add_argument("--directory", help="where folders and stores lie meanwhile; else where temporary files do")
    args = parser.parse_args()
    sizes = ", ".join(f"{size // writer.MIB}" for size in writer.SIZES.values())
    print(f"{datetime.now(UTC):%Y-%m-%d}, {tools.machine()}.")
    print(f"Files of {sizes} MiB; {args.seconds:g} s of writing for each line; seed {args.seed}.\n")
    _print_row(COLUMNS)
    _print_row(["---"] * len(COLUMNS))
    for how in WRITERS:
        measure(how, args, tools.osmo_version(), "osmo", osmo)
        for peer in tools.ALL_PEERS:
            measure(how, args, peer.asked_version(), peer.name, lambda *at, peer=peer: peer_in_a_loop(peer, *at))


def _print_row(cells: Iterable[str]) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
