from pathlib import Path

import pytest

from osmo.agent.requests import Answered, Requests
from osmo.agent.status import StatusBoard
from osmo.rundir import records, requests
from osmo.rundir.paths import AttemptDir
from osmo.rundir.requests import Request
from osmo.spec.checkpoint import CheckpointEntry
from support.clock import FakeClock

STREAMS = ((CheckpointEntry("/a", "s3://b", 10.0),), (CheckpointEntry("/c", "s3://b", 10.0),))


class Asking:
    """An attempt of two streams, with as many agents after each other as wanted."""

    def __init__(self, path: Path) -> None:
        self.attempt = AttemptDir(path)

    def agent(self) -> Requests:
        return Requests(self.attempt, StatusBoard(self.attempt, STREAMS, FakeClock()), len(STREAMS))

    def answers(self) -> dict[str, str]:
        found = (records.read(self.attempt.status) or {}).get("answers", [])
        return {answer["request"]: answer["failed"] for answer in found}


@pytest.fixture
def asking(tmp_path: Path) -> Asking:
    return Asking(tmp_path)


def test_a_request_is_answered_when_every_stream_has_spoken(asking: Asking) -> None:
    agent, name = asking.agent(), requests.ask(asking.attempt, at_rest=True)
    wanted = (Request(name, at_rest=True),)
    assert agent.new() == [*wanted]
    assert agent.new() == []  # it is under way
    agent.answered(Answered(1, wanted, ""))
    assert asking.answers() == {}
    agent.answered(Answered(0, wanted, ""))
    assert asking.answers() == {name: ""}
    assert requests.waiting(asking.attempt) == []


def test_one_stream_that_fails_fails_the_request(asking: Asking) -> None:
    agent, name = asking.agent(), requests.ask(asking.attempt, at_rest=False)
    wanted = tuple(agent.new())
    agent.answered(Answered(0, wanted, "no such bucket"))
    agent.answered(Answered(1, wanted, ""))
    assert asking.answers() == {name: "no such bucket"}


def test_a_signal_asks_and_waits_for_no_answer(asking: Asking) -> None:
    asking.agent().answered(Answered(0, (Request(""),), ""))
    assert asking.answers() == {}


def test_the_agent_after_this_one_makes_what_was_not_answered_and_repeats_nothing(asking: Asking) -> None:
    first = asking.agent()
    done = requests.ask(asking.attempt, at_rest=False)
    wanted = tuple(first.new())
    for place in (0, 1):
        first.answered(Answered(place, wanted, ""))
    (asking.attempt.requests / f"{done}.json").write_text("{}")  # as if it had been killed before it removed it
    pending = requests.ask(asking.attempt, at_rest=False)
    first.new()

    second = asking.agent()
    assert [request.id for request in second.new()] == [pending]
    assert requests.waiting(asking.attempt) == [pending]
    for place in (0, 1):
        second.answered(Answered(place, (Request(pending),), ""))
    assert asking.answers() == {done: "", pending: ""}


def test_a_request_stays_while_its_answer_cannot_be_written(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    agent, name = asking.agent(), requests.ask(asking.attempt, at_rest=False)
    wanted = tuple(agent.new())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(records, "write", full)
        for place in (0, 1):
            agent.answered(Answered(place, wanted, ""))
    assert requests.waiting(asking.attempt) == [name]
    assert agent.new() == []  # it is not made twice
