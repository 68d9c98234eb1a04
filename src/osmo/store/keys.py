"""Which keys can be written: each is stored byte for byte as given, or refused."""

import re

from osmo.errors import StoreError

_LONGEST = 1024  # bytes of a whole key, S3's limit
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BEFORE_THE_PATH = {"azure": 2, "tos": 2, "swift": 3}  # account, endpoint, bucket: how many names; else 1


def room(url: str) -> int:
    """How many bytes a key may have at a url: in a bucket the url's own path is a part of every key."""
    scheme, _, rest = url.partition("://")
    path = "/".join(rest.split("/")[_BEFORE_THE_PATH.get(scheme, 1) :]).strip("/") if scheme != "file" else ""
    return _LONGEST - (len(path.encode()) + 1 if path else 0)


def check_key(key: str, url: str) -> str:
    """The key itself, if every store can hold it. Else `StoreError`.

    Refused: control characters (C0, DEL), an empty segment (so also a slash at an end), `.` and `..`, and what is
    not UTF-8. Anything else (`#`, `%`, `?`, `*`, `\\`, `~`, blanks, any language) is the S3 key as it stands: obstore
    escapes it in the request only.
    """
    problem = _problem(key) or (
        "Azure takes a backslash for a slash" if url.startswith("azure:") and "\\" in key else ""
    )
    if problem:
        raise StoreError(f"{url}: the key {key!r} cannot be stored: {problem}")
    return key


def under(prefix: str, url: str) -> str:
    """A listing's prefix without its trailing slash: empty, or whole segments."""
    folder = prefix.removesuffix("/")
    return check_key(folder, url) if folder else ""


def _problem(key: str) -> str:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "it is not UTF-8"
    if size > _LONGEST:
        return f"it is longer than {_LONGEST} bytes"
    if _CONTROL.search(key):
        return "it has a control character"
    segments = key.split("/")
    if "" in segments:
        return "it has an empty segment"
    if "." in segments or ".." in segments:
        return "it has a segment `.` or `..`"
    return ""
