"""A rig that kills what belongs to a run, at random moments, and looks at what is left after each kill."""

import contextlib
import json
import random
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from blake3 import blake3

from osmo.rundir import records
from osmo.rundir.identity import Process
from osmo.rundir.paths import RunDir
from support import generations
from support.cli import Osmo, until
from support.processes import Processes
from support.stored import Stored

EXIT_CODE = 7
RECOVERY_S = 90.0
VICTIMS = ("agent", "supervisor", "both", "wrapper", "command")


class Rig:
    """One run of a task that changes its tree in generations.

    stored: what the url holds, seen with other eyes. constant: whether there is also a file that never changes.
    """

    def __init__(self, osmo: Osmo, url: str, stored: Stored, seed: int, name: str, *, constant: bool = False) -> None:
        self.osmo = osmo
        self.stored = stored
        self.random = random.Random(seed)
        self.run = RunDir(osmo.home.workflows / f"{name}-1")
        self.folder = osmo.directory / name / "data"
        self.folder.parent.mkdir()
        if constant:
            self.folder.mkdir()
            (self.folder / "constant").write_bytes(b"it never changes\n" * 1000)
        token = f"token-of-{self.run.path}"  # tests that run at the same time have others
        self.processes = Processes(self.run, token)

        command = [sys.executable, "-I", "-S", generations.__file__, str(self.folder), token, str(EXIT_CODE)]
        entry = {"path": str(self.folder), "url": url, "frequency": "300ms"}
        task = {"name": "main", "command": command, "checkpoint": [entry]}
        self.spec = osmo.spec(json.dumps({"workflow": {"name": name, "tasks": [task]}}), f"{name}.yaml")
        self.killed: list[str] = []

    def submit(self, *options: str, **environ: str) -> None:
        """Start it, without waiting for anything but its directory."""
        self.osmo.start("workflow", "submit", self.spec, *options, **environ)
        until(self.run.run.exists, "the run", RECOVERY_S)

    def kill(self, victim: str) -> None:
        """SIGKILL for one kind of process of the run, or for what there is of it by now."""
        of = self.processes
        pids = {
            "agent": of.agents,
            "supervisor": of.supervisors,
            "both": lambda: [*of.supervisors(), *of.agents()],
            "wrapper": of.wrappers,
            "command": of.commands,
        }[victim]()
        if pids:
            self.killed.append(victim)
            of.kill(*pids)
            until(lambda: not any(Process.of(pid).alive for pid in pids), f"the death of {pids}")

    def stop(self) -> None:
        """Let the command end by itself."""
        (self.folder.parent / "stop").touch()

    @property
    def starts(self) -> int:
        with contextlib.suppress(FileNotFoundError):
            return len((self.folder.parent / "starts").read_text().splitlines())
        return 0

    @property
    def checkpoint(self) -> int:
        """The number of the newest checkpoint, as the store has it."""
        return max((record["checkpoint"] for record in self.stored.checkpoints("main.data")), default=0)

    def look(self) -> dict[str, Any]:
        """What `query` says, which must be true. It also starts a supervisor where there is none."""
        before = bool(self.processes.commands())
        seen: dict[str, Any] = self.osmo.query(self.run.id)
        [task] = seen["tasks"]
        if before and self.processes.commands():
            assert seen["status"] in ("RUNNING", "PENDING"), (seen, self.killed)
            assert task["exit_code"] is None
        return seen

    def recovers(self) -> None:
        """An agent comes back, unless all is over, and goes on: one command, one agent, checkpoints."""
        until(self._is_well, f"an agent after {self.killed}", RECOVERY_S)
        assert self.starts <= 1, self.killed
        if self.processes.commands():
            assert len(self.processes.commands()) == 1
            before = self.checkpoint
            until(lambda: self.checkpoint > before or self.over, f"a checkpoint after {self.killed}", RECOVERY_S)

    def _is_well(self) -> bool:
        self.look()
        agent = records.read(self.run.attempt("main", 0).agent)
        begun = self.run.attempt("main", 0).status.exists()
        return self.over or bool(begun and agent and Process.read(agent).alive and self.processes.supervisors())

    @property
    def over(self) -> bool:
        status = records.read(self.run.attempt("main", 0).status)
        return bool(status and status.get("ended"))

    def check_the_end(self) -> None:
        """The exit code is known, the command ran once, the log is whole, and the store equals the disk."""
        waited = self.osmo("workflow", "wait", self.run.id)
        assert waited.returncode == 1, waited
        [task] = self.look()["tasks"]
        if task["status"] == "FAILED_START_ERROR":  # the shell was killed before it was ready to start anything
            assert "wrapper" in self.killed
            assert not self.starts
            return
        assert self.starts == 1, self.killed
        code = 137 if {"wrapper", "command"} & set(self.killed) else EXIT_CODE
        assert (task["status"], task["exit_code"]) == ("FAILED", code), (task, self.killed)
        until(lambda: not self.processes.agents() and not self.processes.supervisors(), "the end of all processes")
        assert not self.processes.commands()
        self.check_store()
        self.check_log()

    def check_store(self) -> None:
        """What is named in the newest record is what is on disk, and what is in the store."""
        record = self.stored.checkpoints("main.data")[-1]
        assert record["trigger"] == "final"
        on_disk = {str(path.relative_to(self.folder)): path.read_bytes() for path in self.files()}
        named = {file["name"]: (file["size"], file["digest"]) for file in record["files"]}
        assert named == {name: (len(body), blake3(body).hexdigest()) for name, body in on_disk.items()}, self.killed
        for name, body in on_disk.items():
            assert (self.stored.directory / "data" / name).read_bytes() == body, (name, self.killed)

    def files(self) -> Iterator[Path]:
        return (path for path in self.folder.rglob("*") if path.is_file())

    def check_log(self) -> None:
        """Each line of the task once, in order."""
        lines = [line for line in self.osmo.log(self.run.id) if "[main][osmo]" not in line]
        words = [line.split("[main] ", 1)[1].split() for line in lines]
        ticks = [int(number) for word, number, *_ in words if word == "tick"]
        assert ticks == list(range(1, len(ticks) + 1)), (ticks, self.killed)
        if "command" not in self.killed:
            assert words[-1] == ["last", str(len(ticks))], self.killed


@contextlib.contextmanager
def rig(
    osmo: Osmo, url: str, stored: Stored, seed: int, name: str = "killed", *, constant: bool = False
) -> Iterator[Rig]:
    """A rig whose processes end with the block, and whose records are read all the time."""
    made = Rig(osmo, url, stored, seed, name, constant=constant)
    try:
        with readable(made.run.path):
            yield made
    finally:
        made.processes.kill_all()


@contextlib.contextmanager
def readable(directory: Path) -> Iterator[None]:
    """Inside the block every JSON record beneath the directory can be read whole, whenever one looks."""
    done = threading.Event()
    broken: list[str] = []

    def look() -> None:
        while not done.wait(0.005) and not broken:
            for path in directory.rglob("*.json"):
                if not path.name.startswith("."):
                    _try(lambda path=path: json.loads(path.read_bytes()), path, broken)  # type: ignore[misc]

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(10)
    assert not broken, broken


def _try(read: Callable[[], object], path: Path, broken: list[str]) -> None:
    try:
        read()
    except FileNotFoundError:
        return
    except ValueError as error:
        broken.append(f"{path}: {error}")
