from pathlib import Path

import pytest

from osmo.rundir import records
from osmo.rundir.orders import Order, order_for, write_cancel, write_stop
from osmo.rundir.paths import AttemptDir, RunDir
from osmo.states import State

LEAD = Order(State.COMPLETED, "Lead task finished")


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptDir:
    place = RunDir(tmp_path / "run-1").attempt("t", 0)
    place.path.mkdir(parents=True)
    return place


def test_nothing_is_ordered(attempt: AttemptDir) -> None:
    assert order_for(attempt) is None


def test_what_was_ordered_first_stays(attempt: AttemptDir) -> None:
    write_stop(attempt, LEAD)
    write_stop(attempt, Order(State.FAILED_EXEC_TIMEOUT, "too long"))
    assert order_for(attempt) == LEAD


def test_what_the_user_wants_comes_first(attempt: AttemptDir) -> None:
    run = RunDir(attempt.path.parents[2])
    write_stop(attempt, LEAD)
    write_cancel(run, "wrong data", at_once=False, moment="now")
    assert order_for(attempt) == Order(State.FAILED_CANCELED, "canceled by the user: wrong data")
    write_cancel(run, "", at_once=True, moment="later")
    assert order_for(attempt) == Order(State.FAILED_CANCELED, "canceled by the user", at_once=True)


def test_a_cancel_by_an_earlier_version_is_one(attempt: AttemptDir) -> None:
    records.write(RunDir(attempt.path.parents[2]).cancel, {"at": "now"})
    assert order_for(attempt) == Order(State.FAILED_CANCELED, "canceled by the user")
