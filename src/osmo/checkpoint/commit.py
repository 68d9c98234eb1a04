"""The commit: one create-only write, after everything that it names is in the store."""

from osmo.checkpoint.manifest import log_key, log_number, log_prefix
from osmo.errors import AlreadyExists, NotFound, StoreError
from osmo.store.base import Store


class Taken(StoreError):
    """Another writer made the record of this number."""


def newest_number(store: Store, stream: str) -> int:
    """The highest number in the stream's log, 0 if it is empty."""
    numbers = (log_number(found.key) for found in store.list(log_prefix(stream)))
    return max((number for number in numbers if number is not None), default=0)


def commit(store: Store, stream: str, number: int, body: bytes) -> None:
    """Record `body` under `number`. The checkpoint exists once this returns.

    Raises Taken if the number is somebody else's. After any other StoreError the outcome is unknown: call it again with
    the same bytes, and offer no others for this number, until it returns or raises Taken.
    """
    key = log_key(stream, number)
    try:
        store.put_new(key, body)
    except AlreadyExists:  # ours, if an earlier answer was lost
        try:
            theirs = store.get(key)
        except NotFound as error:
            raise StoreError(f"{key} is there and is not: the store contradicts itself") from error
        if theirs != body:
            raise Taken(f"{key} was written by somebody else") from None
