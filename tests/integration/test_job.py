"""A command that shares our terminal and our process group, told apart from the rest by descent."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from osmo.agent.job import Job
from osmo.errors import NoSuchCommand
from osmo.rundir.identity import Process, descendants
from support.cli import until
from support.clock import FakeClock

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="descent is told by /proc")


class Jobs:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock()
        self.started: list[Job] = []

    def start(self, script: str) -> Job:
        environ = {"PATH": os.environ["PATH"], "MARK": str(self.directory)}
        job = Job.start(("sh", "-c", f"cd {self.directory}; {script}"), environ, "MARK", self.clock)
        self.started.append(job)
        return job

    def pid(self, name: str) -> int:
        """What the script wrote into a file."""
        path = self.directory / name
        until(lambda: path.exists() and path.read_text().endswith("\n"))
        return int(path.read_text())


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    running = Jobs(tmp_path)
    yield running
    for job in running.started:
        job.signal(signal.SIGKILL)
    until(lambda: all(job.ended() is not None for job in running.started))


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", 137)])
def test_the_exit_code_is_told(jobs: Jobs, script: str, code: int) -> None:
    job = jobs.start(script)
    until(lambda: job.ended() is not None)
    assert job.ended() == code
    assert not job.group_alive()


def test_what_it_left_behind_is_still_its_own(jobs: Jobs) -> None:
    job = jobs.start("(sleep 100 & echo $! > left) & wait; exit 0")
    left = Process.of(jobs.pid("left"))
    until(lambda: job.ended() == 0)
    assert job.group_alive()
    job.signal(signal.SIGTERM)
    until(lambda: not left.alive)
    assert not job.group_alive()


def test_what_took_a_session_of_its_own_is_let_go(jobs: Jobs) -> None:
    job = jobs.start("setsid sh -c 'echo $$ > gone; exec sleep 100' & until [ -s gone ]; do sleep 0.05; done")
    gone = Process.of(jobs.pid("gone"))
    until(lambda: job.ended() == 0)
    assert not job.group_alive()
    job.signal(signal.SIGTERM)
    assert gone.alive
    os.kill(gone.pid, signal.SIGKILL)


def test_a_program_that_we_started_for_ourselves_is_none_of_it(jobs: Jobs) -> None:
    job = jobs.start("sleep 100")
    with subprocess.Popen(["sleep", "100"]) as helper:
        try:
            job.signal(signal.SIGTERM)
            until(lambda: job.ended() is not None)
            until(lambda: not job.group_alive())
            assert helper.poll() is None
        finally:
            helper.kill()


def test_orphans_are_waited_for(jobs: Jobs) -> None:
    job = jobs.start("(sleep 0.1 & echo $! > orphan) & wait; exec sleep 100")
    orphan = jobs.pid("orphan")

    def zombies() -> set[int]:
        return {one.pid for one in descendants(os.getpid()) if one.zombie}

    until(lambda: orphan in zombies())
    job.ended()
    assert orphan in zombies()  # somebody else may be about to wait for it
    for _ in range(2):
        jobs.clock.advance(5.0)
        job.ended()
    assert orphan not in zombies()


@pytest.mark.parametrize(("command", "code"), [("/no/such/command", 127), ("/", 126)])
def test_what_is_no_command_is_refused(jobs: Jobs, command: str, code: int) -> None:
    with pytest.raises(NoSuchCommand) as refused:
        Job.start((command,), {"MARK": "x"}, "MARK", jobs.clock)
    assert refused.value.code == code
