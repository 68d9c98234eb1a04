"""A run goes on from where another one ended, on another machine; and what happens when its store does not help."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import Bucket
from osmo.rundir import records
from osmo.rundir.identity import Process
from support.cli import Osmo, osmo_in, until
from support.faults import Fault
from support.proxy import FaultProxy
from support.servers import S3Server, rclone_s3
from support.small_disks import small_disk

# Trains ten steps in all, wherever it begins, and ends with what it did in which process.
TRAIN = """
step=$(cat ckpt/step 2>/dev/null || echo 0)
echo "begins at $step"
mkdir -p ckpt
[ -e ckpt/big ] || head -c 3000000 /dev/zero > ckpt/big
while [ $step -lt 10 ]; do
    step=$((step + 1))
    echo "step $step" >> ckpt/history
    echo $step > ckpt/step.new && mv ckpt/step.new ckpt/step
    [ $step = ${STOP_AT:-10} ] && sleep ${STOP_S:-0}
done
echo trained
"""


def entry(url: str, **more: Any) -> list[dict[str, Any]]:
    return [{"path": "ckpt", "url": url, "frequency": "300ms", **more}]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kill_everything(osmo: Osmo, run: str) -> None:
    """As when the machine loses its power."""
    place = osmo.attempt(run)
    supervisor = records.read(osmo.home.run(run).supervisor)
    for record in (supervisor, records.read(place.agent)):
        os.kill(Process.read(record or {}).pid, signal.SIGKILL)
    os.killpg(Process.read(records.read(place.child) or {}).pid, signal.SIGKILL)


@pytest.fixture
def another(tmp_path: Path, server: S3Server) -> Iterator[Osmo]:
    """Another machine: nothing but the store is the same."""
    (tmp_path / "another").mkdir()
    with osmo_in(tmp_path / "another", server.environ) as command:
        yield command


@pytest.fixture
def stored(osmo: Osmo) -> str:
    """The url of a store that holds a checkpoint of a run that has ended."""
    url = f"file://{osmo.directory}/store"
    assert (
        osmo.wait(
            osmo.submit(osmo.task("mkdir ckpt; echo 7 > ckpt/step; echo x > ckpt/other", checkpoint=entry(url)))
        ).returncode
        == 0
    )
    for path in (osmo.directory / "ckpt").iterdir():
        path.unlink()
    return url


def test_a_run_goes_on_on_another_machine_and_sends_only_what_differs(
    osmo: Osmo, another: Osmo, bucket: Bucket
) -> None:
    url = f"s3://{bucket.name}/here"
    first = osmo.submit(osmo.task(TRAIN, checkpoint=entry(url), environment={"STOP_AT": "4", "STOP_S": "600"}))
    here = bucket.beneath("here")
    until(
        lambda: (
            any(
                file["name"] == "step" and file["size"] == 2
                for record in here.checkpoints("main.ckpt")
                for file in record["files"]
            )
            and osmo.query(first)["not_in_store"]["files"] == 0
        )
    )
    kill_everything(osmo, first)
    newest = here.checkpoints("main.ckpt")[-1]
    before = {file["name"]: file["place"] for file in newest["files"]}

    second = another.submit(another.task(TRAIN, checkpoint=entry(url)), "--restore")
    assert another.wait(second).returncode == 0
    log = "\n".join(another.log(second))
    assert f"Restoring checkpoint {newest['checkpoint']} of {first} (" in log
    assert f"Restored checkpoint {newest['checkpoint']} of {first} to" in log
    assert "3 files, 3.0 MB, every digest right" in log
    assert "begins at 4" in log
    assert "starting without it" not in log
    assert files(another.directory / "ckpt") == {
        "big": bytes(3_000_000),
        "step": b"10\n",
        "history": "".join(f"step {step}\n" for step in range(1, 11)).encode(),
    }
    after = {file["name"]: file["place"] for file in here.checkpoints("main.ckpt")[-1]["files"]}
    assert {name for name, place in after.items() if before.get(name) != place} == {"step", "history"}
    status = another.status(second)["streams"][0]
    assert status["uploaded_size"] < 10_000
    assert status["restore"] == f"restored from checkpoint {newest['checkpoint']} of {first}"
    assert "restored from checkpoint" in another("workflow", "query", second).stdout


def test_without_a_wish_it_is_said_that_there_is_a_checkpoint_and_that_it_stays(osmo: Osmo, stored: str) -> None:
    run = osmo.submit(osmo.task("echo 1 > ckpt/step", checkpoint=entry(stored)))
    assert osmo.wait(run).returncode == 0
    (line,) = [line for line in osmo.log(run) if "holds checkpoint" in line]
    assert f"{stored} holds checkpoint" in line
    assert " of t-1 (" in line
    assert line.endswith(" ago, 2 files); starting without it; --restore goes on from it")
    listed = json.loads(osmo("checkpoint", "list", stored, "--json").stdout)
    assert {each["run"] for each in listed} == {"t-1", run}


def test_a_spec_may_ask_for_it_and_a_single_file_comes_back_beside_others(osmo: Osmo, bucket: Bucket) -> None:
    model = [{"path": "out/model.pt", "url": f"s3://{bucket.name}", "frequency": "1h", "restore": True}]
    write = "mkdir -p out; ls out; cat out/model.pt; echo weights > out/model.pt"
    assert osmo.wait(osmo.submit(osmo.task(write, checkpoint=model))).returncode == 0
    (osmo.directory / "out/model.pt").unlink()
    (osmo.directory / "out/mine").write_text("mine")
    run = osmo.submit(osmo.task("cat out/model.pt out/mine", checkpoint=model))
    assert osmo.wait(run).returncode == 0
    assert osmo.logged(run, "weights")
    assert files(osmo.directory / "out") == {"model.pt": b"weights\n", "mine": b"mine"}


def test_an_empty_bucket_is_an_answer(osmo: Osmo, bucket: Bucket) -> None:
    run = osmo.submit(osmo.task(TRAIN, checkpoint=entry(f"s3://{bucket.name}")), "--restore")
    assert osmo.wait(run).returncode == 0
    assert osmo.logged(run, "holds no checkpoint of")
    assert osmo.logged(run, "begins at 0")


@pytest.mark.parametrize("there", ["ckpt/deep/mine", "ckpt/.hidden"])
def test_a_path_that_is_not_empty_is_left_as_it_is(osmo: Osmo, stored: str, there: str) -> None:
    (osmo.directory / there).parent.mkdir(exist_ok=True)
    (osmo.directory / there).write_text("mine")
    run = osmo.submit(osmo.task("ls ckpt; true", checkpoint=entry(stored)), "--restore")
    assert osmo.wait(run).returncode == 0
    log = osmo.log(run)
    assert len([line for line in log if "is not empty: nothing is restored" in line]) == 1
    assert any("starting with what is in" in line for line in log)
    assert files(osmo.directory / "ckpt") == {there.removeprefix("ckpt/"): b"mine"}


def test_empty_folders_are_nothing(osmo: Osmo, stored: str) -> None:
    (osmo.directory / "ckpt/lost+found").mkdir()
    run = osmo.submit(osmo.task("cat ckpt/step", checkpoint=entry(stored)), "--restore")
    assert osmo.wait(run).returncode == 0
    assert files(osmo.directory / "ckpt") == {"step": b"7\n", "other": b"x\n"}


def test_a_run_without_a_wish_does_not_wait_for_its_store(osmo: Osmo) -> None:
    spec = osmo.task("echo started", checkpoint=entry("s3://bucket"))
    run = osmo.submit(spec, AWS_ENDPOINT_URL_S3="http://127.0.0.1:9")
    osmo.until_logged(run, "started")
    assert not osmo.logged(run, "The command waits")


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[S3Server]:
    with rclone_s3(tmp_path / "server" / "data") as running:
        running.make_bucket("bucket")
        yield running


def test_a_store_that_is_down_is_waited_for(osmo: Osmo, own_server: S3Server) -> None:
    spec = osmo.task(TRAIN, checkpoint=entry("s3://bucket"))
    assert osmo.wait(osmo.submit(spec, **own_server.environ)).returncode == 0
    for path in (osmo.directory / "ckpt").iterdir():
        path.unlink()
    own_server.stop()
    submitted = osmo("workflow", "submit", spec, "--restore", **own_server.environ)
    assert "connection refused; what is to be restored waits for the store" in submitted.stderr
    run = "t-2"
    osmo.until_logged(run, "The command waits; next try in")
    assert osmo.status(run)["state"] == "INITIALIZING"
    until(lambda: "connection refused" in (osmo.status(run)["streams"][0]["error"] or ""))
    assert "the last try failed" in osmo("workflow", "query", run).stdout
    assert not osmo.logged(run, "begins at")
    own_server.start()
    assert osmo.wait(run).returncode == 0
    assert osmo.logged(run, "begins at 10")


def test_a_store_that_stays_away_ends_the_task_before_it_began(osmo: Osmo) -> None:
    spec = osmo.task("touch started", checkpoint=entry("s3://bucket"))
    options = ("--restore", "--restore-timeout", "2s")
    run = osmo.submit(spec, *options, AWS_ENDPOINT_URL_S3="http://127.0.0.1:9")
    assert osmo.wait(run).returncode == 1
    (task,) = osmo.query(run)["tasks"]
    assert (task["status"], task["exit_code"]) == ("FAILED", 2010)
    assert "s3://bucket" in task["message"]
    assert "That has not changed for 2 s, and the command does not start from nothing" in task["message"]
    assert not (osmo.directory / "started").exists()
    assert not (osmo.directory / "ckpt").exists()


def test_who_may_not_look_is_not_told_that_there_is_nothing(osmo: Osmo, server: S3Server, bucket: Bucket) -> None:
    spec = osmo.task(TRAIN, checkpoint=entry(f"s3://{bucket.name}"))
    assert osmo.wait(osmo.submit(spec)).returncode == 0
    for path in (osmo.directory / "ckpt").iterdir():
        path.unlink()
    with FaultProxy(server.endpoint) as proxy:
        forbidden = proxy.fault(Fault(forward=False, answer=403), method="GET")
        run = osmo.submit(spec, "--restore", "--no-check", AWS_ENDPOINT_URL_S3=proxy.endpoint)
        osmo.until_logged(run, "403")
        assert osmo.status(run)["state"] == "INITIALIZING"
        assert not osmo.logged(run, "begins at")
        forbidden.end()
        assert osmo.wait(run).returncode == 0
    assert osmo.logged(run, "begins at 10")


def test_a_newer_format_is_not_taken_for_nothing(osmo: Osmo, stored: str) -> None:
    log = osmo.directory / "store/.osmo/main.ckpt/log"
    (log / "00000099.json").write_text('{"format": 99, "kind": "what may come"}')
    run = osmo.submit(osmo.task("touch started", checkpoint=entry(stored)), "--restore", "--restore-timeout", "1s")
    assert osmo.wait(run).returncode == 1
    (task,) = osmo.query(run)["tasks"]
    assert task["exit_code"] == 2010
    assert "a record of format 99, this osmo knows 2" in task["message"]
    assert "Use a newer version of osmo." in task["message"]
    assert not (osmo.directory / "started").exists()


def test_checkpoints_of_another_task_are_listed_and_one_of_them_may_be_chosen(osmo: Osmo, stored: str) -> None:
    spec = osmo.task("cat ckpt/step", checkpoint=entry(stored))
    text = (osmo.directory / spec).read_text().replace('"main"', '"renamed"')
    for _ in range(2):  # that it was tried does not make it a beginning
        run = osmo.submit(osmo.spec(text), "--restore")
        assert osmo.wait(run).returncode == 1
        (task,) = osmo.query(run)["tasks"]
        assert task["exit_code"] == 2010
        assert "there is no checkpoint of renamed.ckpt, but of main.ckpt (checkpoint" in task["message"]
        assert f"`osmo checkpoint restore {stored} {osmo.directory}/ckpt --from NAME`" in task["message"]
    assert osmo("checkpoint", "restore", stored, "ckpt", "--from", "main.ckpt").returncode == 0
    run = osmo.submit(osmo.spec(text), "--restore")
    assert osmo.wait(run).returncode == 0
    assert osmo.logged(run, "7", "renamed")


@pytest.mark.parametrize("damage", ["missing", "other bytes"])
def test_a_damaged_checkpoint_is_not_begun_with(osmo: Osmo, stored: str, damage: str) -> None:
    victim = osmo.directory / "store/ckpt/other"
    assert victim.exists()
    victim.unlink() if damage == "missing" else victim.write_text("y\n")
    run = osmo.submit(osmo.task("touch started", checkpoint=entry(stored)), "--restore")
    assert osmo.wait(run).returncode == 1
    (task,) = osmo.query(run)["tasks"]
    assert task["exit_code"] == 2010
    assert "other: the object" in task["message"]
    assert f"`osmo checkpoint verify {stored}` says what is wrong" in task["message"]
    assert not (osmo.directory / "started").exists()
    left = files(osmo.directory / "ckpt")
    assert all(name.startswith(".osmo-restore.") for name in left)
    assert len(list((osmo.directory / "store/.osmo/main.ckpt/log").iterdir())) >= 2


def test_a_disk_that_is_too_small_is_said(osmo: Osmo, bucket: Bucket) -> None:
    spec = osmo.task("mkdir -p ckpt; head -c 9000000 /dev/urandom > ckpt/big", checkpoint=entry(f"s3://{bucket.name}"))
    assert osmo.wait(osmo.submit(spec)).returncode == 0
    (osmo.directory / "ckpt/big").unlink()
    with small_disk(osmo.directory / "ckpt", 4 << 20):
        run = osmo.submit(spec, "--restore")
        assert osmo.wait(run).returncode == 1
        (task,) = osmo.query(run)["tasks"]
        assert task["exit_code"] == 2010
        assert "are free: nothing was restored" in task["message"]


def test_cancel_and_sigterm_are_heard_while_a_store_is_waited_for(osmo: Osmo) -> None:
    spec = osmo.task("touch started", checkpoint=entry("s3://bucket"))
    for end, state in (("cancel", "FAILED_CANCELED"), ("SIGTERM", "FAILED_PREEMPTED")):
        run = osmo.submit(spec, "--restore", AWS_ENDPOINT_URL_S3="http://127.0.0.1:9")
        osmo.until_logged(run, "The command waits")
        if end == "cancel":
            assert osmo("workflow", "cancel", run).returncode == 0
        else:
            os.kill(Process.read(records.read(osmo.attempt(run).agent) or {}).pid, signal.SIGTERM)
        osmo.wait(run)
        assert osmo.query(run)["tasks"][0]["status"] == state
    assert not (osmo.directory / "started").exists()


def test_a_restore_whose_agent_is_killed_goes_on_where_it_was(osmo: Osmo, server: S3Server, bucket: Bucket) -> None:
    write = (
        "mkdir -p ckpt; for i in 1 2 3 4; do [ -e ckpt/$i ] || head -c 4000000 /dev/urandom > ckpt/$i; done; ls ckpt"
    )
    spec = osmo.task(write, checkpoint=entry(f"s3://{bucket.name}"))
    assert osmo.wait(osmo.submit(spec)).returncode == 0
    was = files(osmo.directory / "ckpt")
    for path in (osmo.directory / "ckpt").iterdir():
        path.unlink()
    with FaultProxy(server.endpoint) as proxy:
        slow = proxy.fault(Fault(down=2_000_000), method="GET", path="/ckpt/|/objects/")
        run = osmo.submit(spec, "--restore", "--no-check", AWS_ENDPOINT_URL_S3=proxy.endpoint)
        until(lambda: sum(map(len, files(osmo.directory / "ckpt").values())) > 1_000_000)
        os.kill(Process.read(records.read(osmo.attempt(run).agent) or {}).pid, signal.SIGKILL)
        slow.end()
        assert osmo.wait(run).returncode == 0
    assert files(osmo.directory / "ckpt") == was
    assert osmo.logged(run, "Restored checkpoint")
    assert not osmo.logged(run, "is not empty")
    assert osmo.status(run)["streams"][0]["uploaded_files"] == 0


def test_keep_of_the_command_line_is_for_every_entry(osmo: Osmo, stored: str) -> None:
    script = "for i in 1 2 3 4 5; do echo $i > ckpt/step; sleep 0.7; done"
    run = osmo.submit(osmo.task(script, checkpoint=entry(stored)), "--keep", "3", "--restore")
    assert osmo.wait(run).returncode == 0
    listed = json.loads(osmo("checkpoint", "list", stored, "--json").stdout)
    assert len(listed) == 3
    for each in listed:
        number = str(each["checkpoint"])
        assert osmo("checkpoint", "verify", stored, number, "--deep").returncode == 0
        assert osmo("checkpoint", "restore", stored, f"back-{number}", "--at", number).returncode == 0
    steps = [files(osmo.directory / f"back-{each['checkpoint']}")["step"] for each in listed]
    assert steps == sorted(steps, reverse=True)
    assert len(set(steps)) > 1


@pytest.mark.parametrize("options", [("--keep", "0"), ("--keep", "two"), ("--restore-timeout", "soon")])
def test_what_cannot_be_meant_is_refused(osmo: Osmo, options: tuple[str, ...]) -> None:
    result = osmo("workflow", "submit", osmo.task("true"), *options)
    assert result.returncode == 2
    assert options[1] in result.stderr


def test_a_command_in_the_foreground_begins_with_its_checkpoint(osmo: Osmo, bucket: Bucket) -> None:
    of_the_run = ("checkpoint", "run", "--path", "ckpt", "--url", f"s3://{bucket.name}", "--frequency", "1h")
    first = osmo(*of_the_run, "--restore", "--", "sh", "-c", "mkdir ckpt; echo 7 > ckpt/step")
    assert (first.returncode, "holds no checkpoint of" in first.stderr) == (0, True)
    (osmo.directory / "ckpt/step").unlink()
    second = osmo(*of_the_run, "--restore", "--", "cat", "ckpt/step")
    assert (second.returncode, second.stdout) == (0, "7\n")
    assert "every digest right" in second.stderr


def test_a_command_in_the_foreground_does_not_start_from_nothing(osmo: Osmo) -> None:
    options = ("--path", "ckpt", "--url", "s3://bucket", "--frequency", "1h", "--restore", "--restore-timeout", "1s")
    result = osmo(
        *("checkpoint", "run", *options, "--no-check", "--", "touch", "started"),
        AWS_ENDPOINT_URL_S3="http://127.0.0.1:9",
    )
    assert result.returncode == 1
    assert "does not start from nothing" in result.stderr
    assert not (osmo.directory / "started").exists()
