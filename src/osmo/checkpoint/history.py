"""The checkpoints that a url holds, with no run around them."""

from osmo.checkpoint import log
from osmo.checkpoint.key import CONTROL, escaped
from osmo.checkpoint.manifest import Checkpoint
from osmo.errors import UsageError
from osmo.store.base import Store

_AT_ONCE = 16


def streams(store: Store) -> tuple[str, ...]:
    """The streams at a url that have records, by name, as their keys have it."""
    return tuple(name for name in store.folders(CONTROL) if log.slots(store, name))


def checkpoints(store: Store, stream: str) -> list[Checkpoint]:
    """All checkpoints of a stream that are still there, oldest first, each number once.

    Raises StoreError, also for a record of a newer format.
    """
    found = log.checkpoints(log.Reader(stream, _AT_ONCE).all(store).values())
    by_number = {checkpoint.number: checkpoint for checkpoint in found}
    return sorted(
        by_number.values(), key=lambda checkpoint: checkpoint.mark
    )  # a fenced writer may have a higher number


def choose(store: Store, stream: str | None) -> str:
    """The stream that is meant (None: the only one that holds checkpoints). Raises UsageError, which says what there
    is, if there is none, or more than one."""
    found = streams(store)
    if not found:
        raise UsageError(f"{store.url}: there is no checkpoint", hint="Is it the url that the spec says?")
    if stream is None and len(found) > 1:
        raise UsageError(f"{store.url} holds checkpoints of {', '.join(found)}", hint="Choose with --from STREAM.")
    if stream is not None and escaped(stream) not in found:
        raise UsageError(f"{store.url}: there is no checkpoint of {stream} (there is {', '.join(found)})")
    return found[0] if stream is None else escaped(stream)


def find(store: Store, stream: str | None, number: int | None) -> tuple[str, Checkpoint]:
    """A stream, as `choose` says, and its checkpoint of that number (None: the newest). Raises UsageError likewise."""
    name = choose(store, stream)
    found = checkpoints(store, name)
    if not found:
        raise UsageError(f"{store.url}: there is no checkpoint of {name} yet")
    for checkpoint in reversed(found):
        if number in (None, checkpoint.number):
            return name, checkpoint
    numbers = ", ".join(str(each.number) for each in found)
    raise UsageError(f"{store.url}: there is no checkpoint {number} of {name} (there is {numbers})")
