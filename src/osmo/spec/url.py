"""Urls of data stores: what may be written in a spec."""

import difflib
import re
from typing import Final

from osmo.spec.problem import shown

_FORMS: Final = {
    "s3": "s3://bucket/path",
    "gs": "gs://bucket/path",
    "azure": "azure://account/container/path",
    "swift": "swift://endpoint/AUTH_namespace/container/path",
    "tos": "tos://endpoint/bucket/path",
    "file": "file:///absolute/path",
}
ACCEPTED: Final = ", ".join(_FORMS.values())
# OSMO refuses `,`, `;` and `*`; `?` and `#` begin a query or a fragment for other tools.
_REFUSED: Final = re.compile(r"[,;*?#]")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ACCOUNT: Final = re.compile(r"[a-z0-9]+")
_ENDPOINT: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?")
_NAMESPACE: Final = re.compile(r"AUTH_[A-Za-z0-9._:%-]+")
# What stands before the path, in the order of the url.
_NAMES: Final = {
    "s3": (("bucket", _BUCKET),),
    "gs": (("bucket", _BUCKET),),
    "azure": (("storage account", _ACCOUNT), ("container", _BUCKET)),
    "swift": (("endpoint", _ENDPOINT), ("namespace", _NAMESPACE), ("container", _BUCKET)),
    "tos": (("endpoint", _ENDPOINT), ("bucket", _BUCKET)),
}


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
        raise ValueError("a url holds no credentials: `osmo credential set` keeps them")
    if bad := _REFUSED.search(rest):
        raise ValueError(f"{shown(url)}: {bad[0]!r} cannot be part of a data-store url")
    if not url.isprintable() or url != url.strip():
        raise ValueError(f"{shown(url)}: a url holds no control characters and neither begins nor ends with a space")
    path = _absolute(url, rest)[1:] if scheme == "file" else _after_names(url, scheme, rest)
    segments = path.rstrip("/").split("/") if path.rstrip("/") else ()
    if any(segment in ("", ".", "..") for segment in segments):
        raise ValueError(f"{shown(url)}: an empty, '.' or '..' segment cannot be part of a data-store url")
    return url.rstrip("/")


def directory(url: str) -> str | None:
    """The directory that a checked `file://` url means; None for any other url."""
    return url.removeprefix("file://") if url.startswith("file://") else None


def _check_scheme(scheme: str) -> None:
    if scheme not in _FORMS:
        near = difflib.get_close_matches(scheme.lower(), _FORMS, n=1)
        hint = f"did you mean {near[0]}://?" if near else f"accepted: {ACCEPTED}"
        raise ValueError(f"{shown(scheme + '://')} is an unknown scheme ({hint})")


def _after_names(url: str, scheme: str, rest: str) -> str:
    """The path behind the bucket, and behind what stands before the bucket."""
    *names, path = (
        rest.split("/", len(_NAMES[scheme])) if rest.count("/") >= len(_NAMES[scheme]) else (*rest.split("/"), "")
    )
    for number, (what, form) in enumerate(_NAMES[scheme]):
        name = names[number] if number < len(names) else ""
        if not name:
            raise ValueError(f"{shown(url)} names no {what} (accepted: {_FORMS[scheme] if number else ACCEPTED})")
        if not form.fullmatch(name):
            article = "an" if what[0] in "aeiou" else "a"
            begins = ": it begins with AUTH_" if what == "namespace" else ""
            raise ValueError(f"{shown(name)} cannot be the name of {article} {what}{begins}")
    return path


def _absolute(url: str, rest: str) -> str:
    if not rest.startswith("/"):
        raise ValueError(f"{shown(url)}: file:// needs an absolute path, with three slashes: file:///absolute/path")
    if not rest.strip("/"):
        raise ValueError(f"{shown(url)} names no directory")
    return rest


def _without_secret(url: str) -> str:
    return "this text" if "@" in url else shown(url)
