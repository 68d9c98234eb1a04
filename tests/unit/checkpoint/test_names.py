from concurrent.futures import ThreadPoolExecutor

import pytest

from osmo.checkpoint.manifest import Mark
from osmo.checkpoint.names import Names, is_own, mark_of


@pytest.fixture
def names() -> Names:
    return Names("train.ckpt", 7)


def test_a_name_says_for_which_record_it_was_made(names: Names) -> None:
    assert names.object(42) == ".osmo/train.ckpt/objects/00000042-00000007-1"
    assert names.old("d1", 42) == ".osmo/train.ckpt/old/d1.00000042-00000007-2"


def test_no_name_is_given_twice_however_many_ask(names: Names) -> None:
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda number: names.object(number % 2), range(400)))
    assert len({name.rpartition("-")[2] for name in given}) == 400


def test_the_objects_since_the_last_time_are_told_once(names: Names) -> None:
    one = names.object(1)
    names.old("d1", 1)
    assert names.given() == [one]
    two = names.object(1)
    assert names.given() == [two]
    assert names.given() == []


def test_only_who_is_alone_writes_plain_files_directly(names: Names) -> None:
    assert not names.takes_directly("ckpt/a")
    names.alone = True
    assert names.takes_directly("ckpt/a")


def test_a_plain_file_is_written_directly_once(names: Names) -> None:
    names.alone = True
    assert [names.takes_directly("ckpt/a") for _ in range(3)] == [True, False, False]
    assert names.takes_directly("ckpt/b")


def test_a_key_that_holds_something_is_not_written_directly(names: Names) -> None:
    names.alone = True
    names.take(["ckpt/a", "ckpt/b"])
    assert not names.takes_directly("ckpt/a")
    assert names.takes_directly("ckpt/c")


def test_a_key_to_which_nothing_was_sent_after_all_is_free_again(names: Names) -> None:
    names.alone = True
    names.takes_directly("ckpt/a")
    names.release("ckpt/a")
    assert names.takes_directly("ckpt/a")


@pytest.mark.parametrize(
    ("key", "want"),
    [
        (".osmo/t.c/objects/00000042-00000007-13", Mark(7, 42)),
        (".osmo/t.c/old/0a1b.00000042-00000007-3", Mark(7, 42)),
        (".osmo/t.c/objects/123456789-00000007-1", Mark(7, 123456789)),
        (".osmo/t.c/objects/00000042-00000007", None),
        (".osmo/t.c/objects/notes.txt", None),
        (".osmo/t.c/log/00000042.json", None),
        ("ckpt/00000042-00000007-13", None),
    ],
)
def test_the_record_of_a_name_is_read_back(key: str, want: Mark | None) -> None:
    assert mark_of(key) == want


@pytest.mark.parametrize(
    ("key", "want"), [(".osmo/t.c/objects/x", True), ("ckpt/a", False), (".osmotic", False), ("ckpt/.osmo/a", False)]
)
def test_what_lies_beneath_osmos_folder_is_its_own(key: str, want: bool) -> None:
    assert is_own(key) == want
