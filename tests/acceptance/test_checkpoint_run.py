"""`osmo checkpoint run`: any command with checkpoints, and nobody who looks at the command sees a difference."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import Bucket
from osmo.rundir.identity import Process
from support.cli import BIN, Osmo, until
from support.stored import Stored

WAIT = "until [ -e go ]; do sleep 0.1; done"


def words(url: str, command: str, *options: str, path: str = "data", frequency: str = "1h") -> list[str]:
    """The arguments that run a shell script with checkpoints."""
    return [
        *("checkpoint", "run", "--path", path, "--url", url, "--frequency", frequency),
        *("--keep", "9", *options, "--", "sh", "-c", command),
    ]


def run(osmo: Osmo, bucket: Bucket, command: str, *options: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return osmo(*words(f"s3://{bucket.name}", command, *options), **more)


@pytest.mark.parametrize(
    ("command", "code"),
    [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -INT $$", 130), ("kill -TERM $$", 143)],
)
def test_the_exit_code_is_the_command_s_and_its_last_checkpoint_is_made(
    osmo: Osmo, bucket: Bucket, command: str, code: int
) -> None:
    result = run(osmo, bucket, f"mkdir data; echo 1 > data/a; {command}")
    assert result.returncode == code, result.stderr
    assert bucket.files() == {"data/a"}
    (record,) = bucket.checkpoints("data")
    assert (record["trigger"], record["exit_code"]) == ("final", code)
    assert f"[osmo] Checkpointing data from {osmo.directory}/data to s3://{bucket.name} finished\n" in result.stderr
    assert not list(osmo.home.path.glob("*"))  # nothing is kept of it
    assert not list(Path(osmo.environ["TMPDIR"]).iterdir())


def test_checkpoints_are_made_while_it_runs_and_what_is_idle_is_not_sent_again(osmo: Osmo, bucket: Bucket) -> None:
    script = f"mkdir data; echo 1 > data/a; {WAIT}; echo 2 > data/b"
    process = osmo.start(*words(f"s3://{bucket.name}", script, "--name", "mine", frequency="300ms"))
    until(lambda: bucket.files() == {"data/a"})
    assert not bucket.checkpoints("data")
    (osmo.directory / "go").touch()
    assert process.wait(60) == 0
    assert [record["trigger"] for record in bucket.checkpoints("mine")] == ["interval", "final"]
    assert bucket.files() == {"data/a", "data/b"}


def test_what_goes_in_and_comes_out_is_the_command_s_own(osmo: Osmo, bucket: Bucket) -> None:
    script = "mkdir data; cat | tee data/in; echo warned >&2; echo $X; cat <&7"
    (osmo.directory / "seven").write_text("7")
    command = [str(BIN / "osmo"), *words(f"s3://{bucket.name}", script, "--quiet")]
    result = subprocess.run(
        ["sh", "-c", 'exec "$@" 7<seven', "sh", *command],
        input=b"in\0put",
        capture_output=True,
        cwd=osmo.directory,
        env=osmo.environ | {"X": "x"},
        timeout=60,
        check=False,
    )
    assert (result.stdout, result.stderr, result.returncode) == (b"in\0putx\n7", b"warned\n", 0)
    assert (bucket.directory / "data/in").read_bytes() == b"in\0put"


def test_our_own_lines_may_go_to_a_file(osmo: Osmo, bucket: Bucket) -> None:
    result = run(osmo, bucket, "mkdir data; echo 1 > data/a", "--log", "osmo.log")
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)
    assert "Data has been uploaded" in (osmo.directory / "osmo.log").read_text()


def test_a_reader_that_goes_away_ends_the_command_as_ever(osmo: Osmo, bucket: Bucket) -> None:
    line = " ".join(["osmo", *words(f"s3://{bucket.name}", "'mkdir data; echo 1 > data/a; exec yes'", "--quiet")])
    result = subprocess.run(
        ["bash", "-c", f"{line} | head -n1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        cwd=osmo.directory,
        env=osmo.environ,
        timeout=60,
        check=False,
    )
    assert result.stdout == f"y\n{128 + signal.SIGPIPE}\n", result.stderr
    assert bucket.files() == {"data/a"}


def test_the_last_checkpoint_that_is_lost_fails_a_command_that_succeeded(osmo: Osmo, bucket: Bucket) -> None:
    nowhere = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "OSMO_FINAL_TIMEOUT": "1s"}
    result = run(osmo, bucket, "mkdir data; echo 1 > data/a", "--quiet", **nowhere)
    assert result.returncode == 1
    warning, line = result.stderr.splitlines()
    assert warning.endswith("connection refused; the command starts, its checkpoints wait for the store")
    assert line.startswith(f"osmo: the last checkpoint of {osmo.directory}/data is not in s3://{bucket.name};")
    assert "upload them by hand with `" in line
    failed = run(osmo, bucket, "exit 5", "--quiet", "--no-check", **nowhere)
    assert failed.returncode == 5


def test_sigterm_is_a_preemption_with_a_grace(osmo: Osmo, bucket: Bucket) -> None:
    script = f"trap 'echo 2 > data/b; exit 9' TERM; mkdir data; echo 1 > data/a; touch begun; {WAIT}"
    process = osmo.start(*words(f"s3://{bucket.name}", script, "--grace", "20s"))
    until((osmo.directory / "begun").exists)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 9, stderr
    assert bucket.files() == {"data/a", "data/b"}
    assert bucket.checkpoints("data")[-1]["trigger"] == "preempt"


def test_what_the_command_leaves_behind_is_ended_before_the_last_checkpoint(osmo: Osmo, bucket: Bucket) -> None:
    late = "trap 'echo 2 > data/late; exit' TERM; touch begun; while :; do sleep 0.1; done"
    script = f'mkdir data; (sh -c "({late}) & " ) ; until [ -e begun ]; do sleep 0.1; done'
    result = run(osmo, bucket, script)
    assert result.returncode == 0, result.stderr
    assert bucket.files() == {"data/late"}


def test_sigusr1_and_the_command_itself_ask_for_a_checkpoint(osmo: Osmo, bucket: Bucket) -> None:
    script = f"mkdir data; echo 1 > data/a; osmo checkpoint now --wait || exit 9; echo 2 > data/b; touch begun; {WAIT}"
    process = osmo.start(*words(f"s3://{bucket.name}", script))
    until((osmo.directory / "begun").exists)
    assert bucket.files() == {"data/a"}
    process.send_signal(signal.SIGUSR1)
    until(lambda: bucket.files() == {"data/a", "data/b"})
    (osmo.directory / "go").touch()
    assert process.wait(60) == 0
    assert [record["trigger"] for record in bucket.checkpoints("data")] == ["request", "request", "final"]


def test_signals_that_are_the_command_s_reach_it(osmo: Osmo, bucket: Bucket) -> None:
    script = f"trap 'echo usr2 >> data/got' USR2; trap 'echo int >> data/got' INT; mkdir data; touch begun; {WAIT}"
    process = osmo.start(*words(f"s3://{bucket.name}", script))
    until((osmo.directory / "begun").exists)
    got = osmo.directory / "data/got"
    process.send_signal(signal.SIGUSR2)
    until(lambda: got.exists() and got.read_text() == "usr2\n")
    process.send_signal(signal.SIGINT)  # there is no terminal that would have told it
    until(lambda: got.read_text() == "usr2\nint\n")
    (osmo.directory / "go").touch()
    assert process.wait(60) == 0


def test_the_command_outlives_an_osmo_that_is_killed(osmo: Osmo, bucket: Bucket) -> None:
    process = osmo.start(*words(f"s3://{bucket.name}", f"mkdir data; echo $$ > pid; {WAIT}; touch ended; sleep 3"))
    pid = osmo.directory / "pid"
    until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    command = Process.of(int(pid.read_text()))
    process.kill()
    process.wait()
    assert command.alive
    (osmo.directory / "go").touch()
    until((osmo.directory / "ended").exists)
    until(lambda: not command.alive)


def test_entries_may_come_from_a_file_and_go_to_several_stores(osmo: Osmo, bucket: Bucket) -> None:
    store = osmo.directory / "store"
    (osmo.directory / "saves.yaml").write_text(
        f"""
        checkpoint:
        - {{path: a, url: 's3://{bucket.name}/x', frequency: 1h, keep: 2}}
        - {{path: b/*, url: 'file://{store}', frequency: PT10S, regex: '.*\\.pt$'}}
        """
    )
    script = "mkdir a b; echo 1 > a/f; echo 1 > b/m.pt; echo 1 > b/m.txt"
    result = osmo("checkpoint", "run", "--config", "saves.yaml", "--", "sh", "-c", script)
    assert result.returncode == 0, result.stderr
    assert bucket.files() == {"x/a/f"}
    assert Stored(store).files() == {"m.pt"}
    assert len(Stored(store).checkpoints("_")) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--path d --url s3://b --frequency 1m", "no command: write it behind `--`"),
        ("--path d --url s3://b --frequency 1m python x.py", "no command: write it behind `--`"),
        ("--path d --url s3://b --frequency 1m --", "no command: write it behind `--`"),
        ("--path d --frequency 1m -- true", "--url: is required, and missing"),
        ("--path d --url s3://b --frequency soon -- true", "--frequency: 'soon' is not a duration"),
        ("--path d --url b --frequency 1m -- true", "--url: 'b' is not a data-store url"),
        ("--path d --url s3://b --frequency 1m --regex [a -- true", "--regex: '[a' is not a regular expression"),
        ("--path d --url s3://b --frequency 1m --keep 0 -- true", "--keep: must be a whole number, 1 or more"),
        ("--path d --url s3://b --frequency 1m --keep x -- true", "--keep: must be a whole number, 1 or more"),
        ("--path d --url s3://b --frequency 1m --name a/b -- true", "--name: 'a/b' is not a name"),
        ("--path d --url s3://b --frequency 1m --grace soon -- true", "--grace: grace: 'soon' is not a duration"),
        ("--path {{{{output}}}} --url s3://b --frequency 1m -- true", "--path: '{{output}}': there is no workflow"),
        ("--path . --url file://{here}/store --frequency 1m -- true", "--url: 'file:///"),
        ("--config saves.yaml --path d -- true", "--path does not go with --config"),
        ("--config nowhere.yaml -- true", "nowhere.yaml: no such file"),
    ],
)
def test_bad_input_is_a_line_and_nothing_is_started(osmo: Osmo, options: str, said: str) -> None:
    result = osmo("checkpoint", "run", *options.format(here=osmo.directory).split())
    assert result.returncode == 2
    assert result.stderr.removeprefix("osmo: ").startswith(said)
    assert result.stderr.count("\n") == 1


def test_a_store_that_says_no_starts_nothing(osmo: Osmo) -> None:
    result = osmo(*words("s3://no-such-bucket", "touch ran"))
    assert result.returncode == 2
    assert "no-such-bucket" in result.stderr
    assert not (osmo.directory / "ran").exists()


@pytest.mark.parametrize(("command", "code"), [("no-such-command", 127), ("./nowhere", 127), ("./data", 126)])
def test_a_command_that_cannot_be_run_is_told_as_a_shell_does(
    osmo: Osmo, bucket: Bucket, command: str, code: int
) -> None:
    (osmo.directory / "data").mkdir()
    (osmo.directory / "data/a").touch()
    place = ["--path", "data", "--url", f"s3://{bucket.name}", "--frequency", "1m"]
    result = osmo("checkpoint", "run", *place, "--", command)
    assert result.returncode == code
    assert result.stderr.startswith("osmo: ")
    assert result.stderr.count("\n") == 1
    assert not bucket.checkpoints("data")


def test_a_script_without_a_first_line_is_run_as_shells_do(osmo: Osmo, bucket: Bucket) -> None:
    script = osmo.directory / "script"
    script.write_text("echo $1\n")
    script.chmod(0o700)
    place = ["--path", "data", "--url", f"s3://{bucket.name}", "--frequency", "1m", "--quiet"]
    assert osmo("checkpoint", "run", *place, "--", "./script", "--help").stdout == "--help\n"


def test_a_folder_that_holds_the_temporary_files_is_refused(osmo: Osmo, bucket: Bucket) -> None:
    result = osmo(*words(f"s3://{bucket.name}", "touch ran", path=os.path.dirname(osmo.environ["TMPDIR"])))
    assert result.returncode == 2
    assert "contains the temporary directory" in result.stderr
