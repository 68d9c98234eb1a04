import pytest

from osmo.errors import StoreError
from osmo.store.url import StoreUrl, parse, without_secrets


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("s3://bucket", ("s3", "bucket", "", "s3://bucket")),
        ("s3://bucket/", ("s3", "bucket", "", "s3://bucket")),
        ("s3://bucket/a/b//", ("s3", "bucket", "a/b", "s3://bucket/a/b")),
        ("s3://my.bucket-1/a b/ckpt#1/100%/x?y", ("s3", "my.bucket-1", "a b/ckpt#1/100%/x?y", None)),
        ("file:///data/ckpt", ("file", "", "/data/ckpt", "file:///data/ckpt")),
        ("file:///data/ckpt/", ("file", "", "/data/ckpt", "file:///data/ckpt")),
        ("file:///a b/c#1%20", ("file", "", "/a b/c#1%20", None)),
        ("file://localhost/data", ("file", "", "/data", None)),
    ],
)
def test_a_url_is_taken_apart_literally(text: str, want: tuple[str, str, str, str | None]) -> None:
    scheme, bucket, path, written = want
    assert parse(text) == StoreUrl(scheme, bucket, path, text if written is None else written)


@pytest.mark.parametrize(
    ("text", "want", "root", "profile"),
    [
        ("gs://b/a", StoreUrl("gs", "b", "a", "gs://b/a"), "gs://b", "gs://b"),
        (
            "azure://acc/con/a/b",
            StoreUrl("azure", "con", "a/b", "azure://acc/con/a/b", "acc"),
            "azure://acc/con",
            "azure://acc",
        ),
        ("azure://acc/con/", StoreUrl("azure", "con", "", "azure://acc/con", "acc"), "azure://acc/con", "azure://acc"),
        (
            "azure://acc/$web",
            StoreUrl("azure", "$web", "", "azure://acc/$web", "acc"),
            "azure://acc/$web",
            "azure://acc",
        ),
        ("tos://h.x:1/b/a", StoreUrl("tos", "b", "a", "tos://h.x:1/b/a", "h.x:1"), "tos://h.x:1/b", "tos://h.x:1/b"),
        (
            "swift://h/AUTH_n/c/a/b",
            StoreUrl("swift", "c", "a/b", "swift://h/AUTH_n/c/a/b", "h", "AUTH_n"),
            "swift://h/AUTH_n/c",
            "swift://h/AUTH_n",
        ),
    ],
)
def test_what_stands_before_the_bucket(text: str, want: StoreUrl, root: str, profile: str) -> None:
    """And what OSMO files its credentials under."""
    assert parse(text) == want
    assert (parse(text).root, parse(text).profile) == (root, profile)


@pytest.mark.parametrize(
    "text",
    ["azure://acc", "azure://acc/", "azure://A/c", "swift://h/AUTH_n", "swift://h//c", "tos://h", "tos://me@h/b", "gs://",
     "", "bucket", "/data", "s3:/bucket", "s3://", "s3:///a", "s3://user:pass@bucket", "s3://bucket/a//b", "s3://b/../a",
     "s3://bucket/a\tb", "S3://bucket", "ftp://host/a", "file://", "file:///", "file://data/x", "file:data"],
)  # fmt: skip
def test_what_is_no_store_url_is_refused(text: str) -> None:
    with pytest.raises(StoreError):
        parse(text)


@pytest.mark.parametrize(
    ("address", "want"),
    [
        ("https://host:9000/", "https://host:9000"),
        ("http://me:secret@host/x?sig=1", "http://host/x"),
        ("http://[::1]:9000", "http://[::1]:9000"),
        ("http://me:sec?ret@host", "http://host"),
        ("me:secret@host?x=secret", "host"),
    ],
)
def test_an_address_is_shown_without_secrets(address: str, want: str) -> None:
    assert without_secrets(address) == want
