"""A task with an image was written for a machine of its own: it gets a /tmp and an /osmo/data of its own."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import Bucket
from osmo.rundir import records
from support.cli import Osmo, until
from support.needs import need_program

IMAGE = {"image": "ubuntu:24.04"}


@pytest.fixture(autouse=True)
def bubblewrap() -> None:
    need_program("bwrap")


def entry(bucket: Bucket, path: str = "/tmp/ckpt", frequency: str = "1h", **more: Any) -> dict[str, Any]:
    return {"path": path, "url": f"s3://{bucket.name}", "frequency": frequency, **more}


def stored(bucket: Bucket, key: str) -> str:
    return (bucket.directory / key).read_text()


def test_parallel_tasks_write_the_same_paths_and_each_has_its_own(osmo: Osmo, bucket: Bucket) -> None:
    name = f"osmo-run-{os.getpid()}.sh"
    tasks = [
        {
            "name": task,
            **IMAGE,
            "command": ["sh", f"/tmp/{name}"],
            "files": [
                {
                    "path": f"/tmp/{name}",
                    "contents": f"mkdir -p /tmp/ckpt /workspace/own; echo {task} >/tmp/ckpt/name\n"
                    f"echo {task} >/workspace/own/{task}; echo {task} >{{{{output}}}}/{task}; ls /osmo/data/output\n",
                }
            ],
            "checkpoint": [
                entry(bucket) | {"url": f"s3://{bucket.name}/of-{task}"},
                entry(bucket, "/workspace/own"),
                entry(bucket, "{{output}}/*"),
            ],
        }
        for task in ("one", "two")
    ]
    run = osmo.submit(osmo.spec(json.dumps({"workflow": {"name": "boxes", "tasks": tasks}})))
    assert osmo.wait(run).returncode == 0, osmo.log(run)

    keys = {"one", "two", "of-one/ckpt/name", "of-two/ckpt/name", "own/one", "own/two"}
    assert bucket.files() == keys
    assert (stored(bucket, "of-one/ckpt/name"), stored(bucket, "of-two/ckpt/name")) == ("one\n", "two\n")
    log = osmo.log(run)
    assert any(line.endswith("[one] one") for line in log)
    assert any("one runs in a sandbox on this host, not in ubuntu:24.04" in line for line in log)
    assert any(f"Checkpointing data from /tmp/ckpt to s3://{bucket.name}/of-one..." in line for line in log)
    assert not Path("/tmp", name).exists()
    assert not osmo.attempt(run, "one").root.exists()


def test_what_a_task_saved_in_its_own_tmp_comes_back_there(osmo: Osmo, bucket: Bucket) -> None:
    script = "mkdir -p /tmp/ckpt; echo step >>/tmp/ckpt/steps; exit $(($(wc -l </tmp/ckpt/steps) < 2))"
    spec = osmo.task(script, checkpoint=[entry(bucket)], **IMAGE)
    first = osmo.submit(spec)
    assert osmo.wait(first).returncode == 1
    assert (osmo.attempt(first).root / "tmp/ckpt/steps").read_text() == "step\n"  # of a failed task it stays
    again = osmo.submit(spec, "--restore")
    assert osmo.wait(again).returncode == 0, osmo.log(again)
    assert stored(bucket, "ckpt/steps") == "step\nstep\n"


def test_a_link_that_the_task_plants_uploads_nothing_of_the_host(osmo: Osmo, bucket: Bucket) -> None:
    (osmo.directory / "secret").write_text("of the host")
    (osmo.directory / "folder").mkdir()
    (osmo.directory / "folder/secret").write_text("of the host")
    script = f"""
    mkdir -p /tmp/ckpt/mine && echo mine >/tmp/ckpt/mine/a && ln -s /tmp/ckpt/mine /tmp/ckpt/linked
    ln -s {osmo.directory}/secret /tmp/ckpt/file; ln -s /etc/passwd /tmp/ckpt/passwd
    ln -s ../../../../../../../../..{osmo.directory}/folder /tmp/ckpt/up
    ln -s {osmo.directory}/folder /tmp/all; cat /tmp/ckpt/file
    """
    checkpoint = [entry(bucket), entry(bucket, "/tmp/all")]
    run = osmo.submit(osmo.task(script, checkpoint=checkpoint, **IMAGE))
    osmo.wait(run)
    assert any("of the host" in line for line in osmo.log(run))  # the task may read it; a checkpoint does not
    assert bucket.files() == {"ckpt/mine/a", "ckpt/linked/a"}


def test_a_task_that_is_cancelled_ends_in_its_own_way_and_is_saved(osmo: Osmo, bucket: Bucket) -> None:
    script = """
    mkdir -p /tmp/ckpt
    trap 'echo asked >/tmp/ckpt/asked; exit 7' TERM
    echo begun
    while :; do sleep 0.1; done
    """
    run = osmo.submit(osmo.task(script, checkpoint=[entry(bucket)], **IMAGE))
    osmo.until_logged(run, "begun")
    osmo("workflow", "cancel", run)
    osmo.wait(run)
    assert stored(bucket, "ckpt/asked") == "asked\n"
    assert osmo.attempt(run).exit.read_text().strip() == "7"


def test_a_new_agent_goes_on_with_what_is_in_the_sandbox(osmo: Osmo, bucket: Bucket) -> None:
    script = (
        f"mkdir /tmp/ckpt; echo 1 >/tmp/ckpt/1; echo begun; until [ -e {osmo.directory}/go ]; do sleep 0.1; done;"
        " echo 2 >/tmp/ckpt/2"
    )
    run = osmo.submit(osmo.task(script, checkpoint=[entry(bucket, frequency="300ms")], **IMAGE))
    until(lambda: "ckpt/1" in bucket.files())
    agent = records.read(osmo.attempt(run).agent) or {}
    os.kill(agent["pid"], signal.SIGKILL)
    until(lambda: (records.read(osmo.attempt(run).agent) or {}).get("pid") not in (None, agent["pid"]))
    (osmo.directory / "go").touch()
    assert osmo.wait(run).returncode == 0, osmo.log(run)
    assert bucket.files() == {"ckpt/1", "ckpt/2"}


def test_a_task_in_a_sandbox_asks_for_a_checkpoint(osmo: Osmo, bucket: Bucket) -> None:
    script = "mkdir /tmp/ckpt; echo 1 >/tmp/ckpt/a; osmo checkpoint now --wait --timeout 50s"
    run = osmo.submit(osmo.task(script, checkpoint=[entry(bucket, keep=9)], **IMAGE))
    assert osmo.wait(run).returncode == 0, osmo.log(run)
    assert bucket.checkpoints("main.ckpt")[0]["trigger"] == "request"


def test_osmo_is_the_last_on_the_path_of_every_task(osmo: Osmo) -> None:
    script = "osmo version && command -v osmo"
    for more in ({}, IMAGE):
        run = osmo.submit(osmo.task(script, environment={"PATH": "/usr/bin:/bin"}, **more))
        assert osmo.wait(run).returncode == 0, osmo.log(run)
        assert any(line.endswith("bin/osmo") for line in osmo.log(run))


def test_without_bubblewrap_it_is_refused_with_the_ways_out(osmo: Osmo, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for program in ("sh", "cat"):
        (tmp_path / "bin" / program).symlink_to(str(shutil.which(program)))
    spec = osmo.task("cat /dev/null; echo done", **IMAGE)
    without = {"PATH": str(tmp_path / "bin")}
    refused = osmo("workflow", "submit", spec, **without)
    assert refused.returncode == 2
    assert refused.stderr.startswith(
        "osmo: main has an image, so it runs in a sandbox, and bubblewrap (`bwrap`) is not"
    )
    assert "--runtime process" in refused.stderr
    run = osmo.submit(spec, "--runtime", "process", **without)
    assert osmo.wait(run).returncode == 0
    assert any("main runs on this host, not in ubuntu:24.04" in line for line in osmo.log(run))


def steps(osmo: Osmo, bucket: Bucket, last: int) -> str:
    """A task that makes one step in each attempt, in a folder of its sandbox, and leaves its count."""
    script = (
        f"mkdir -p /tmp/ckpt; n=$(ls /tmp/ckpt | wc -l); echo begins at $n; ls {{{{output}}}};"
        f" touch /tmp/ckpt/$n /tmp/left {{{{output}}}}/$n; test $n -ge {last} || exit 4"
    )
    return osmo.task(script, **IMAGE, checkpoint=[entry(bucket)], exitActions={"RESCHEDULE": "4"})


def said(osmo: Osmo, run: str) -> list[str]:
    return [line.split("] ", 1)[1] for line in osmo.log(run) if "[osmo]" not in line]


def test_a_later_attempt_has_a_sandbox_of_its_own_with_the_checkpoint_in_it(osmo: Osmo, bucket: Bucket) -> None:
    run = osmo.submit(steps(osmo, bucket, last=2), OSMO_RETRY_WAIT="100ms")
    assert osmo.wait(run).returncode == 0, osmo.log(run)
    assert said(osmo, run) == ["begins at 0", "begins at 1", "begins at 2"]  # and `{{output}}` is empty each time
    assert bucket.files() == {"ckpt/0", "ckpt/1", "ckpt/2"}
    assert [path.name for path in osmo.attempt(run).task_output.iterdir()] == ["2"]


def test_a_run_that_is_restarted_goes_on_in_a_sandbox(osmo: Osmo, bucket: Bucket) -> None:
    run = osmo.submit(steps(osmo, bucket, last=2), "--max-retries", "0")
    assert osmo.wait(run).returncode == 1
    assert osmo("workflow", "restart", run).returncode == 0
    assert osmo.wait("t-2").returncode == 1
    assert said(osmo, "t-2") == ["begins at 1"]
    assert osmo("workflow", "restart", "t-2").returncode == 0
    assert osmo.wait("t-3").returncode == 0, osmo.log("t-3")
    assert said(osmo, "t-3") == ["begins at 2"]
    assert bucket.files() == {"ckpt/0", "ckpt/1", "ckpt/2"}
