from pathlib import Path

import pytest

from osmo.errors import AlreadyExists, NoCondition, Unavailable
from osmo.store.condition import Condition, Conditions
from osmo.store.notes import Fact, Notes

BUCKET = ("https://s3.example.com", "bucket")


class Server:
    """Treats a create-only write in one of the three ways. asked: how often it was written to."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        self.keys: set[str] = set()
        self.asked = 0

    def put(self, key: str, body: bytes) -> str:
        self.asked += 1
        self.keys.add(key)
        return ""

    def put_if_none(self, key: str, body: bytes) -> str:
        if self.condition is Condition.REFUSED:
            raise NoCondition("501")
        if self.condition is Condition.KEPT and key in self.keys:
            raise AlreadyExists(key)
        return self.put(key, body)

    def delete(self, key: str) -> None:
        self.keys.discard(key)


class Away(Server):
    def put(self, key: str, body: bytes) -> str:
        raise Unavailable("no answer")


@pytest.mark.parametrize("condition", Condition)
def test_it_is_found_by_writing_and_asked_once(condition: Condition) -> None:
    known, server = Conditions(), Server(condition)
    assert [known.of(BUCKET, server) for _ in range(3)] == [condition] * 3
    assert 1 <= server.asked <= 2
    assert server.keys == set()
    assert Conditions().of(BUCKET, Server(Condition.IGNORED)) is Condition.IGNORED  # another process asks


@pytest.mark.parametrize("condition", Condition)
def test_where_it_may_be_noted_the_next_process_does_not_ask(condition: Condition, tmp_path: Path) -> None:
    file = tmp_path / "stores.json"
    Conditions().of(BUCKET, Server(condition), Notes(file))
    other = Server(condition)
    assert Conditions().of(BUCKET, other, Notes(file)) is condition
    assert other.asked == 0


def test_no_answer_and_a_note_that_is_none_of_the_three_say_nothing(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "stores.json")
    with pytest.raises(Unavailable):
        Conditions().of(BUCKET, Away(Condition.KEPT), notes)
    assert notes.get(Fact.CONDITION, BUCKET) == ""
    notes.put(Fact.CONDITION, BUCKET, "perhaps")
    assert Conditions().of(BUCKET, Server(Condition.IGNORED), notes) is Condition.IGNORED
