"""`osmo checkpoint run` at a terminal: what a person types is for the command."""

import contextlib
import os
import signal
from pathlib import Path

from acceptance.conftest import Bucket
from support.cli import BIN, Osmo, until
from support.needs import need_program
from support.terminal import Terminal, terminal


def session(osmo: Osmo, *command: str) -> contextlib.AbstractContextManager[Terminal]:
    return terminal(list(command), osmo.directory, osmo.environ | {"PS1": "$ ", "TERM": "dumb"})


def wrapped(bucket: Bucket, script: str) -> list[str]:
    place = ["--path", "data", "--url", f"s3://{bucket.name}", "--frequency", "1h", "--keep", "9"]
    return [str(BIN / "osmo"), "checkpoint", "run", *place, "--", "sh", "-c", script]


def test_the_command_has_the_terminal(osmo: Osmo, bucket: Bucket) -> None:
    script = "test -t 0 && test -t 1 && test -t 2 && read word && echo read $word && mkdir data && echo 1 > data/a"
    with session(osmo, *wrapped(bucket, f"echo ready; {script}")) as person:
        person.until("ready")
        person.type("hello\n")
        person.until("read hello")
        assert person.end() == 0, person.seen
    assert bucket.files() == {"data/a"}


def test_it_hears_of_a_new_window_size(osmo: Osmo, bucket: Bucket) -> None:
    script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.1; done"
    with session(osmo, *wrapped(bucket, script)) as person:
        person.until("ready")
        person.resize(33, 77)
        person.until("33 77")
        assert person.end() == 0


def test_ctrl_c_reaches_the_command_once_and_the_last_checkpoint_is_made(osmo: Osmo, bucket: Bucket) -> None:
    script = (
        "trap 'echo got; echo 2 >> data/b' INT; mkdir data; echo ready; until [ -e go ]; do sleep 0.1; done; exit 5"
    )
    with session(osmo, *wrapped(bucket, script)) as person:
        person.until("ready")
        person.type("\x03")
        person.until("got")
        (osmo.directory / "go").touch()
        assert person.end() == 5
    assert person.seen.count("got") == 1
    assert (bucket.directory / "data/b").read_text() == "2\n"


def test_a_script_around_it_learns_that_ctrl_c_was_meant_for_all(osmo: Osmo, bucket: Bucket) -> None:
    script = "mkdir -p data; echo $$ >> data/a; echo ready; exec sleep 100"
    words = " ".join(f"'{word}'" for word in wrapped(bucket, script))
    (osmo.directory / "all.sh").write_text(f"for each in 1 2 3; do {words}; done; echo went on\n")
    with session(osmo, "bash", "all.sh") as person:
        person.until("ready")
        person.type("\x03")
        assert person.end() == -signal.SIGINT
    assert "went on" not in person.seen
    assert len((bucket.directory / "data/a").read_text().split()) == 1


def test_ctrl_z_stops_it_and_fg_goes_on(osmo: Osmo, bucket: Bucket) -> None:
    need_program("bash")
    script = "mkdir data; echo $$ > pid; echo read''y; until [ -e go ]; do sleep 0.1; done; echo 1 > data/a"
    words = " ".join(f'"{word}"' for word in wrapped(bucket, script.replace("$", "\\$")))
    with session(osmo, "bash", "--norc", "--noprofile", "-i") as person:
        person.type(f"{words}; echo co''de $?\n")
        person.until("ready")
        person.type("\x1a")
        person.until("Stopped")
        command = int((osmo.directory / "pid").read_text())
        assert Path(f"/proc/{command}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        person.type("fg\n")
        (osmo.directory / "go").touch()
        until(lambda: not os.path.exists(f"/proc/{command}"))
        until(lambda: bucket.files() == {"data/a"})
        person.type("exit\n")
        person.end()


def test_ctrl_c_at_the_end_does_not_wait_for_a_store_that_is_away(osmo: Osmo, bucket: Bucket) -> None:
    away = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "OSMO_GRACE": "1s", "OSMO_FINAL_TIMEOUT": "1h"}
    command = wrapped(bucket, "mkdir data; echo 1 > data/a")
    with terminal(command, osmo.directory, osmo.environ | away) as person:
        person.until("failed: ")
        person.type("\x03")
        assert person.end() == 1
    assert "SIGINT: the last checkpoint has 1 s left" in person.seen
    assert "upload them by hand with" in person.seen
