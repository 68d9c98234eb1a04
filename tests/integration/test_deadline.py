"""The machine is taken away: everything has to be done within the grace, and what was not is said."""

import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from osmo.agent.spot import Cloud
from osmo.rundir import records
from osmo.rundir.identity import Process
from support.cli import Osmo, until
from support.faults import Fault
from support.metadata import Metadata
from support.proxy import FaultProxy
from support.stored import Stored

# argv: a Python expression of what it does at SIGTERM. Says when it heard of it.
PROGRAM = """
import os, signal, sys, time
def term(*_):
    print("got TERM", time.time(), flush=True)
    exec(sys.argv[1])
signal.signal(signal.SIGTERM, term)
print("ready", flush=True)
while not os.path.exists("stop"):
    time.sleep(0.05)
"""
STUBBORN = "pass"


def tree(osmo: Osmo, files: dict[str, tuple[int, int]]) -> Path:
    """A folder `data` of files: name to size and age in seconds."""
    folder = osmo.directory / "data"
    for name, (size, age_s) in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
        moment = path.stat().st_mtime - age_s
        os.utime(path, (moment, moment))
    return folder


def submit(osmo: Osmo, bucket: Stored, at_term: str = STUBBORN, **environ: str) -> str:
    entry = {"path": "data", "url": f"s3://{bucket.directory.name}", "frequency": "1h"}
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, at_term]
    run = osmo.submit(osmo.task("", command=command, checkpoint=[entry]), **environ)
    osmo.until_logged(run, "ready")
    return run


def tell(osmo: Osmo, run: str) -> None:
    """SIGTERM to the agent, as a scheduler does it."""
    os.kill(Process.read(records.read(osmo.attempt(run).agent) or {}).pid, signal.SIGTERM)


def places(osmo: Osmo, run: str, *words: str) -> list[int]:
    """In which lines of the log each of the words is first found."""
    lines = osmo.log(run)
    return [next(number for number, line in enumerate(lines) if word in line) for word in words]


def true(record: dict[str, Any], folder: Path, bucket: Stored) -> set[str]:
    """The names in a record, each of which is in the store with its digest, and as it is on disk."""
    for file in record["files"]:
        body = (bucket.directory / file["place"]).read_bytes()
        assert (len(body), blake3(body).hexdigest()) == (file["size"], file["digest"]), file["name"]
        assert body == (folder / file["name"]).read_bytes()
    names = {file["name"] for file in record["files"]}
    on_disk = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names | set(record["unsent"]) == on_disk
    assert record["complete"] == (not record["unsent"])
    return names


def test_a_command_that_ignores_term_is_killed_in_time_for_its_last_checkpoint(osmo: Osmo, bucket: Stored) -> None:
    folder = tree(osmo, {"a": (1000, 0), "b/c": (2000, 0)})
    run = submit(osmo, bucket, OSMO_GRACE="5s")
    tell(osmo, run)
    assert osmo.wait(run).returncode == 1
    [task] = osmo.query(run)["tasks"]
    assert (task["status"], task["exit_code"]) == ("FAILED_PREEMPTED", 3006)
    # What was at rest travels while the command has its time; that is 60 % of the grace.
    order = places(osmo, run, "got TERM", "Checkpoint 1: 2 files", "s later: killed", "code 137")
    assert order == sorted(order)
    record = bucket.checkpoints("main.data")[-1]
    assert (record["trigger"], record["exit_code"], record["complete"]) == ("preempt", 137, True)
    assert true(record, folder, bucket) == {"a", "b/c"}


def test_what_the_command_writes_at_the_last_moment_is_in_the_last_checkpoint(osmo: Osmo, bucket: Stored) -> None:
    folder = tree(osmo, {"a": (1000, 0)})
    run = submit(osmo, bucket, "open('data/last', 'w').write('words'); sys.exit(0)", OSMO_GRACE="10s")
    tell(osmo, run)
    assert osmo.wait(run).returncode == 1
    assert true(bucket.checkpoints("main.data")[-1], folder, bucket) == {"a", "last"}
    assert osmo.query(run)["status"] == "FAILED_PREEMPTED"


OLD = {f"step-1/{name}": (1_500_000, 3600) for name in "xyz"} | {"step-1/_SUCCESS": (0, 3599)}
NEW = {f"step-2/{name}": (size, 60) for name, size in [("large", 60_000), ("small", 1000), ("deep/x", 30_000)]}
NEW |= {"step-2/_SUCCESS": (0, 50), "latest": (6, 40)}


def check_that_the_newest_came_first(record: dict[str, Any], folder: Path, bucket: Stored) -> None:
    """There is time for some 500 KB: for the newest folder, not for the others."""
    names = true(record, folder, bucket)
    assert {"step-2/large", "step-2/small", "step-2/deep/x", "step-2/_SUCCESS"} <= names
    assert not record["complete"]
    assert {name for name in OLD if not name.endswith("_SUCCESS")} & set(record["unsent"])
    # Nobody is told that a set is complete which is not.
    assert "step-1/_SUCCESS" in record["unsent"]
    assert "latest" in record["unsent"]
    assert not (bucket.directory / "data/step-1/_SUCCESS").exists()
    assert not (bucket.directory / "data/latest").exists()


@pytest.fixture
def narrow(between: FaultProxy) -> Iterator[FaultProxy]:
    """100 KB a second."""
    with between.fault(Fault(up=100_000)):
        yield between


