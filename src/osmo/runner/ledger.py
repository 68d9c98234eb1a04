"""What of this machine is whose, among all runs of this user: one record, changed under a lock."""

import fcntl
import os
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from osmo.clock import Clock
from osmo.errors import RunDirectoryError
from osmo.rundir import records
from osmo.rundir.home import Home
from osmo.rundir.identity import Process, host
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.rundir.resources import Capacity, Resources
from osmo.runner.admission import Claim, Devices, admit

_LOOK_AGAIN_S = 10.0  # for owners that died without a word


class Ledger:
    """One supervisor's hand in it."""

    def __init__(self, run: RunDir, capacity: Capacity, clock: Clock) -> None:
        self._home = Home(run.path.parents[1])
        self._run = run
        self._capacity = capacity
        self._clock = clock
        self._me = Process.of(os.getpid())
        self._path = self._home.resources(host())
        self._signature: tuple[int, int] | None = None
        self._looked_at = -_LOOK_AGAIN_S
        self._waits: dict[str, str] = {}

    def claim(self, groups: Mapping[str, Mapping[str, Resources]]) -> dict[str, Devices | str]:
        """For each group its tasks' devices, once all of them may begin; until then, what they wait for. Cheap to ask
        again. groups: what the tasks of each want. Raises OSError, RunDirectoryError.
        """
        if groups.keys() <= self._waits.keys() and not self._changed():
            return {group: self._waits[group] for group in groups}
        answers: dict[str, Devices | str] = {}
        with self._locked() as claims:
            for group, wanted in groups.items():
                mine, answers[group] = self._claimed(group, wanted, claims)
                claims[mine.key] = mine
        self._waits = {group: answer for group, answer in answers.items() if isinstance(answer, str)}
        return answers

    def _claimed(
        self, group: str, wanted: Mapping[str, Resources], claims: Mapping[tuple[str, str], Claim]
    ) -> tuple[Claim, Devices | str]:
        key = self._run.id, group
        mine = claims.get(key) or Claim(*key, self._me, self._clock.now().isoformat(), wanted)
        if mine.devices is not None:
            return replace(mine, owner=self._me), mine.devices
        mine = replace(mine, owner=self._me, wanted=wanted)
        answer = admit(self._capacity, [claim for claim in claims.values() if claim.key != key], mine)
        return (mine if isinstance(answer, str) else replace(mine, devices=answer)), answer

    def groups(self) -> set[str]:
        """The groups of this run that have something, or wait. Raises OSError, RunDirectoryError."""
        claims = (records.read(self._path) or {}).get("claims", ())
        return {claim["group"] for claim in claims if claim["run"] == self._run.id}

    def keep(self, groups: Mapping[str, Set[str]]) -> None:
        """Of each of these groups, give back what others than these tasks have, or wait for. Raises OSError,
        RunDirectoryError."""
        with self._locked() as claims:
            for group, tasks in groups.items():
                mine = claims.pop((self._run.id, group), None)
                left = {task: asked for task, asked in mine.wanted.items() if task in tasks} if mine else {}
                if mine is not None and left:
                    devices = mine.devices and {task: names for task, names in mine.devices.items() if task in tasks}
                    claims[mine.key] = replace(mine, owner=self._me, wanted=left, devices=devices)
        self._waits.clear()

    def _changed(self) -> bool:
        """Whether anybody changed the record since we did or, after a while, may have died."""
        return self._signature != _signature(self._path) or self._clock.monotonic() - self._looked_at > _LOOK_AGAIN_S

    @contextmanager
    def _locked(self) -> Iterator[dict[tuple[str, str], Claim]]:
        """The claims that count, to be changed; what is in the mapping at the end is written down."""
        with open(os.open(self._home.resources_lock(host()), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)) as lock:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(lock, fcntl.LOCK_EX)
            record = records.read(self._path) or {}
            claims = [Claim.read(one) for one in record.get("claims", ())]
            counting = {claim.key: claim for claim in claims if self._counts(claim)}
            yield counting
            changed = {"claims": [claim.record() for claim in counting.values()]}
            if changed != record:
                records.write(self._path, changed)
            self._signature, self._looked_at = _signature(self._path), self._clock.monotonic()

    def _counts(self, claim: Claim) -> bool:
        """Whether it is of a run that goes on. One whose supervisor died has what its tasks have that live."""
        if claim.owner == self._me or claim.owner.alive:
            return True
        run = RunDir(self._home.workflows / claim.run)
        if claim.devices is None or not run.run.exists() or run.ended.exists():
            return False
        return any(_lives(attempt) for task in claim.wanted for attempt in run.attempts(task)[-1:])


def _lives(attempt: AttemptDir) -> bool:
    for path in (attempt.agent, attempt.child):
        with suppress(RunDirectoryError):
            record = records.read(path)
            if record is not None and Process.read(record).alive:
                return True
    return False


def _signature(path: Path) -> tuple[int, int] | None:
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns
