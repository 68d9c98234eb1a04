"""What a submit makes, refuses and warns of."""

import fcntl
import json
import os
import pty
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import Bucket
from support.cli import BIN, Osmo, until


def file(path: str, contents: str) -> dict[str, str]:
    return {"path": path, "contents": contents}


def test_only_the_owner_can_look_into_a_run(osmo: Osmo, bucket: Bucket) -> None:
    entry = {"path": "data", "url": f"s3://{bucket.name}", "frequency": "300ms"}
    files = [file("{{output}}/key.txt", "secret-in-a-file")]
    environment = {"TOKEN": "secret-in-the-spec"}
    script = "umask 022; mkdir data; echo a > data/a; echo said; until [ -e go ]; do sleep 0.1; done"
    spec = osmo.task(script, checkpoint=[entry], files=files, environment=environment)
    run = osmo.submit(spec, HIDDEN="secret-of-the-submit")
    until(bucket.files)
    here = str(osmo.home.workflows / run).encode()
    processes = [path for path in Path("/proc").glob("[0-9]*/cmdline") if here in _read(path)]
    assert len(processes) >= 3  # supervisor, agent, wrapper
    for secret in (b"secret-in", b"secret-of", osmo.environ["AWS_SECRET_ACCESS_KEY"].encode()):
        assert not any(secret in _read(path) for path in processes)
    agents = [_read(path).split(b"\0")[1:-1] for path in processes if b"osmo.agent" in _read(path)]
    assert agents == [[b"-P", b"-m", b"osmo.agent", str(osmo.attempt(run).path).encode()]]
    (osmo.directory / "go").touch()
    osmo.wait(run)

    data = osmo.attempt(run).task_output
    for path in [osmo.home.path, *osmo.home.path.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        if data not in path.parents:
            assert mode == (0o700 if path.is_dir() or path.parent.name == "bin" else 0o600), path
    assert stat.S_IMODE((data / "key.txt").stat().st_mode) == 0o600
    shown = osmo.attempt(run).log.read_text() + osmo.attempt(run).status.read_text()
    assert "secret-" not in shown


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_files_are_made_before_the_command(osmo: Osmo) -> None:
    files = [
        file("made/run.sh", "#!/bin/sh\necho I am $0\n"),
        {"path": "{{output}}/raw", "contents": "AAEC", "base64": True},
    ]
    run = osmo.submit(osmo.task("made/run.sh && od -An -tx1 {{output}}/raw", files=files))
    assert osmo.wait(run).returncode == 0
    text = "\n".join(osmo.log(run))
    assert "[main] I am made/run.sh" in text
    assert "[main]  00 01 02" in text


def test_files_never_replace_what_a_person_made(osmo: Osmo) -> None:
    mine = osmo.directory / "config.ini"
    mine.write_text("mine")
    refused = osmo("workflow", "submit", osmo.task("true", files=[file("config.ini", "theirs")]))
    assert refused.returncode == 2
    assert f"files: {mine} of task main is there already, and osmo did not make it" in refused.stderr
    assert mine.read_text() == "mine"

    mine.unlink()
    mine.symlink_to("nothing")  # a link is somebody's, too, wherever it leads
    run = osmo.submit(osmo.task("true", files=[file("config.ini", "theirs")]))
    assert osmo.wait(run).returncode == 1
    assert mine.is_symlink()

    mine.unlink()
    for contents in ("first", "second"):  # what we made, we may replace
        run = osmo.submit(osmo.task("cat config.ini", files=[file("config.ini", contents)]))
        assert osmo.wait(run).returncode == 0
        assert osmo.logged(run, f"[main] {contents}")
    mine.write_text("edited by hand")
    assert osmo("workflow", "submit", osmo.task("true", files=[file("config.ini", "third")])).returncode == 2
    assert mine.read_text() == "edited by hand"


def test_two_running_tasks_never_share_a_file(osmo: Osmo) -> None:
    files = [file("shared.ini", "x")]
    run = osmo.submit(osmo.task("sleep 600", name="first", files=files))
    refused = osmo("workflow", "submit", osmo.task("true", name="second", files=files))
    assert refused.returncode == 2
    path = osmo.directory / "shared.ini"
    assert f"files: {path} of task main is in use by task main of {run}" in refused.stderr
    tasks = [{"name": name, "command": ["true"], "files": [file("x.ini", "x")]} for name in ("a", "b")]
    both = osmo("workflow", "submit", osmo.spec(json.dumps({"workflow": {"name": "t", "tasks": tasks}})))
    assert both.returncode == 2
    assert "tasks 'a' and 'b' both write" in both.stderr
    osmo("workflow", "cancel", run)
    osmo.wait(run)
    assert osmo("workflow", "submit", osmo.task("true", name="second", files=files)).returncode == 0


def test_of_submits_at_the_same_moment_one_gets_the_file(osmo: Osmo) -> None:
    spec = osmo.task("sleep 600", files=[file("shared.ini", "x")])
    osmo.home.prepare()
    with osmo.home.submit_lock.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        submits = [osmo.start("workflow", "submit", spec) for _ in range(3)]
        until(lambda: all(_waits_for_a_lock(submit.pid) for submit in submits))
    assert sorted(submit.wait(60) for submit in submits) == [0, 2, 2]


def _waits_for_a_lock(pid: int) -> bool:
    """/proc/locks has a line with an arrow for each who waits."""
    return any(f" {pid} " in line and "->" in line for line in Path("/proc/locks").read_text().splitlines())


def test_a_stream_that_a_run_writes_is_refused_with_the_id_to_cancel(osmo: Osmo, bucket: Bucket) -> None:
    entry = {"path": "data", "url": f"s3://{bucket.name}", "frequency": "1h"}
    run = osmo.submit(osmo.task("sleep 600", checkpoint=[entry]))
    refused = osmo("workflow", "submit", osmo.task("true", checkpoint=[entry]))
    assert refused.returncode == 2
    assert f"{run} is checkpointing main's data to s3://{bucket.name}" in refused.stderr
    assert f"osmo workflow cancel {run}" in refused.stderr


def test_a_task_with_an_image_is_named_on_the_terminal_and_in_the_log(osmo: Osmo) -> None:
    spec = osmo.task("true", image="nvcr.io/some:1")
    result = osmo("workflow", "submit", spec, "--follow", "--runtime", "process")
    assert result.returncode == 0
    assert "WARNING: main runs on this host, not in nvcr.io/some:1" in result.stderr
    assert "[main][osmo] main runs on this host, not in nvcr.io/some:1" in result.stdout


def test_a_detached_submit_in_a_slurm_job_is_warned_of(osmo: Osmo) -> None:
    spec = osmo.task("true")
    warned = osmo("workflow", "submit", spec, SLURM_JOB_ID="4711")
    assert warned.returncode == 0
    assert "WARNING: this is Slurm job 4711" in warned.stderr
    assert "--foreground" in warned.stderr
    assert "Slurm" not in osmo("workflow", "submit", spec, "--foreground", SLURM_JOB_ID="4711").stderr


def test_a_detached_submit_that_ends_with_pid_1_is_warned_of(osmo: Osmo) -> None:
    orphan = f"(until [ -e go ]; do sleep 0.05; done; exec {BIN}/osmo workflow submit {osmo.task('true')} 2>told) &"
    subprocess.run(["sh", "-c", f"{orphan} echo $! >pid"], cwd=osmo.directory, env=osmo.environ, check=True, timeout=60)
    pid = (osmo.directory / "pid").read_text().strip()
    parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
    (osmo.directory / "go").touch()
    until((osmo.home.workflows / "t-1/supervisor.json").exists)
    until(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text())
    if parent != "1":
        pytest.skip("somebody else adopts orphans here")
    assert "WARNING: this is a child of PID 1" in (osmo.directory / "told").read_text()


def test_submit_prints_json(osmo: Osmo) -> None:
    for option in (("--json",), ("-t", "json"), ("--format-type", "json")):
        result = osmo("workflow", "submit", osmo.task("true"), *option)
        printed: dict[str, Any] = json.loads(result.stdout)
        assert printed["directory"] == str(osmo.home.workflows / printed["name"])


def test_a_task_without_a_command_saves_what_is_there(osmo: Osmo, bucket: Bucket) -> None:
    (osmo.directory / "data").mkdir()
    (osmo.directory / "data/a").write_text("a")
    entry = {"path": "$FOLDER", "url": f"s3://{bucket.name}/{{{{workflow_id}}}}", "frequency": "1h"}
    tasks = [{"name": "main", "checkpoint": [entry], "environment": {"FOLDER": "data"}}]
    run = osmo.submit(osmo.spec(json.dumps({"workflow": {"name": "t", "tasks": tasks}})))
    assert osmo.wait(run).returncode == 0
    assert bucket.files() == {"t-1/data/a"}


def test_tasks_run_at_the_same_time(osmo: Osmo) -> None:
    script = "touch {me}; until [ -e {you} ]; do sleep 0.05; done"
    tasks = [
        {"name": me, "command": ["sh", "-c", script.format(me=me, you=you)]} for me, you in (("a", "b"), ("b", "a"))
    ]
    run = osmo.submit(osmo.spec(json.dumps({"workflow": {"name": "t", "tasks": tasks}})))
    assert osmo.wait(run).returncode == 0


def test_a_terminal_that_goes_away_is_a_preemption_of_what_runs_in_its_foreground(osmo: Osmo) -> None:
    spec = osmo.task("trap 'exit 0' TERM; echo ready; while :; do echo more; sleep 0.1; done")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(osmo.directory)
        os.execve(BIN / "osmo", ["osmo", "workflow", "submit", spec, "--foreground"], osmo.environ)
    osmo.until_logged("t-1", "ready")
    until(lambda: b"ready" in os.read(terminal, 4096))
    os.close(terminal)  # the kernel tells the session with SIGHUP; whoever writes gets EIO
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 1
    assert osmo.query("t-1")["status"] == "FAILED_PREEMPTED"


def test_nohup_keeps_what_runs_in_the_foreground(osmo: Osmo) -> None:
    spec = osmo.task("echo ready; until [ -e go ]; do sleep 0.1; done")
    process = subprocess.Popen(
        ["nohup", BIN / "osmo", "workflow", "submit", spec, "--foreground"],
        cwd=osmo.directory,
        env=osmo.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        osmo.until_logged("t-1", "ready")
        process.send_signal(signal.SIGHUP)
        (osmo.directory / "go").touch()
        assert process.communicate(timeout=60)
    assert process.returncode == 0
