"""After a reboot. A test cannot boot a machine: it kills all processes of a run and writes another boot into its
records, which is all that osmo sees of one."""

import contextlib
import json
import os
import signal
from pathlib import Path

from acceptance.conftest import Bucket
from osmo.rundir import records
from osmo.rundir.identity import Process, group_alive
from osmo.rundir.paths import RunDir
from support.cli import Osmo, until

BEGIN = "mkdir -p data; echo begun > data/a; echo ready; "


def entry(bucket: Bucket) -> list[dict[str, str]]:
    return [{"path": "data", "url": f"s3://{bucket.name}", "frequency": "1h"}]


def kill(osmo: Osmo, run: str, *, command: bool = True) -> None:
    """All of osmo's processes of the run, and its command."""
    attempt = osmo.attempt(run)
    places = (RunDir(osmo.home.workflows / run).supervisor, attempt.agent)
    processes = [Process.read(records.read(place) or {}) for place in places]
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    until(lambda: not any(process.alive for process in processes))
    if command:
        leader = Process.read(records.read(attempt.child) or {}).pid
        os.killpg(leader, signal.SIGKILL)
        until(lambda: not group_alive(leader))


def reboot(osmo: Osmo, run: str) -> None:
    kill(osmo, run)
    attempt = osmo.attempt(run)
    for place in (RunDir(osmo.home.workflows / run).supervisor, attempt.agent, attempt.child):
        records.write(place, (records.read(place) or {}) | {"boot": "the one before"})
    attempt.started.write_text(f"{attempt.started.read_text().split()[0]} the one before\n")


def supervisor(osmo: Osmo, run: str) -> Process:
    return Process.read(records.read(osmo.home.workflows / run / "supervisor.json") or {})


def test_after_a_reboot_all_commands_tell_the_truth_and_resume_makes_the_last_checkpoint(
    osmo: Osmo, bucket: Bucket
) -> None:
    run = osmo.submit(osmo.task(BEGIN + "sleep 600", checkpoint=entry(bucket)))
    osmo.until_logged(run, "ready")
    reboot(osmo, run)
    (osmo.directory / "data/b").write_text("written just before")

    truth = f"its machine was rebooted; `osmo workflow resume {run}` goes on"
    queried = osmo("workflow", "query", run)
    assert "Status      : was RUNNING\n" in queried.stdout
    assert truth in queried.stdout
    assert "not in the store" in queried.stdout or queried.stdout.endswith("are not\n")
    listed = osmo("workflow", "list").stdout
    assert truth in listed
    [told] = json.loads(osmo("workflow", "list", "--json").stdout)
    assert (told["rebooted"], told["troubles"]) == (True, [truth])
    still = osmo("workflow", "logs", run, "--no-follow")
    assert (still.returncode, truth in still.stderr, "ready" in still.stdout) == (0, True, True)
    for command in ("logs", "wait"):
        ended = osmo("workflow", command, run)
        assert ended.returncode == 1
        assert f"{run} was RUNNING when its machine was rebooted" in ended.stderr
        assert f"`osmo workflow resume {run}` goes on" in ended.stderr
    refused = osmo("workflow", "submit", osmo.task("true", name="u", checkpoint=entry(bucket)))
    assert refused.returncode == 2
    assert f"osmo workflow resume {run}" in refused.stderr
    assert not supervisor(osmo, run).alive  # nobody went on with it

    resumed = osmo("workflow", "resume", run)
    assert (resumed.returncode, resumed.stdout) == (0, f"{run} goes on\n")
    assert osmo.wait(run).returncode == 1
    [task] = osmo.query(run)["tasks"]
    assert (task["status"], task["exit_code"]) == ("FAILED", 137)
    assert task["message"] == "the command failed: the machine was restarted"
    assert bucket.files() == {"data/a", "data/b"}
    assert osmo.query(run)["not_in_store"]["files"] == 0
    assert osmo.attempt(run).log.read_text().count("ready") == 1  # it never ran twice


