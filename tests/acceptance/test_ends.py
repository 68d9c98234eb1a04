"""However a command ends, its last checkpoint is made, and its end is told as it was."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from acceptance.conftest import Bucket
from osmo.rundir import records
from osmo.rundir.identity import Process, group_alive
from support.cli import BIN, Osmo, run_id, until

BEGIN = "mkdir -p data; echo begun > data/a; "


def entry(bucket: Bucket) -> list[dict[str, str]]:
    return [{"path": "data", "url": f"s3://{bucket.name}", "frequency": "1h"}]


def final(bucket: Bucket) -> tuple[str, int, set[str]]:
    checkpoint = bucket.checkpoints("main.data")[-1]
    return checkpoint["trigger"], checkpoint["exit_code"], bucket.files()


@pytest.mark.parametrize(
    ("last", "code", "said"),
    [("exit 7", 7, "exit code 7"), ("kill -9 $$", 137, "(SIGKILL)"), ("kill -INT $$", 130, "(SIGINT)")],
    ids=["fails", "is killed", "is interrupted"],
)
def test_a_command_that_fails_is_checkpointed_and_told(
    osmo: Osmo, bucket: Bucket, last: str, code: int, said: str
) -> None:
    result = osmo("workflow", "submit", osmo.task(BEGIN + last, checkpoint=entry(bucket)), "--follow")
    run = run_id(result.stdout)

    assert result.returncode == 1
    assert f"main: the command failed: exit code {code}" in result.stderr
    assert result.stderr.splitlines()[-1] == f"{run}: FAILED"
    [task] = osmo.query(run)["tasks"]
    assert (task["status"], task["exit_code"]) == ("FAILED", code)
    assert said in task["message"]
    assert final(bucket) == ("final", code, {"data/a"})
    text = [line for line in osmo.log(run) if "[osmo]" not in line]
    assert text == []  # no "Killed" of a shell around it


def test_a_canceled_run_is_checkpointed_and_told(osmo: Osmo, bucket: Bucket) -> None:
    last = 'trap "echo bye > data/b; exit 5" TERM; echo ready; while :; do sleep 0.1; done'
    run = osmo.submit(osmo.task(BEGIN + last, checkpoint=entry(bucket)))
    other = osmo.submit(osmo.task("sleep 600", name="other"))
    osmo.until_logged(run, "ready")

    canceled = osmo("workflow", "cancel", run, "no-such-run-7", other)

    assert canceled.returncode == 2
    assert "no-such-run-7" in canceled.stderr
    submitted = [f"Cancel job for workflow {name} is submitted!" for name in (run, other)]
    assert canceled.stdout.splitlines() == submitted
    waited = osmo.wait(run)
    assert (waited.returncode, waited.stderr.splitlines()[-1]) == (4, f"{run}: FAILED_CANCELED")
    assert osmo.wait(other).returncode == 4
    assert final(bucket) == ("final", 5, {"data/a", "data/b"})
    assert osmo("workflow", "cancel", run).returncode == 2


def test_a_command_that_ignores_term_is_killed_after_its_grace(osmo: Osmo, bucket: Bucket) -> None:
    last = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    run = osmo.submit(osmo.task(BEGIN + last, checkpoint=entry(bucket)), OSMO_GRACE="1s")
    osmo.until_logged(run, "ready")
    began = time.monotonic()
    osmo("workflow", "cancel", run)

    assert osmo.wait(run).returncode == 4
    assert time.monotonic() - began >= 1
    assert osmo.logged(run, "Still running 1 s later: killed")
    assert final(bucket) == ("final", 137, {"data/a"})


def test_a_child_that_stays_behind_is_ended_before_the_last_checkpoint(osmo: Osmo, bucket: Bucket) -> None:
    stays = "(trap 'echo last words > data/b; exit' TERM; echo there > ready; while :; do sleep 0.1; done) &"
    command = f"{BEGIN} {stays} until [ -e ready ]; do sleep 0.1; done; exit 0"
    run = osmo.submit(osmo.task(command, checkpoint=entry(bucket)))

    assert osmo.wait(run).returncode == 0
    assert osmo.logged(run, "some processes that it started have not")
    assert final(bucket) == ("final", 0, {"data/a", "data/b"})
    leader = Process.read(records.read(osmo.attempt(run).child) or {})
    assert not group_alive(leader.pid)


def test_sigterm_to_the_foreground_is_a_preemption(osmo: Osmo, bucket: Bucket) -> None:
    last = 'trap "echo bye > data/b; exit 0" TERM; echo ready; while :; do sleep 0.1; done'
    foreground = osmo.start("workflow", "submit", osmo.task(BEGIN + last, checkpoint=entry(bucket)), "--foreground")
    osmo.until_logged("t-1", "ready")
    foreground.send_signal(signal.SIGTERM)
    stdout, stderr = foreground.communicate(timeout=60)

    assert foreground.returncode == 1
    assert stderr.splitlines()[-1] == "t-1: FAILED_PREEMPTED"
    assert stdout.startswith("Workflow submit successful.\nWorkflow ID        - t-1\n")
    [task] = osmo.query("t-1")["tasks"]
    assert (task["status"], task["exit_code"]) == ("FAILED_PREEMPTED", 3006)
    assert final(bucket) == ("preempt", 0, {"data/a", "data/b"})


def test_a_reader_that_has_stopped_reading_does_not_hold_up_the_run(osmo: Osmo, bucket: Bucket) -> None:
    flood = "seq 100000; echo 2 > data/b; exit 3"  # more than any pipe holds
    foreground = osmo.start("workflow", "submit", osmo.task(BEGIN + flood, checkpoint=entry(bucket)), "--foreground")
    until((osmo.home.workflows / "t-1/ended.json").exists, "the end of the run")
    assert final(bucket) == ("final", 3, {"data/a", "data/b"})
    stdout, _ = foreground.communicate(timeout=60)  # now somebody reads
    assert foreground.returncode == 1
    assert sum(line.split("] ")[-1].isdecimal() for line in stdout.splitlines()) == 100_000


def test_a_reader_that_never_reads_again_is_not_waited_for(osmo: Osmo) -> None:
    foreground = osmo.start("workflow", "submit", osmo.task("seq 100000"), "--foreground")
    assert foreground.wait(60) == 0


def test_a_preemption_that_comes_at_once_is_not_lost(osmo: Osmo) -> None:
    foreground = osmo.start("workflow", "submit", osmo.task("sleep 600"), "--foreground")
    assert foreground.stdout
    assert foreground.stdout.readline() == "Workflow submit successful.\n"
    until((osmo.home.workflows / "t-1/supervisor.json").exists)
    foreground.send_signal(signal.SIGTERM)
    assert foreground.wait(60) == 1
    assert osmo.query("t-1")["status"] == "FAILED_PREEMPTED"


def test_ctrl_c_in_the_foreground_cancels(osmo: Osmo) -> None:
    foreground = osmo.start("workflow", "submit", osmo.task("echo ready; sleep 600"), "--foreground")
    osmo.until_logged("t-1", "ready")
    foreground.send_signal(signal.SIGINT)
    assert foreground.wait(60) == 4


def test_ctrl_c_while_following_leaves_the_run_alive(osmo: Osmo) -> None:
    following = osmo.start("workflow", "submit", osmo.task("echo ready; sleep 600"), "--follow")
    assert following.stdout
    while "ready" not in following.stdout.readline():
        pass
    following.send_signal(signal.SIGINT)
    _, stderr = following.communicate(timeout=60)

    assert following.returncode == 3
    assert "t-1 goes on" in stderr
    assert "`osmo workflow cancel t-1`" in stderr
    assert osmo.query("t-1")["status"] == "RUNNING"


def test_a_reader_that_goes_away_while_following_leaves_the_run_alive(osmo: Osmo) -> None:
    script = "while :; do echo ready; sleep 0.05; done"
    shell = f"{BIN}/osmo workflow submit {osmo.task(script)} --follow | head -n 1"
    shown = subprocess.run(
        ["sh", "-c", shell],
        cwd=osmo.directory,
        env=osmo.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert shown.stderr.startswith("\nt-1 goes on. ")
    assert "Traceback" not in shown.stderr
    assert osmo.query("t-1")["status"] == "RUNNING"


def test_a_dead_supervisor_is_replaced_by_whoever_looks(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("echo ready; until [ -e go ]; do sleep 0.1; done"))
    osmo.until_logged(run, "ready")
    place = osmo.home.workflows / run / "supervisor.json"
    first = Process.read(records.read(place) or {})
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: not first.alive)
    assert osmo.query(run)["status"] == "RUNNING"
    until(lambda: Process.read(records.read(place) or {}).alive)
    (osmo.directory / "go").touch()
    assert osmo.wait(run).returncode == 0
    assert osmo.attempt(run).log.read_text().count("ready") == 1


def test_a_run_that_is_canceled_before_its_command_started_never_starts_it(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("echo started"))
    osmo.wait(run)
    attempt = osmo.attempt(run)
    for path in (attempt.started, attempt.child, attempt.exit, attempt.status, attempt.log):
        path.unlink()  # as if the machine had stopped just after the submit
    assert osmo("workflow", "cancel", run).returncode == 0
    assert osmo.wait(run).returncode == 4
    assert not attempt.started.exists()


def test_a_run_survives_the_terminal_it_was_started_from(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("echo ready; until [ -e go ]; do sleep 0.1; done; echo still there"))
    osmo.until_logged(run, "ready")
    # The session of a terminal is told with SIGHUP; supervisor, agent and command must not be in it.
    attempt = osmo.attempt(run)
    places = [osmo.home.workflows / run / "supervisor.json", attempt.agent, attempt.child]
    pids = [Process.read(records.read(place) or {}).pid for place in places]
    sessions = {os.getsid(pid) for pid in pids}
    assert os.getsid(0) not in sessions
    assert len(sessions) == 3
    for pid in pids:
        os.kill(pid, signal.SIGHUP)
    (osmo.directory / "go").touch()
    assert osmo.wait(run).returncode == 0
    assert osmo.logged(run, "still there")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["no-such-program", "x"], "command not found: 'no-such-program'"),
        (["./spec.yaml"], "'./spec.yaml' is not executable"),
        (["/no/such/file"], "'/no/such/file' is not there"),
    ],
)
def test_a_command_that_cannot_be_started_is_told(osmo: Osmo, command: list[str], said: str) -> None:
    spec = osmo.task("", command=command)
    result = osmo("workflow", "submit", spec, "--follow")

    assert result.returncode == 1
    assert said in result.stderr
    assert f"Could not start: {said}" in result.stdout
    [task] = osmo.query("t-1")["tasks"]
    assert (task["status"], task["exit_code"]) == ("FAILED_START_ERROR", 3003)


def test_a_machine_that_is_taken_away_is_a_preemption_even_if_the_command_hears_of_it_first(osmo: Osmo) -> None:
    run = osmo.submit(osmo.task("echo ready; sleep 600"))
    osmo.until_logged(run, "ready")
    leader = Process.read(records.read(osmo.attempt(run).child) or {})
    agent = Process.read(records.read(osmo.attempt(run).agent) or {})
    os.kill(agent.pid, signal.SIGSTOP)
    os.killpg(leader.pid, signal.SIGTERM)
    until(lambda: Path(osmo.attempt(run).exit).exists())
    os.kill(agent.pid, signal.SIGTERM)
    os.kill(agent.pid, signal.SIGCONT)
    assert osmo.wait(run).returncode == 1
    assert osmo.query(run)["status"] == "FAILED_PREEMPTED"
