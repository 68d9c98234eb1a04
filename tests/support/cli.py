"""The installed command, as a person types it, in a home of its own; everything it started ends with the test."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from osmo.rundir import records
from osmo.rundir.home import Home
from osmo.rundir.identity import Process
from osmo.rundir.paths import AttemptDir, RunDir
from support import planted
from support.servers import NO_METADATA

BIN = Path(sys.executable).parent
PATIENCE_S = 60.0


class Osmo:
    """`osmo` with a home and an environment of its own. `directory`: where it is called, and where specs are put."""

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self.directory = directory
        self.home = Home(directory / "osmo-home")
        (directory / "home").mkdir()
        (directory / "temporary").mkdir()
        self.environ = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(directory / "home"),
            "TMPDIR": str(directory / "temporary"),
            "OSMO_HOME": str(self.home.path),
            "OSMO_GRACE": "3s",
            "OSMO_FINAL_TIMEOUT": "60s",
            "OSMO_SETTLE": "300ms",
            "OSMO_SPOT": "off",
            **NO_METADATA,
            **environ,
        }
        self._processes: list[subprocess.Popen[Any]] = []

    def __call__(self, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end. What it prints shows no secret."""
        result = subprocess.run(
            [BIN / "osmo", *args],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=PATIENCE_S,
            cwd=self.directory,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert not planted.shown(result.stdout + result.stderr)
        return result

    def start(self, *args: str, **environ: str) -> "subprocess.Popen[str]":
        """Run it beside the test."""
        process = subprocess.Popen(
            [BIN / "osmo", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.directory,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
        )
        self._processes.append(process)
        return process

    def spec(self, text: str, name: str = "spec.yaml") -> str:
        (self.directory / name).write_text(text)
        return name

    def task(self, script: str, *, name: str = "t", **more: Any) -> str:
        """A spec of one task that runs a shell script. JSON is YAML, too."""
        task = {"name": "main", "command": ["sh", "-c", script], **more}
        return self.spec(json.dumps({"workflow": {"name": name, "tasks": [task]}}))

    def submit(self, spec: str, *options: str, **environ: str) -> str:
        """Start a workflow. Returns its id."""
        result = self("workflow", "submit", spec, *options, **environ)
        assert result.returncode == 0, result.stderr
        return run_id(result.stdout)

    def wait(self, run: str) -> subprocess.CompletedProcess[str]:
        return self("workflow", "wait", run)

    def log(self, run: str, *options: str) -> list[str]:
        """The lines of the log as it is now."""
        return self("workflow", "logs", run, "--no-follow", *options).stdout.split("\n")[:-1]

    def query(self, run: str) -> Any:
        result = self("workflow", "query", run, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def attempt(self, run: str, task: str = "main") -> AttemptDir:
        return RunDir(self.home.workflows / run).attempt(task, 0)

    def status(self, run: str, task: str = "main") -> dict[str, Any]:
        """The agent's own record, empty before there is one."""
        return records.read(self.attempt(run, task).status) or {}

    def logged(self, run: str, text: str, task: str = "main") -> bool:
        """Whether a line of the task's log has it."""
        try:
            return text.encode() in self.attempt(run, task).log.read_bytes()
        except FileNotFoundError:
            return False

    def until_logged(self, run: str, text: str, task: str = "main") -> None:
        until(lambda: self.logged(run, text, task), f"{text!r} in the log of {run}")

    def end_all(self) -> None:
        """Cancel what still runs; what does not end then is killed, each process by its id."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.communicate()
        if any(_alive(run) for run in self.home.runs()) and (going := self._going()):
            self("workflow", "cancel", *going)
            with contextlib.suppress(AssertionError):
                until(lambda: not any(_alive(run) for run in self.home.runs()), "the end", 15)
        for run in self.home.runs():
            _kill(run)

    def _going(self) -> list[str]:
        runs = json.loads(self("workflow", "list", "--json", "-c", "1000").stdout or "[]")
        return [run["name"] for run in runs if run["status"] in ("RUNNING", "PENDING")]


def _alive(run: RunDir) -> list[tuple[Process, bool]]:
    """The processes of a run that are left, and whether each is a command, which leads a group."""
    of_run = [run.supervisor, *(run.path / "tasks").glob("*/*/agent.json")]
    found = [(path, False) for path in of_run] + [(path, True) for path in (run.path / "tasks").glob("*/*/child.json")]
    known = [(Process.read(record), leads) for path, leads in found if (record := records.read(path)) is not None]
    return [(process, leads) for process, leads in known if process.alive]


def _kill(run: RunDir) -> None:
    for process, leads in _alive(run):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL) if leads else os.kill(process.pid, signal.SIGKILL)


def run_id(stdout: str) -> str:
    return next(line for line in stdout.splitlines() if line.startswith("Workflow ID")).rpartition(" ")[2]


def until(condition: Callable[[], Any], what: str = "", patience_s: float = PATIENCE_S) -> None:
    """Wait for a condition; fail if it does not come."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience_s:g} s for {what or condition}"
        time.sleep(0.05)


@contextlib.contextmanager
def osmo_in(directory: Path, environ: Mapping[str, str]) -> Iterator[Osmo]:
    osmo = Osmo(directory, environ)
    try:
        yield osmo
    finally:
        osmo.end_all()