def test_on_a_narrow_line_the_newest_folder_comes_first_and_whole(
    osmo: Osmo, bucket: Stored, narrow: FaultProxy
) -> None:
    folder = tree(osmo, OLD | NEW)
    run = submit(osmo, bucket, OSMO_GRACE="10s")
    tell(osmo, run)
    assert osmo.wait(run).returncode == 1
    assert osmo.query(run)["status"] == "FAILED_PREEMPTED"
    assert osmo.logged(run, "not complete")
    check_that_the_newest_came_first(bucket.checkpoints("main.data")[-1], folder, bucket)


def test_a_notice_during_the_last_checkpoint_ends_it_in_time(osmo: Osmo, bucket: Stored, narrow: FaultProxy) -> None:
    folder = tree(osmo, {f"f{number}": (600_000, 0) for number in range(3)})
    run = submit(osmo, bucket, OSMO_GRACE="7s")
    (osmo.directory / "stop").touch()
    osmo.until_logged(run, "The command has ended: exit code 0")
    until(lambda: any(each.method == "PUT" for each in narrow.exchanges), "the last checkpoint's beginning")
    tell(osmo, run)
    assert osmo.wait(run).returncode == 1
    [task] = osmo.query(run)["tasks"]
    assert (task["status"], task["exit_code"]) == ("FAILED", 2012)
    assert "there was no time for" in task["message"]
    record = bucket.checkpoints("main.data")[-1]
    true(record, folder, bucket)
    assert record["unsent"]
    assert record["exit_code"] == 0


def test_a_store_that_hangs_does_not_keep_the_agent(osmo: Osmo, bucket: Stored, between: FaultProxy) -> None:
    """Nothing can be saved: that is said, and all is over within the grace."""
    tree(osmo, {"a": (1000, 0)})
    run = submit(osmo, bucket, OSMO_GRACE="4s")
    with between.fault(Fault(latency_s=600)):
        tell(osmo, run)
        assert osmo.wait(run).returncode == 1
        [task] = osmo.query(run)["tasks"]
        assert task["status"] == "FAILED_PREEMPTED"
        assert "is not in s3://" in task["message"]
    assert bucket.checkpoints("main.data") == []


@pytest.fixture
def cloud() -> Iterator[Metadata]:
    server = Metadata(Cloud.AWS)
    yield server
    server.stop()


def test_a_spot_notice_is_a_checkpoint_at_once_and_term_before_the_time(
    osmo: Osmo, bucket: Stored, cloud: Metadata
) -> None:
    folder = tree(osmo, {"a": (1000, 0)})
    at_term = "open('data/last', 'w').write('words'); sys.exit(0)"
    run = submit(osmo, bucket, at_term, OSMO_GRACE="2s", OSMO_SPOT=cloud.base)
    cloud.at = datetime.now(UTC) + timedelta(seconds=14)
    cloud.doomed = True
    assert osmo.wait(run).returncode == 1
    assert osmo.query(run)["status"] == "FAILED_PREEMPTED"
    order = places(osmo, run, "AWS will take this machine away (terminate) at", "Checkpoint 1: 1 file", "got TERM")
    assert order == sorted(order)
    heard = next(float(line.split()[-1]) for line in osmo.log(run) if "got TERM" in line)
    assert heard < cloud.at.timestamp()
    record = bucket.checkpoints("main.data")[-1]
    assert record["trigger"] == "preempt"
    assert true(record, folder, bucket) == {"a", "last"}


def test_many_uploads_at_once_do_not_hold_up_the_record_on_a_narrow_line(
    osmo: Osmo, bucket: Stored, narrow: FaultProxy
) -> None:
    """None of them could be there in time. A request that is under way cannot be called back, so there are few."""
    folder = tree(osmo, {"small": (10, 0)} | {f"f{number}": (600_000, 60) for number in range(16)})
    run = submit(osmo, bucket, OSMO_GRACE="4s")
    tell(osmo, run)
    assert osmo.wait(run).returncode == 1
    record = bucket.checkpoints("main.data")[-1]
    assert "small" in true(record, folder, bucket)
    assert record["trigger"] == "preempt"
    assert not record["complete"]
    assert sum("/data/f" in each.path for each in narrow.exchanges) <= 2


def test_a_large_upload_does_not_hold_up_the_record(osmo: Osmo, bucket: Stored, between: FaultProxy) -> None:
    folder = tree(osmo, {"small": (10, 0), "large": (80 << 20, 60)})
    run = submit(osmo, bucket, OSMO_GRACE="5s")
    with between.fault(Fault(up=6 << 20)):
        tell(osmo, run)
        assert osmo.wait(run).returncode == 1
    record = bucket.checkpoints("main.data")[-1]
    assert true(record, folder, bucket) == {"small"}
    assert record["unsent"] == ["large"]


def test_a_deadline_in_the_midst_of_the_last_checkpoint_puts_the_newest_first(
    osmo: Osmo, bucket: Stored, narrow: FaultProxy
) -> None:
    folder = tree(osmo, {f"a-old/{number}": (300_000, 3600) for number in range(20)} | {"b-new/x": (200_000, 0)})
    run = submit(osmo, bucket, OSMO_GRACE="8s")
    (osmo.directory / "stop").touch()
    osmo.until_logged(run, "The command has ended: exit code 0")
    until(lambda: any("/a-old/" in each.path for each in narrow.exchanges), "the last checkpoint's beginning")
    tell(osmo, run)
    assert osmo.wait(run).returncode == 1
    record = bucket.checkpoints("main.data")[-1]
    assert "b-new/x" in true(record, folder, bucket)
    assert record["unsent"]
