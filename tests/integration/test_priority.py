"""What saves a task's files gives way to the task: real threads, asked after at the kernel."""

import os
import sys
from pathlib import Path

import pytest

from osmo.rundir import records
from support.cli import Osmo, until
from support.stored import Stored

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nice values of threads are Linux's")

OURS = os.getpriority(os.PRIO_PROCESS, 0)
SCRIPT = "nice >nice; touch folder/file; osmo checkpoint now --wait; touch saved; until test -e end; do sleep 0.1; done"


def check(osmo: Osmo, pid: int) -> None:
    """Once a checkpoint was made."""
    try:
        until((osmo.directory / "saved").exists)
        check_threads(osmo, pid)
    finally:
        (osmo.directory / "end").touch()


def check_threads(osmo: Osmo, pid: int) -> None:
    """What decides is as it was started, and the command, too. What sends is nicer."""
    assert os.getpriority(os.PRIO_PROCESS, pid) == OURS
    assert (osmo.directory / "nice").read_text() == f"{OURS}\n"
    python = Path(f"/proc/{pid}/comm").read_text()
    libraries: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text() != python:
            libraries.add(os.getpriority(os.PRIO_PROCESS, int(task.name)))
    assert libraries == {OURS + 10}


def test_an_agent_saves_with_less_priority_than_its_command_has(osmo: Osmo, bucket: Stored) -> None:
    (osmo.directory / "folder").mkdir()
    entry = {"path": str(osmo.directory / "folder"), "url": f"s3://{bucket.directory.name}/x", "frequency": "1h"}
    # The restore asks the store before the command is there, from the thread that decides.
    run = osmo.submit(osmo.task(f"cd {osmo.directory}; {SCRIPT}", checkpoint=[entry]), "--restore")
    until(osmo.attempt(run).agent.exists)
    agent = records.read(osmo.attempt(run).agent)
    assert agent is not None
    check(osmo, agent["pid"])


def test_so_does_one_in_the_foreground(osmo: Osmo, bucket: Stored) -> None:
    (osmo.directory / "folder").mkdir()
    entry = ("--path", "folder", "--url", f"s3://{bucket.directory.name}/x", "--frequency", "1h", "--restore")
    check(osmo, osmo.start("checkpoint", "run", *entry, "--", "sh", "-c", SCRIPT).pid)