def test_all_that_is_not_over_is_resumed_and_nothing_else(osmo: Osmo) -> None:
    over = osmo.submit(osmo.task("true", name="over"))
    osmo.wait(over)
    runs = [osmo.submit(osmo.task("echo ready; sleep 600", name=name)) for name in ("a", "b", "alive", "elsewhere")]
    for run in runs:
        osmo.until_logged(run, "ready")
    for run in ("a-1", "b-1"):
        reboot(osmo, run)
    place = osmo.home.workflows / "elsewhere-1" / "supervisor.json"
    kill(osmo, "elsewhere-1")
    records.write(place, (records.read(place) or {}) | {"host": "node7"})

    resumed = osmo("workflow", "resume", "--all")
    assert (resumed.returncode, resumed.stdout, resumed.stderr) == (0, "a-1 goes on\nb-1 goes on\n", "")
    for run in ("a-1", "b-1"):
        assert osmo.wait(run).returncode == 1
    assert osmo("workflow", "resume", "--all").stdout == "There is nothing to resume.\n"

    refused = osmo("workflow", "resume", over, "alive-1", "elsewhere-1", "nobody-1")
    assert refused.returncode == 2
    lines = refused.stderr.splitlines()
    assert lines[0] == "osmo: over-1: is over already (COMPLETED)"
    assert lines[1] == "osmo: alive-1: is alive already"
    assert lines[2].startswith("osmo: elsewhere-1: runs on node7, last seen 20")
    assert "no run 'nobody-1'" in lines[3]
    told = json.loads(osmo("workflow", "resume", over, "--json").stdout)
    assert told == [{"name": over, "resumed": False, "message": "is over already (COMPLETED)"}]
    assert osmo("workflow", "resume").returncode == osmo("workflow", "resume", "a-1", "--all").returncode == 2


def test_a_run_whose_processes_were_all_killed_goes_on(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("echo ready; until [ -e go ]; do sleep 0.1; done; echo still there"))
    osmo.until_logged(run, "ready")
    kill(osmo, run, command=False)
    assert osmo("workflow", "resume", "--all").stdout == f"{run} goes on\n"
    until(lambda: supervisor(osmo, run).alive)
    (osmo.directory / "go").touch()
    assert osmo.wait(run).returncode == 0
    assert osmo.logged(run, "still there")


def test_a_cancel_after_a_reboot_brings_the_run_to_its_end(osmo: Osmo, bucket: Bucket) -> None:
    run = osmo.submit(osmo.task(BEGIN + "sleep 600", checkpoint=entry(bucket)))
    osmo.until_logged(run, "ready")
    reboot(osmo, run)
    assert osmo("workflow", "cancel", run).returncode == 0
    assert osmo.wait(run).returncode == 1
    assert osmo.query(run)["tasks"][0]["exit_code"] == 137  # the reboot was quicker
    assert bucket.files() == {"data/a"}


def test_an_agent_that_dies_at_every_start_is_told_of(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("echo ready; until [ -e go ]; do sleep 0.1; done"))
    osmo.until_logged(run, "ready")
    attempt = osmo.attempt(run)
    config = attempt.task.read_text()
    attempt.task.write_text("{}")  # as if another version had been installed
    kill(osmo, run, command=False)
    assert osmo.query(run)["status"] == "RUNNING"  # whoever looks starts a supervisor
    until(lambda: osmo.query(run)["tasks"][0]["agent"]["in_a_row"] >= 3)
    shown = osmo("workflow", "query", run).stdout
    assert "main: its agent died 3 times, last at 20" in shown
    assert f"; see {attempt.agent_errors}\n" in shown
    assert "task.json is missing, or of another version" in Path(attempt.agent_errors).read_text()
    waiting = osmo.start("workflow", "wait", run)
    assert waiting.stderr
    assert "WARNING: t-1: main: its agent died" in waiting.stderr.readline()
    attempt.task.write_text(config)
    (osmo.directory / "go").touch()
    assert osmo.wait(run).returncode == 0
