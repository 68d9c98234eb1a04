"""`$OSMO_HOME`: where all runs of this machine are found, and what they have in common."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from osmo.errors import RunDirectoryError, RunNotFound
from osmo.rundir.paths import RunDir, check_owner

RUN_ID = re.compile(r"[a-zA-Z](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?-[1-9][0-9]*")


def _ignore(_name: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Home:
    """`$OSMO_HOME`: the runs of this machine, and what they have in common."""

    path: Path

    @property
    def workflows(self) -> Path:
        return self.path / "workflows"

    def numbers(self, name: str) -> Path:
        """One empty file for each number that a run of this name ever had: ids are never used again."""
        return self.path / "numbers" / name

    @property
    def files(self) -> Path:
        """One record for each file that a task's `files:` made on this machine."""
        return self.path / "files"

    @property
    def submit_lock(self) -> Path:
        """Held by the one submit that takes down what its run will write."""
        return self.path / "submit.lock"

    def resources(self, host: str) -> Path:
        """What of that machine is whose: one record for all runs."""
        return self.path / f"resources-{host}.json"

    def resources_lock(self, host: str) -> Path:
        """Held by whoever changes `resources`."""
        return self.path / f"resources-{host}.lock"

    def prepare(self) -> None:
        """Make the directory, for its owner only. Raises RunDirectoryError if it cannot be used."""
        try:
            for path in (self.path, self.workflows, self.path / "numbers", self.files):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise RunDirectoryError(
                f"{self.path}: cannot keep runs here: {error.strerror}", hint="Set OSMO_HOME to a directory of yours."
            ) from error
        self.check_owner()

    def check_owner(self) -> None:
        """Raises RunDirectoryError if the directory belongs to another user, or others may look into it."""
        for path in (self.path, self.workflows):
            mode = check_owner(path, "Set OSMO_HOME to a directory of yours.")
            if mode & 0o077:
                path.chmod(0o700)

    def run(self, run_id: str) -> RunDir:
        """The run of that id. Raises RunNotFound, and RunDirectoryError if it belongs to another user."""
        found = RunDir(self.workflows / run_id)
        if RUN_ID.fullmatch(run_id):
            found.check_owner()
        if not RUN_ID.fullmatch(run_id) or not found.run.exists():
            raise RunNotFound(f"no run {run_id!r} on this machine ({self.workflows})")
        return found

    def runs(self) -> Iterator[RunDir]:
        """All runs of this user, in no order."""
        workflows = self.workflows
        return (RunDir(workflows / name) for name in self._mine(_ignore))

    def newest_first(self, part: str = "", stranger: Callable[[str], None] = _ignore) -> Iterator[RunDir]:
        """The runs whose id has `part` in it, as they were submitted: by the time of `run.json`, which is written once.

        Among ten thousand runs only those that are shown are read. stranger: told of what belongs to another user and
        is left out.
        """
        workflows = self.workflows
        found = []
        for name in self._mine(stranger):
            if part in name:
                with contextlib.suppress(FileNotFoundError):  # not submitted yet, or just deleted
                    found.append((os.stat(f"{workflows}/{name}/run.json").st_mtime_ns, name))
        return (RunDir(workflows / name) for _, name in sorted(found, reverse=True))

    def live(self) -> list[RunDir]:
        """The runs that may not be over: all but those that say they are."""
        workflows = self.workflows
        return [RunDir(workflows / name) for name in self._mine(_ignore) if _is_live(f"{workflows}/{name}")]

    def _mine(self, stranger: Callable[[str], None]) -> Iterator[str]:
        """What lies among the runs under the name of one."""
        me = os.geteuid()
        try:
            entries = os.scandir(self.workflows)
        except FileNotFoundError:
            return
        with entries:
            for entry in entries:
                if RUN_ID.fullmatch(entry.name):
                    with contextlib.suppress(FileNotFoundError):
                        if entry.stat().st_uid == me:
                            yield entry.name
                        else:
                            stranger(entry.name)

    def new_run(self, name: str) -> RunDir:
        """An empty directory for a new run: `<name>-<n>`, n one above every number this name ever had."""
        numbers = self.numbers(name)
        numbers.mkdir(mode=0o700, exist_ok=True)
        number = max((int(used) for used in os.listdir(numbers) if used.isdecimal()), default=0)
        while True:
            number += 1
            try:
                os.close(os.open(numbers / str(number), os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            except FileExistsError:
                continue
            run = RunDir(self.workflows / f"{name}-{number}")
            run.path.mkdir(mode=0o700)
            return run


def _is_live(path: str) -> bool:
    return not os.path.exists(f"{path}/ended.json") and os.path.exists(f"{path}/run.json")
