import pytest

from osmo.errors import StoreError
from osmo.store.keys import check_key, under


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
