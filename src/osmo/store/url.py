"""A store's url, taken apart."""

import re
from dataclasses import dataclass

from osmo.errors import StoreError
from osmo.store.keys import check_key

SCHEMES = ("s3", "file")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # S3's rules are narrower; other servers' are not


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """`s3://bucket/path` or `file:///path`.

    text: as written, without trailing slashes. bucket: empty for `file`. path: for `s3` without slashes at its ends
    and literally what the keys begin with; for `file` an absolute path.
    """

    scheme: str
    bucket: str
    path: str
    text: str


def parse(text: str) -> StoreUrl:
    """Take a url apart. `StoreError` names what is wrong with it."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in SCHEMES:
        raise StoreError(f"{text}: not a store url that is known here", hint="Known: s3://bucket[/path], file:///path.")
    return _s3(text, rest) if scheme == "s3" else _file(text)


def _s3(text: str, rest: str) -> StoreUrl:
    # Not urlsplit: `#`, `?` and `%` are ordinary characters of a key.
    bucket, _, path = rest.rstrip("/").partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise StoreError(f"{text}: no name of a bucket after s3://", hint="Write it as s3://bucket[/path].")
    if path:
        check_key(path, text)
    return StoreUrl("s3", bucket, path, text.rstrip("/"))


def _file(text: str) -> StoreUrl:
    # Literal as well; only an empty or `localhost` host is on this machine.
    host, slash, path = text.removeprefix("file://").partition("/")
    if host not in ("", "localhost") or not slash or not path.strip("/") or "\0" in path:
        raise StoreError(f"{text}: a file url is an absolute path of this machine", hint="Write it as file:///path.")
    return StoreUrl("file", "", "/" + path.strip("/"), text.rstrip("/"))


def without_secrets(address: str) -> str:
    """An http address for people: no user, no password, no query."""
    scheme, separator, rest = address.rpartition("://")
    authority, slash, path = rest.partition("/")
    host = authority.rpartition("@")[2].partition("?")[0]
    return f"{scheme}{separator}{host}{slash}{path.partition('?')[0]}".rstrip("/")
