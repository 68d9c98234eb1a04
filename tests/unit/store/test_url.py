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
    "text",
    ["", "bucket", "/data", "s3:/bucket", "s3://", "s3:///a", "s3://user:pass@bucket", "s3://bucket/a//b", "s3://b/../a",
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
