import json
from pathlib import Path

import pytest

from osmo.store.notes import Fact, Notes, notes_of
from support.clock import FakeClock

BUCKET = ("https://s3.example.com", "bucket")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache/osmo/stores.json"


def test_another_process_knows_it(path: Path, clock: FakeClock) -> None:
    Notes(path, clock).put(Fact.STYLE, BUCKET, "virtual")
    Notes(path, clock).put(Fact.SPLICING, BUCKET, "no")
    other = Notes(path, clock)
    assert (other.get(Fact.STYLE, BUCKET), other.get(Fact.SPLICING, BUCKET)) == ("virtual", "no")
    for unknown in (("https://other", "bucket"), (BUCKET[0], "other")):
        assert other.get(Fact.STYLE, unknown) == ""
    assert other.get(Fact.CONDITION, BUCKET) == ""
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["stores.json"]


def test_it_is_believed_for_a_while(path: Path, clock: FakeClock) -> None:
    for fact in (Fact.STYLE, Fact.SPLICING):
        Notes(path, clock).put(fact, BUCKET, "x")
    clock.advance(3599)
    assert Notes(path, clock).get(Fact.SPLICING, BUCKET) == "x"
    clock.advance(1)
    assert Notes(path, clock).get(Fact.SPLICING, BUCKET) == ""
    clock.advance(23 * 3600 - 1)
    assert Notes(path, clock).get(Fact.STYLE, BUCKET) == "x"
    clock.advance(1)
    assert Notes(path, clock).get(Fact.STYLE, BUCKET) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"version": 2, "known": {"style https://s3.example.com bucket": ["path", 0]}}',
        '{"version": 1}',
        '{"version": 1, "known": []}',
        '{"version": 1, "known": {"style https://s3.example.com bucket": "path"}}',
        '{"version": 1, "known": {"style https://s3.example.com bucket": ["path", "yesterday"]}}',
        '{"version": 1, "known": {"style https://s3.example.com bucket": ["path", 99999999999]}}',
    ],
)
def test_a_file_that_is_damaged_or_of_another_time_says_nothing(path: Path, clock: FakeClock, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text)
    notes = Notes(path, clock)
    assert notes.get(Fact.STYLE, BUCKET) == ""
    notes.put(Fact.STYLE, BUCKET, "path")
    assert Notes(path, clock).get(Fact.STYLE, BUCKET) == "path"


def test_an_address_is_kept_without_its_password(path: Path, clock: FakeClock) -> None:
    Notes(path, clock).put(Fact.STYLE, ("https://me:hunter2@s3.example.com", "bucket"), "path")
    assert "hunter2" not in path.read_text()


def test_it_does_not_grow_for_ever(path: Path, clock: FakeClock) -> None:
    known = {f"style https://{number} bucket": ["path", number] for number in range(1500)}
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"version": 1, "known": known}))
    Notes(path, clock).put(Fact.STYLE, BUCKET, "path")
    assert len(json.loads(path.read_text())["known"]) == 1000
    assert Notes(path, clock).get(Fact.STYLE, BUCKET) == "path"


def test_where_nothing_can_be_kept_it_is_known_here(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "file").touch()
    for notes in (notes_of({}), Notes(tmp_path / "file/stores.json", clock)):
        notes.put(Fact.STYLE, BUCKET, "path")
        assert notes.get(Fact.STYLE, BUCKET) == "path"


@pytest.mark.parametrize(
    ("environ", "place"),
    [({"HOME": "/h"}, "/h/.cache"), ({"HOME": "/h", "XDG_CACHE_HOME": "/c"}, "/c"), ({"XDG_CACHE_HOME": "c"}, "")],
)
def test_where_it_lies(environ: dict[str, str], place: str) -> None:
    assert str(notes_of(environ).path or "") == (f"{place}/osmo/stores.json" if place else "")
