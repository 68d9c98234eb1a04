import pytest

from osmo.errors import StoreError
from osmo.store.keys import check_key, room, under


@pytest.mark.parametrize("key", ["a", "a/b", "ckpt#1", "100%", "a\\b", "é", "a..b", "...", " ", "x" * 1024])
def test_a_key_stays_as_it_is(key: str) -> None:
    assert check_key(key, "s3://b") == key


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", ".", "a/../b", "a\x1f", "\x7f", "\udc80", "é" * 513])
def test_a_key_that_a_store_would_change_is_refused(key: str) -> None:
    with pytest.raises(StoreError, match="^s3://b: the key .* cannot be stored: "):
        check_key(key, "s3://b")


@pytest.mark.parametrize(("prefix", "want"), [("", ""), ("a/", "a"), ("a", "a"), ("a/b/", "a/b")])
def test_a_prefix_is_whole_segments(prefix: str, want: str) -> None:
    assert under(prefix, "s3://b") == want


@pytest.mark.parametrize(
    ("url", "want"),
    [("s3://b", 1024), ("s3://b/abc", 1020), ("azure://acc/con", 1024), ("azure://acc/con/abc", 1020),
     ("tos://h/b/abc", 1020), ("swift://h/AUTH_n/c/é", 1021), ("file:///a/b", 1024)],
)  # fmt: skip
def test_the_path_of_a_url_takes_room_of_every_key(url: str, want: int) -> None:
    assert room(url) == want
