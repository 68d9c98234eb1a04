import pytest

from osmo.store.base import Object
from osmo.transfer.names import base_of, matcher, wanted


@pytest.mark.parametrize(
    ("written", "path", "base"),
    [("/a/data", "/a/data", "data"), ("/a/data/", "/a/data", "data"), ("/a/data/*", "/a/data", ""), ("/*", "/", "")],
)
def test_the_folders_own_name_is_in_the_keys_unless_its_contents_are_meant(written: str, path: str, base: str) -> None:
    found = base_of(written)
    assert (str(found[0]), found[1]) == (path, base)


@pytest.mark.parametrize(
    ("regex", "name", "want"),
    [("", "x", True), (r".*\.pt", "a/b.pt", True), (r"b\.pt", "a/b.pt", False), ("a", "a/b.pt", True)],
)
def test_a_regex_is_matched_from_the_beginning_on(regex: str, name: str, want: bool) -> None:
    assert matcher(regex)(name) is want


def test_what_is_no_regex_is_said() -> None:
    with pytest.raises(ValueError, match="is not a regular expression"):
        matcher("(")


def keys(*objects: tuple[str, int], own: bool = False) -> list[str]:
    found = wanted((Object(key, size, "") for key, size in objects), lambda _: True, own=own)
    return [each.key for each in found]


def test_osmos_records_are_nobodys_data() -> None:
    assert keys(("a", 1), (".osmo/x/log/1", 1), ("b/.osmo/y", 1)) == ["a"]
    assert len(keys(("a", 1), (".osmo/x/log/1", 1), own=True)) == 2


def test_the_marks_that_stand_for_folders_are_no_files() -> None:
    assert keys(("a", 0), ("a/b", 0), ("a/b/c", 1), ("empty", 0), ("a-file", 0)) == ["a-file", "a/b/c", "empty"]
