"""A rig that kills what saves a folder, between any two of its requests, and restores after each kill."""

import contextlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from osmo.checkpoint import history
from osmo.checkpoint.manifest import Checkpoint
from osmo.checkpoint.restore import Onlooker, restore
from osmo.store.base import Store
from osmo.store.open import open_store
from support.faults import APPLIED_409, APPLIED_500, APPLIED_LOST, ERROR, SLOW_DOWN, Active, Fault
from support.proxy import FaultProxy
from support.saving import STREAM, Life, tree

PATIENCE_S = 120.0
WRITES = ("PUT", "POST", "DELETE")
ANY_REQUEST = (ERROR, SLOW_DOWN, Fault(reset_up_at=300), Fault(reset_down_at=100), Fault(truncate_at=60))
ANY_PUT = (APPLIED_500, APPLIED_409, APPLIED_LOST)
WAYS = ("before", "after", "moment", "during", "late")
"""How a life is ended: before a request is made; after a write was applied; at any moment; while a request is with the
server, which applies it; the same, but it is applied in the midst of a later life."""


class Nursery:
    """Lives processes, one at a time, that are there at once: forked from one that has imported everything."""

    def __init__(self) -> None:
        environ = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": os.environ["PATH"]}
        command = [sys.executable, "-m", "support.saving"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environ)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        self._pid = 0

    def begin(self, life: Life) -> None:
        self._to.write(json.dumps(asdict(life)).encode() + b"\n")
        self._pid = self._said(PATIENCE_S)

    def ended(self, patience_s: float) -> bool:
        """Whether it ends within that time, by itself."""
        return bool(select.select([self._from], [], [], patience_s)[0])

    def kill(self) -> int:
        """End it, if it has not ended. Its exit code: -9 if it was killed."""
        os.kill(self._pid, signal.SIGKILL)
        return self._said(PATIENCE_S)

    def _said(self, patience_s: float) -> int:
        assert self.ended(patience_s), "nothing is heard of it"
        return int(self._from.readline())

    def close(self) -> None:
        self._to.close()
        if self._pid and self._process.poll() is None:  # it has not reaped the last one, whose pid is taken
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        self._process.wait(PATIENCE_S)
        self._from.close()


@contextlib.contextmanager
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    try:
        yield made
    finally:
        made.close()


@dataclass
class Played:
    """What a rig did so far."""

    kills: Counter[str] = field(default_factory=Counter)
    restores: int = 0


