"""A process that saves one generation of a folder after the other, as an agent does, until it is killed.

Run as `python -m support.saving`: for each line of standard input, a `Life`, it forks a process that lives it. It says
the pid, and then, when that has ended, how; the pid stays taken until the next line.
"""

import json
import os
import signal
import sys
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from blake3 import blake3

from osmo.agent.saver import Last, Saver
from osmo.checkpoint import blocks, upload
from osmo.checkpoint.archive import Earlier
from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.events import Committed, Event, Unchanged
from osmo.checkpoint.manifest import Trigger, Writer
from osmo.checkpoint.settings import Settings
from osmo.checkpoint.stream import Stream
from osmo.checkpoint.tree import Stat
from osmo.clock import SystemClock
from osmo.rundir import records
from osmo.rundir.requests import Request
from osmo.spec.checkpoint import CheckpointEntry
from osmo.store.base import Store
from osmo.store.open import open_store, prepare
from support.stores import Dying

STREAM = "main.data"
NAME = "generation"  # of the file that says which generation the folder is
_LARGE = 9 << 20  # here more than one request, and enough to be sent only where it changed
_NEVER_S = 1e9


@dataclass(frozen=True, slots=True)
class Life:
    """What a process does. `directory`/data is saved to `url`, from generation `first` on, so many generations; then
    the last checkpoint is made and the stream closed. What happened stands in `directory`/journal.

    notes: it goes on with what the life before it noted, as an agent of the same attempt does. dies_at: the number of
    the request (of the last one before the death, if `after`); 0: of its own accord never.

    The journal's lines: `tried G`, the folder is generation G now; `committed N G`, checkpoint N was reported, and is
    generation G (0: some file was refused by the store, and the record names it); `answered G`, a checkpoint that was
    asked for, or the last one, is durable.
    """

    directory: str
    url: str
    environ: dict[str, str]
    first: int
    generations: int
    large: bool
    keep: int
    run: str
    attempt: int
    id: str
    notes: bool
    dies_at: int
    after: bool


class Quick(SystemClock):
    """A clock that runs twenty times as fast, for the pauses between tries."""

    def monotonic(self) -> float:
        return super().monotonic() * 20

    def elapsed(self) -> float:
        return super().elapsed() * 20

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return super().wait(event, min(seconds / 20, threading.TIMEOUT_MAX))

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / 20)


def tree(generation: int, *, large: bool) -> dict[str, bytes]:
    """The files of a generation. Some change each time, some seldom, some are new, gone, renamed, or as once before."""
    step = {
        made: f"generation {made}: a step\n".encode() * 50 for made in range(max(1, generation - 2), generation + 1)
    }
    periods = {f"shard-{period % 2}/every-{period}": generation - generation % period for period in (1, 1, 2, 3, 5, 8)}
    return {
        NAME: str(generation).encode(),
        "last": step[generation],
        "flips": b"even" if generation % 2 == 0 else b"odd",
        f"renamed-{generation // 3}": b"always the same",
        **{f"steps/{made:06}": content for made, content in step.items()},
        **{name: f"generation {made} of {name}\n".encode() * 20 for name, made in periods.items()},
        **({"large": _large(generation)} if large else {}),
    }


def _large(generation: int) -> bytes:
    """Its first block changes seldom, what is behind that each third time."""
    block, rest = f"{generation - generation % 12:08}".encode(), f"{generation - generation % 3:08}".encode()
    return block * (blocks.BLOCK // 8) + rest * ((_LARGE - blocks.BLOCK) // 8)


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Make the folder this generation."""
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if str(path.relative_to(folder)) not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != content:
            temporary = folder.parent / "temporary"
            temporary.write_bytes(content)
            temporary.replace(path)


def live(life: Life) -> None:
    """One life. It may end anywhere."""
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    directory = Path(life.directory)
    journal = os.open(directory / "journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    generations: dict[str, int] = {}
    answers: SimpleQueue[str] = SimpleQueue()
    notes = directory / "notes.json"

    def say(*words: object) -> None:
        os.write(journal, (" ".join(map(str, words)) + "\n").encode())

    whole = False  # the folder as it was at the last look is in the store, with no file left out

    def report(event: Event) -> None:
        nonlocal whole
        if isinstance(event, Committed | Unchanged):
            whole = not event.problems
        if isinstance(event, Committed):
            generation = generations.get(event.saved[NAME].record.digest, 0) if whole else 0
            say("committed", event.number, generation)
            stats = {name: saved.stat.numbers for name, saved in event.saved.items()}
            records.write(notes, {"checkpoint": event.number, "files": stats})

    def opened() -> Store:
        store = open_store(life.url, life.environ)
        return Dying(store, life.dies_at, after=life.after) if life.dies_at else store

    clock = Quick()
    entry = CheckpointEntry(str(directory / "data"), life.url, _NEVER_S, keep=life.keep)
    writer = Writer(life.run, f"run-{life.run[:4]}", "main", life.attempt, "here", life.id)
    settings = Settings(scratch=directory / "scratch")
    stream = Stream((entry,), writer, opened, report, clock, ByteBudget(1 << 26), settings, _earlier(life, notes))
    assert stream.name == STREAM
    saver = Saver(stream, clock, report, lambda _: None, lambda: None, lambda _, failed: answers.put(failed))
    saver.start()
    for generation in range(life.first, life.first + life.generations):
        write(directory / "data", tree(generation, large=life.large))
        generations[blake3(str(generation).encode()).hexdigest()] = generation
        say("tried", generation)
        saver.ask(Request(str(generation), at_rest=True))
        if not answers.get() and whole:
            say("answered", generation)
    saver.finish(Last(Trigger.FINAL, 0))
    saver.join()
    if stream.durable and whole:
        say("answered", life.first + life.generations - 1)


def _earlier(life: Life, notes: Path) -> Earlier | None:
    if not life.notes:
        return None
    noted = records.read(notes) or {"checkpoint": 0, "files": {}}
    return Earlier(noted["checkpoint"], {name: Stat(*stat) for name, stat in noted["files"].items()})


def main() -> None:
    blocks.LEAST = _LARGE
    upload.WHOLE = _LARGE - 1  # type: ignore[attr-defined]
    child = 0
    for line in sys.stdin:
        if child:
            os.waitpid(child, 0)
        life = Life(**json.loads(line))
        prepare(life.url, life.environ)
        child = os.fork()
        if not child:
            code = 1
            try:
                live(life)
                code = 0
            except Exception:  # noqa: BLE001  # a forked process must not return from here
                traceback.print_exc()
            finally:
                os._exit(code)
        print(child, flush=True)
        ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        print(-ended.si_status if ended.si_code == os.CLD_KILLED else ended.si_status, flush=True)


if __name__ == "__main__":
    main()
