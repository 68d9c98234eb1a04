"""What a command prints, from its file into the log."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from osmo.agent.output import Follower
from osmo.clock import SystemClock
from osmo.logs.write import LogWriter
from osmo.rundir.paths import AttemptDir
from support.cli import until

STAMP = len("2025/04/22 23:57:13 [main] ")


@pytest.fixture
def follower(attempt: AttemptDir) -> Iterator[Follower]:
    attempt.output.touch(0o600)
    clock = SystemClock()
    one = Follower(attempt, LogWriter(attempt.log, "main", 0, clock), clock)
    one.start()
    yield one
    one.finish()


def run(attempt: AttemptDir, program: str, *arguments: str) -> None:
    with open(attempt.output, "ab") as output:
        command = [sys.executable, "-I", "-c", program, *arguments]
        subprocess.run(command, stdout=output, stderr=output, check=True, timeout=60)


def lines(attempt: AttemptDir) -> list[bytes]:
    """The lines of the log without their stamps."""
    body = attempt.log.read_bytes() if attempt.log.exists() else b""
    if not body:
        return []
    assert body.endswith(b"\n")
    return [line[STAMP:] for line in body.removesuffix(b"\n").split(b"\n")]


def test_lines_of_any_bytes_and_any_length(attempt: AttemptDir, follower: Follower) -> None:
    program = (
        "import sys; out = sys.stdout.buffer; out.write(b'\\xff\\xfe\\n'); out.write(b'x' * 5_000_000 + b'\\n');"
        "out.write(b'\\n'); out.write(b'10%\\r50%\\r100%\\n'); out.write(b'no end')"
    )
    run(attempt, program)
    follower.finish()
    assert lines(attempt) == [b"\xff\xfe", b"x" * 5_000_000, b"", b"100%", b"no end"]


def test_a_flood_is_complete_and_does_not_stay_on_the_disk(attempt: AttemptDir, follower: Follower) -> None:
    run(attempt, "for number in range(300_000): print('line', number)")
    follower.finish()
    assert lines(attempt) == [b"line %d" % number for number in range(300_000)]
    found = attempt.output.stat()
    assert found.st_size > 3_000_000
    if sys.platform == "linux":
        assert found.st_blocks * 512 <= 128 * 1024


def test_output_is_there_while_the_command_runs(attempt: AttemptDir, follower: Follower) -> None:
    with open(attempt.output, "ab", buffering=0) as output:
        output.write(b"first\n")
        until(lambda: lines(attempt) == [b"first"])
        output.write(b"prompt> ")
        until(lambda: lines(attempt) == [b"first", b"prompt> "])


def test_output_that_empties_its_own_file_is_still_followed(attempt: AttemptDir, follower: Follower) -> None:
    """`echo text > /dev/stderr` does that."""

    def say(script: str) -> None:
        with open(attempt.output, "ab") as output:
            subprocess.run(["sh", "-c", script], stdout=output, stderr=output, check=True, timeout=60)

    say("echo something longer than what comes")
    until(lambda: len(lines(attempt)) == 1)
    say("echo error > /dev/stderr")
    until(lambda: len(lines(attempt)) == 2)
    say("echo after")
    follower.finish()
    assert lines(attempt) == [b"something longer than what comes", b"error", b"after"]


def test_a_later_agent_goes_on_where_the_first_stopped(attempt: AttemptDir, follower: Follower) -> None:
    run(attempt, "print('x' * 65_535)\nfor number in range(30_000): print('first', number)")
    follower.finish()
    before = lines(attempt)
    again(attempt, "print('second')")
    assert lines(attempt) == [*before, b"second"]


def test_a_line_that_was_half_read_is_whole_in_the_end(attempt: AttemptDir, follower: Follower) -> None:
    """The first agent is killed while it has the beginning of a line, which is longer than what it punches out."""
    run(attempt, "print('first'); print('x' * 200_000, end='')")
    until(lambda: follower._splitter.pending == 200_000)  # it stays as it is: as good as killed
    again(attempt, "print('y')")
    assert lines(attempt) == [b"first", b"x" * 200_000 + b"y"]


def again(attempt: AttemptDir, program: str) -> None:
    """Another agent takes over; the command goes on with this."""
    clock = SystemClock()
    second = Follower(attempt, LogWriter(attempt.log, "main", 0, clock), clock)
    second.start()
    run(attempt, program)
    second.finish()


def test_a_disk_that_is_full_drops_lines_and_counts_them(attempt: AttemptDir) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    attempt.log.symlink_to("/dev/full")
    log = LogWriter(attempt.log, "main", 0, SystemClock())
    log.of_task([b"one", b"two"])
    log.ours("three")
    assert log.dropped == 3
    assert os.path.exists("/dev/full")