class Lives:
    """One stream and the processes that save to it, one after the other.

    environ: of the store itself, which the restores ask. proxy: before it, for the processes; without one the ways
    that need it are not gone. troubled: the proxy lets some requests fail, too. large: one file is, for
    certain.
    """

    def __init__(
        self,
        nursery: Nursery,
        directory: Path,
        url: str,
        environ: Mapping[str, str],
        seed: int,
        proxy: FaultProxy | None = None,
        *,
        troubled: bool = False,
        large: bool = False,
    ) -> None:
        self.random = random.Random(seed)
        self.played = Played()
        self._nursery = nursery
        self._directory = directory
        self._url = url
        self._environ = dict(environ)
        self._proxy = proxy
        self._troubled = troubled
        self._large = self.random.random() < 0.1 or large
        self._keep = self.random.choice((1, 1, 3))
        self._run, self._attempt = uuid.uuid4().hex, 0
        self._held: list[Active] = []
        (directory / "data").mkdir(parents=True)

    @property
    def store(self) -> Store:
        """What there is, with nothing in between."""
        return open_store(self._url, self._environ)

    def next(self) -> None:
        """One life, its end, and a look at what it left."""
        way = self.random.choice(WAYS if self._proxy else WAYS[:3])
        life = self._life(way)
        faults = self._trouble()
        held = self._hold() if way in ("during", "late") else None
        released, self._held = self._held, []
        self._nursery.begin(life)
        for active in released:
            self._nursery.ended(self.random.uniform(0, 0.1))
            active.end()
        if held is not None:
            with contextlib.suppress(TimeoutError):  # it had ended before
                while not self._nursery.ended(0.002) and not held.hits:
                    pass
        elif way == "moment":
            self._nursery.ended(self.random.uniform(0, 0.4))
        else:
            assert self._nursery.ended(PATIENCE_S), f"{life} hangs"
        code = self._nursery.kill()
        for active in faults:
            active.end()
        if held is not None:
            self._held.append(held) if way == "late" else held.end()
        assert code in (0, -signal.SIGKILL), code
        self.played.kills[way if code else "none"] += 1
        self.check(every=self.random.random() < 0.2)

    def undisturbed(self) -> None:
        """A life that ends by itself."""
        assert not self.killed_before(0)

    def killed_before(self, number: int) -> bool:
        """A life that ends before this request of its own, if it makes so many. Whether it did."""
        self._nursery.begin(replace(self._life("before"), dies_at=number, generations=2 if number == 0 else 1))
        assert self._nursery.ended(PATIENCE_S)
        code = self._nursery.kill()
        self.check(every=True)
        return code == -signal.SIGKILL

    def _life(self, way: str) -> Life:
        """The next process: the same attempt's next agent, the next attempt, or another run."""
        follows = self.random.choice(("agent", "agent", "attempt", "run"))
        if follows == "run":
            self._run, self._attempt = uuid.uuid4().hex, 0
        elif follows == "attempt":
            self._attempt += 1
        environ = self._environ | ({"AWS_ENDPOINT_URL_S3": self._proxy.endpoint} if self._proxy else {})
        return Life(
            directory=str(self._directory),
            url=self._url,
            environ=environ,
            first=self.tried + 1,
            generations=self.random.randint(1, 6),
            large=self._large,
            keep=self._keep,
            run=self._run,
            attempt=self._attempt,
            id=uuid.uuid4().hex[:8],
            notes=follows == "agent",
            dies_at=self.random.randint(1, 100) if way in ("before", "after") else 0,
            after=way == "after",
        )

    def _hold(self) -> Active:
        """The k-th request of the next life, or the k-th that writes, reaches the server when the hold ends."""
        assert self._proxy is not None
        left = self.random.randint(1, 60)
        only = self.random.choice((WRITES, (*WRITES, "GET", "HEAD")))

        def is_it(method: str, _path: str) -> bool:
            nonlocal left
            left -= method in only
            return left == 0 and method in only

        return self._proxy.fault(Fault(hold=True), when=is_it, times=1)

    def _trouble(self) -> list[Active]:
        if not (self._troubled and self._proxy):
            return []
        made = []
        for _ in range(self.random.randint(0, 3)):
            is_put = self.random.random() < 0.5
            fault = self.random.choice(ANY_PUT if is_put else ANY_REQUEST)
            share, chance = self.random.uniform(0.02, 0.5), random.Random(self.random.random())
            made.append(
                self._proxy.fault(
                    fault,
                    method="PUT" if is_put else "",
                    when=lambda *_, share=share, chance=chance: chance.random() < share,
                    times=self.random.randint(1, 8),
                )
            )
        return made

    @property
    def tried(self) -> int:
        """The newest generation that the folder ever was."""
        return max((int(words[1]) for words in self._journal() if words[0] == "tried"), default=0)

    def _journal(self) -> list[list[str]]:
        with contextlib.suppress(FileNotFoundError):
            return [line.split() for line in (self._directory / "journal").read_text().splitlines()]
        return []

    def check(self, *, every: bool) -> None:
        """The newest checkpoint restores to one generation, no older than what was reported. every: so do all that are
        kept."""
        committed = [(int(words[1]), int(words[2])) for words in self._journal() if words[0] == "committed"]
        answered = [int(words[1]) for words in self._journal() if words[0] == "answered"]
        found = history.checkpoints(self.store, STREAM) if STREAM in history.streams(self.store) else []
        if not found:
            assert not committed, committed
            assert not answered, answered
            return
        newest, generation = self._restored(None)
        reported = max([*answered, *(generation for _, generation in committed)], default=0)
        assert reported <= generation <= self.tried, (reported, generation, self.tried)
        assert newest.number >= max((number for number, _ in committed), default=0)
        by_mark = {each.mark: each for each in found}
        older = newest
        for _ in range(self._keep - 1 if every else 0):
            if older.prev not in by_mark:
                break
            older = by_mark[older.prev]
            assert self._restored(older.number)[1] <= generation  # the last one of a life may be as the one before

    def _restored(self, number: int | None) -> tuple[Checkpoint, int]:
        """What a restore into an empty folder gives, and which generation that is."""
        into = self._directory / "restored"
        outcome = restore(self.store, STREAM, number, into, Onlooker())
        assert not outcome.failures, {name: str(error) for name, error in outcome.failures.items()}
        files = {str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()}
        shutil.rmtree(into)
        self.played.restores += 1
        checkpoint = outcome.checkpoint
        refused = (checkpoint.problems or {}).keys()
        assert self._troubled or not refused, checkpoint.problems
        assert not checkpoint.unsent, checkpoint.unsent
        assert not checkpoint.left_out, checkpoint.left_out
        differing = {made: self._differing(files, made) for made in range(self.tried, 0, -1)}
        for generation, names in differing.items():
            if names <= refused:  # each of them is as it was before
                return checkpoint, generation
        raise AssertionError(f"no generation: {min(differing.items(), key=lambda each: len(each[1]))}")

    def _differing(self, files: Mapping[str, bytes], generation: int) -> set[str]:
        wanted = tree(generation, large=self._large)
        return {name for name in files.keys() | wanted.keys() if files.get(name) != wanted.get(name)}

    def clear(self) -> None:
        """Leave nothing in the store."""
        for active in self._held:
            active.end()
        for stored in list(self.store.list("")):
            self.store.delete(stored.key)
        shutil.rmtree(self._directory)
