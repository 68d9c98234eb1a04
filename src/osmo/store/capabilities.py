"""What a store can do, found out by doing it once under a name of its own, and what that means for checkpoints."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from osmo.errors import AccessDenied, NoBucket, NoCopy, StoreError, UnknownHost
from osmo.store.base import Store
from osmo.store.condition import PROBE

_BODY = b"written by osmo to see whether it may; it can be removed\n"
# After these nothing else would be answered otherwise.
_FATAL = (NoBucket, UnknownHost)


class Access(Enum):
    """What is to be tried."""

    READ = ("list", "read")
    WRITE = ("list", "read", "write")
    DELETE = ("list", "read", "write", "delete")


@dataclass(frozen=True, slots=True)
class Found:
    """able: None if it cannot be said. means: what it means for checkpoints, one line. error: what the store said."""

    what: str
    able: bool | None
    means: str
    error: StoreError | None = None


_MEANS = {
    ("list", True): "checkpoints are found",
    ("list", False): "no checkpoints: whoever may not list cannot say what is there",
    ("read", True): "checkpoints can be restored",
    ("read", None): "nothing lies there that could be read",
    ("read", False): "nothing can be restored",
    ("write", True): "checkpoints can be made",
    ("write", False): "no checkpoints can be made",
    ("create-only", True): "a record is never replaced by another writer's",
    ("create-only", False): "records get names that cannot meet; another writer is found by listing",
    ("copy", True): "plain files follow each checkpoint without being sent again",
    ("copy", False): "files that are overwritten are sent twice",
    ("versioning", True): "what is overwritten stays as an old version, and costs: let a lifecycle rule remove it",
    ("versioning", False): "what is overwritten costs nothing; osmo needs no versions",
    ("versioning", None): "not needed",
    ("delete", True): "old checkpoints make room",
    ("delete", False): "nothing is ever removed: old checkpoints stay, and so does the file of this check",
}


def capabilities(store: Store, access: Access | None = None) -> Iterator[Found]:
    """Try each in turn; None tries all. READ changes nothing there. Raises what keeps everything else from being
    answered, too: no such bucket or host, no answer, credentials that are wrong."""
    listed = _try("list", lambda: _list(store))
    if listed.error is not None and type(listed.error) is not AccessDenied:
        raise listed.error
    yield listed
    if access is Access.READ:
        yield _try("read", lambda: _read_anything(store))
        return
    key = f"{PROBE}{secrets.token_hex(8)}"
    copied = f"{key}-copy"
    written = _try("write", lambda: _write(store, key))
    try:
        yield written
        if not written.able:
            yield _try("read", lambda: _read_anything(store))
            return
        yield _try("read", lambda: store.get(key) == _BODY)
        if access is None:
            yield _try("create-only", store.excludes)
            yield _try("copy", lambda: _copy(store, key, copied))
            yield _try("versioning", lambda: versioned(store))
    finally:
        gone = _try("delete", lambda: _delete(store, key, copied))
    if access is not Access.WRITE:
        yield gone


def enough(found: list[Found], access: Access | None) -> bool:
    """Whether all that the access needs is there. None: what checkpoints need, and to delete is not among it."""
    needed = (access or Access.WRITE).value
    return all(each.able is not False for each in found if each.what in needed)


def versioned(store: Store) -> bool | None:
    """Whether the bucket keeps versions; None if the store cannot say."""
    ask: Callable[[], bool | None] | None = getattr(store, "versioned", None)
    return ask() if ask else None


def _try(what: str, ask: Callable[[], bool | None]) -> Found:
    error: StoreError | None = None
    able: bool | None
    try:
        able = ask()
    except _FATAL:
        raise
    except StoreError as raised:
        able, error = False, raised
        if what == "versioning":
            able = None
    return Found(what, able, _MEANS[what, able], error)


def _list(store: Store) -> bool:
    next(iter(store.list("")), None)
    return True


def _write(store: Store, key: str) -> bool:
    store.put(key, _BODY)
    return True


def _read_anything(store: Store) -> bool | None:
    """Whether the first object that lies there can be read; None if there is none."""
    found = next(iter(store.list("")), None)
    if found is None:
        return None
    next(iter(store.stream(found.key, found.size)), None)
    return True


def _copy(store: Store, key: str, copied: str) -> bool:
    with suppress(NoCopy):
        store.copy(key, copied, len(_BODY))
        return store.get(copied) == _BODY
    return False


def _delete(store: Store, *keys: str) -> bool:
    refused: AccessDenied | None = None
    for key in keys:
        try:
            store.delete(key)
        except AccessDenied as error:
            refused = error
    if refused is not None:
        raise refused
    return True
