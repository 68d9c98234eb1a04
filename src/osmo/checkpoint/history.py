"""The checkpoints that a url holds, with no run around them."""

from osmo.checkpoint import log
from osmo.checkpoint.key import CONTROL, of_stream
from osmo.checkpoint.manifest import Checkpoint
from osmo.errors import NoRecord, UsageError
from osmo.store.base import Store

_AT_ONCE = 16


def streams(store: Store) -> tuple[str, ...]:
    """The streams at a url that have records, by name, as their keys have it."""
    return tuple(name for name in store.folders(CONTROL) if log.slots(store, name))


def checkpoints(store: Store, stream: str, passed_over: list[NoRecord] | None = None) -> list[Checkpoint]:
    """All checkpoints of a stream that are still there, and count, oldest first, each number once.

    Raises StoreError, also for a record of a newer format. passed_over: gets damaged records, instead of an error.
    """
    found = log.counted(log.checkpoints(log.Reader(stream, _AT_ONCE).all(store, passed_over).values()))
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
    if stream is not None and of_stream(stream) not in found:
        raise UsageError(f"{store.url}: there is no checkpoint of {stream} (there are those of {', '.join(found)})")
    return found[0] if stream is None else of_stream(stream)


def find(store: Store, stream: str | None, number: int | None) -> tuple[str, Checkpoint]:
    """A stream, as `choose` says, and its checkpoint of that number (None: the newest). Raises UsageError likewise;
    NoRecord if a record is damaged, which may be that of the newest, or of the one that was asked for."""
    name = choose(store, stream)
    damaged: list[NoRecord] | None = None if number is None else []
    found = checkpoints(store, name, damaged)
    if not found and not damaged:
        raise UsageError(f"{store.url}: there is no checkpoint of {name} yet")
    for checkpoint in reversed(found):
        if number in (None, checkpoint.number):
            return name, checkpoint
    if damaged:
        raise damaged[0]
    numbers = ", ".join(str(each.number) for each in found)
    raise UsageError(f"{store.url}: there is no checkpoint {number} of {name} (it has {numbers})")
