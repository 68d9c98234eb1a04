"""Urls of data stores: what may be written in a spec."""

import difflib
import re
from typing import Final

from osmo.spec.problem import shown

ACCEPTED: Final = "s3://bucket/path, file:///absolute/path"
_NOT_YET: Final = ("gs", "azure", "swift", "tos")
_SCHEMES: Final = ("s3", "file")
# OSMO refuses `,`, `;` and `*`; `?` and `#` begin a query or a fragment for other tools.
_REFUSED: Final = re.compile(r"[,;*?#]")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def checked(url: str) -> str:
    """The url without trailing slashes. Raises `ValueError` with a message for the user.

    Nothing is decoded: `%20` is three characters. Credentials in a url are never repeated in the message.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise ValueError(f"{_without_secret(url)} is not a data-store url (accepted: {ACCEPTED})")
    _check_scheme(scheme)
    authority = rest.split("/", 1)[0]
    if "@" in authority:
        raise ValueError("a url holds no credentials: set them in the environment or in ~/.aws")
    if bad := _REFUSED.search(rest):
        raise ValueError(f"{shown(url)}: {bad[0]!r} cannot be part of a data-store url")
    if not url.isprintable() or url != url.strip():
        raise ValueError(f"{shown(url)}: a url holds no control characters and neither begins nor ends with a space")
    path = _bucket(url, authority, rest) if scheme == "s3" else _absolute(url, rest)
    segments = path.rstrip("/").split("/")[1:]
    if any(segment in ("", ".", "..") for segment in segments):
        raise ValueError(f"{shown(url)}: an empty, '.' or '..' segment cannot be part of a data-store url")
    return url.rstrip("/")


def directory(url: str) -> str | None:
    """The directory that a checked `file://` url means; None for any other url."""
    return url.removeprefix("file://") if url.startswith("file://") else None


def _check_scheme(scheme: str) -> None:
    if scheme in _NOT_YET:
        raise ValueError(f"{scheme}:// is not supported yet (accepted: {ACCEPTED})")
    if scheme not in _SCHEMES:
        near = difflib.get_close_matches(scheme.lower(), _SCHEMES, n=1)
        hint = f"did you mean {near[0]}://?" if near else f"accepted: {ACCEPTED}"
        raise ValueError(f"{shown(scheme + '://')} is an unknown scheme ({hint})")


def _bucket(url: str, bucket: str, rest: str) -> str:
    if not bucket:
        raise ValueError(f"{shown(url)} names no bucket (accepted: {ACCEPTED})")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(f"{shown(bucket)} cannot be the name of a bucket")
    return rest.removeprefix(bucket)


def _absolute(url: str, rest: str) -> str:
    if not rest.startswith("/"):
        raise ValueError(f"{shown(url)}: file:// needs an absolute path, with three slashes: file:///absolute/path")
    if not rest.strip("/"):
        raise ValueError(f"{shown(url)} names no directory")
    return rest


def _without_secret(url: str) -> str:
    return "this text" if "@" in url else shown(url)
