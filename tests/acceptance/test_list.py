"""`osmo workflow list`: which runs it shows, and how long it takes among many."""

import json
import os
import socket
from datetime import UTC, datetime, timedelta

import pytest

from osmo.rundir.home import Home
from support.cli import Osmo

FIRST = datetime(2020, 1, 1, 12, tzinfo=UTC)


def old_runs(home: Home, count: int, states: tuple[str, ...] = ("COMPLETED",)) -> None:
    """Runs `old-1`, `old-2` … that are over, a day between them."""
    home.prepare()
    for number in range(1, count + 1):
        run, at, state = home.new_run("old"), (FIRST + timedelta(days=number - 1)), states[number % len(states)]
        attempt = run.attempt("main", 0)
        attempt.path.mkdir(parents=True)
        record = {"uuid": "u", "submitted": at.isoformat(), "host": socket.gethostname(), "tasks": ["main"]}
        for path, body in (
            (run.run, record),
            (run.ended, {"state": state, "ended": at.isoformat()}),
            (attempt.status, {"state": state, "ended": at.isoformat(), "streams": []}),
        ):
            path.write_text(json.dumps(body))
            os.utime(path, (at.timestamp(), at.timestamp()))


@pytest.mark.parametrize(
    ("options", "want"),
    [
        ((), [5, 4, 3, 2, 1]),
        (("-c", "2"), [5, 4]),
        (("-c", "2", "-f", "1"), [4, 3]),
        (("--offset", "9"), []),
        (("-c", "2", "-o", "asc"), [4, 5]),
        (("-s", "FAILED"), [5, 3, 1]),
        (("-s", "FAILED", "-c", "1", "-f", "1"), [3]),
        (("-s", "COMPLETED", "FAILED", "-c", "2"), [5, 4]),
        (("-s", "RUNNING", "PENDING"), []),
        (("-n", "ld-3"), [3]),
        (("-n", "new"), []),
        (("--submitted-after", "2020-01-03"), [5, 4, 3]),
        (("--submitted-before", "2020-01-03"), [2, 1]),
        (("--submitted-after", "2020-01-02", "--submitted-before", "2020-01-04"), [3, 2]),
    ],
)
def test_only_what_was_asked_for_is_listed(osmo: Osmo, options: tuple[str, ...], want: list[int]) -> None:
    old_runs(osmo.home, 5, ("COMPLETED", "FAILED"))
    names = [f"old-{number}" for number in want]
    assert osmo("workflow", "list", "--quiet", *options).stdout.split() == names
    assert [run["name"] for run in json.loads(osmo("workflow", "list", "--json", *options).stdout)] == names


def test_what_runs_is_found_by_its_status(osmo: Osmo) -> None:
    old_runs(osmo.home, 2)
    run = osmo.submit(osmo.task("echo ready; sleep 600"))
    osmo.until_logged(run, "ready")
    assert osmo("workflow", "list", "-q", "-s", "RUNNING").stdout.split() == [run]


@pytest.mark.parametrize("wrong", [("-s", "ALIVE"), ("--submitted-after", "soon"), ("-o", "up"), ("-f", "-1")])
def test_a_filter_that_makes_no_sense_is_bad_input(osmo: Osmo, wrong: tuple[str, str]) -> None:
    result = osmo("workflow", "list", *wrong)
    assert result.returncode == 2
    assert wrong[1] in result.stderr


def test_a_broken_record_hides_no_other_run(osmo: Osmo) -> None:
    old_runs(osmo.home, 3)
    (osmo.home.workflows / "old-2/run.json").write_text("{")
    shown = osmo("workflow", "list", "-q")
    assert shown.stdout.split() in (["old-3", "old-1"], ["old-1", "old-3"])
    assert "old-2/run.json: not a record of osmo" in shown.stderr


@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_thousands_of_old_runs_cost_little(osmo: Osmo, count: int) -> None:
    """Only those that are shown are read: a run that cannot be read is not met. The time is a bound with room."""
    old_runs(osmo.home, count)
    unread = osmo.home.workflows / f"old-{count // 2}"
    for name in ("run.json", "tasks/main/0/status.json"):
        before = (unread / name).stat()
        (unread / name).write_text("{")
        os.utime(unread / name, ns=(before.st_atime_ns, before.st_mtime_ns))
    shown = osmo("workflow", "list", "-c", "3", "-q")
    assert (shown.stdout.split(), shown.stderr) == ([f"old-{count - number}" for number in range(3)], "")
    osmo.wait(osmo.submit(osmo.task("true")))  # it looks for runs that live, and reads none that is over


def test_runs_of_another_user_are_left_out_and_told(osmo: Osmo) -> None:
    if os.geteuid():
        pytest.skip("only root can give a directory away")
    old_runs(osmo.home, 2)
    os.chown(osmo.home.workflows / "old-1", 12345, 12345)
    shown = osmo("workflow", "list", "-q")
    assert shown.stdout == "old-2\n"
    assert "WARNING: left out, for they belong to another user: old-1" in shown.stderr
    for command in ("query", "logs", "spec", "wait", "cancel", "delete", "resume"):
        refused = osmo("workflow", command, "old-1")
        assert refused.returncode != 0
        assert "old-1 belongs to another user (uid 12345)" in refused.stderr, command
    refused = osmo("workflow", "check", "old-1", "--max-age", "1h")
    assert "old-1 belongs to another user (uid 12345)" in refused.stderr
