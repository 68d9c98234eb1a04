import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo.checkpoint.key import doubles, escaped, key_of, reserved
from osmo.store.keys import check_key

SEGMENT = st.binary(min_size=1, max_size=8).filter(lambda raw: b"/" not in raw and b"\0" not in raw)
NAMES = st.lists(SEGMENT.filter(lambda raw: raw not in (b".", b"..")), min_size=1, max_size=3).map(
    lambda parts: os.fsdecode(b"/".join(parts))
)
# Few letters, so that names meet.
CLOSE_NAMES = st.sets(st.text("a%0A\n", min_size=1, max_size=6), max_size=12)


@pytest.mark.parametrize(
    ("prefix", "name", "want"),
    [
        ("ckpt/", "a/b.pt", "ckpt/a/b.pt"),
        ("", "a", "a"),
        ("", "a b#%?*~ü文", "a b#%?*~ü文"),
        ("", "a\nb", "a%0Ab"),
        ("", "\x00\x1f\x7f", "%00%1F%7F"),
        ("", "a\u00a0b\u2028", "a\u00a0b\u2028"),
        ("", os.fsdecode(b"\xff\xc3"), "%FF%C3"),
        ("ck\tpt/", "a", "ck%09pt/a"),
    ],
)
def test_a_key_is_the_name_but_for_what_stores_refuse(prefix: str, name: str, want: str) -> None:
    assert key_of(prefix, name) == want


@given(NAMES)
def test_every_name_that_a_folder_can_hold_makes_a_key_that_every_store_takes(name: str) -> None:
    assert check_key(key_of("ckpt/", name), "memory://test") == key_of("ckpt/", name)


@given(NAMES)
def test_a_name_that_stores_take_is_its_own_key(name: str) -> None:
    key = key_of("", name)
    assert key_of("", key) == key
    if not any(char < " " or char == "\x7f" or "\udc80" <= char <= "\udcff" for char in name):
        assert key == name


@given(CLOSE_NAMES)
def test_without_the_doubles_no_two_names_have_one_key(names: set[str]) -> None:
    lost = doubles(names)
    kept = names - lost.keys()
    assert len({escaped(name) for name in kept}) == len(kept)
    assert {escaped(name) for name in kept} == {escaped(name) for name in names}
    assert all(owner in kept and escaped(owner) == escaped(name) for name, owner in lost.items())


@pytest.mark.parametrize(
    ("names", "want"),
    [
        ({"a", "b"}, {}),
        ({"a\n"}, {}),
        ({"a\n", "a%0A"}, {"a\n": "a%0A"}),
        ({"\n%0A", "%0A\n"}, {"%0A\n": "\n%0A"}),
        ({"a\u00a0"}, {}),
    ],
)
def test_a_name_that_is_its_own_key_has_the_first_right_to_it(names: set[str], want: dict[str, str]) -> None:
    assert doubles(names) == want


@pytest.mark.parametrize(
    ("prefix", "names", "want"),
    [
        ("", [".osmo", ".osmo/a", ".osmotic", "a/.osmo", "a"], [".osmo", ".osmo/a"]),
        ("ckpt/", [".osmo", ".osmo/a"], []),
        (".osmo/", ["a", "b/c"], ["a", "b/c"]),
    ],
)
def test_keys_among_osmos_own_records_are_reserved(prefix: str, names: list[str], want: list[str]) -> None:
    assert reserved(prefix, names) == want
