import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo.checkpoint.key import doubles, escaped, key_of, of_stream, reserved, too_long
from osmo.store.keys import check_key, room

SEGMENT = st.binary(min_size=1, max_size=8).filter(lambda raw: b"/" not in raw and b"\0" not in raw)
NAMES = st.lists(SEGMENT.filter(lambda raw: raw not in (b".", b"..")), min_size=1, max_size=3).map(
    lambda parts: os.fsdecode(b"/".join(parts))
)
LONG_NAMES = st.lists(
    st.tuples(st.sampled_from(["a", "\u00fc", "\U0001f600", "\n", "\udcff"]), st.integers(1, 255)).map(
        lambda letters: letters[0] * letters[1]
    ),
    min_size=1,
    max_size=9,
).map("/".join)
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
    lost = doubles(names, names)
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
    assert doubles(names, names) == want


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


URLS = st.sampled_from(["file:///" + "u" * 900, "s3://b", "s3://b/p", "s3://b/" + "u" * 900])


@given(st.sets(LONG_NAMES, min_size=1, max_size=3), URLS, st.sampled_from(["", "ckpt/"]))
def test_a_name_makes_a_key_that_fits_or_is_refused_before_it_is_sent(names: set[str], url: str, prefix: str) -> None:
    refused = too_long(prefix, names, room(url))
    for name in names:
        key = key_of(prefix, name)
        whole = key if url.startswith("file:") else "/".join([*url.split("/")[3:], key])
        fits = len(whole.encode()) <= 1024 and all(len(part.encode()) <= 255 for part in key.split("/"))
        assert (name in refused) != fits
        assert not fits or check_key(whole, url)


@pytest.mark.parametrize(
    ("name", "room", "why"),
    [
        ("n" * 255, 1024, ""),
        ("n" * 85 + "/" + "\n" * 85, 1024, ""),
        ("\n" * 86, 1024, "a part of its name in the store would have more than 255 bytes"),
        ("\u00fc" * 12, 24, ""),
        ("\u00fc" * 12, 23, "its name in the store would have 24 bytes, 23 are possible"),
    ],
)
def test_a_name_that_is_too_long_for_a_store_is_told_why(name: str, room: int, why: str) -> None:
    assert too_long("", [name], room) == ({name: why} if why else {})


def test_a_stream_of_any_name_has_a_folder_that_a_disk_can_hold_and_that_is_its_own() -> None:
    names = ["train.ckpt", "train." + "n" * 249, "t" * 300 + "a", "t" * 300 + "b", "\n" * 200, "ä" * 200]
    parts = [of_stream(name) for name in names]
    assert parts[:2] == names[:2]
    assert len(set(parts)) == len(names)
    assert all(len(part.encode()) <= 255 for part in parts)
    assert [of_stream(part) for part in parts] == parts
