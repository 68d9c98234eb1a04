"""The checkpoints that a url holds, with no run around them."""

from collections.abc import Iterator
from dataclasses import dataclass

from osmo.checkpoint.key import CONTROL
from osmo.checkpoint.manifest import Checkpoint, decode, log_number
from osmo.errors import NotFound, StoreError, UsageError
from osmo.store.base import Store


@dataclass(frozen=True, slots=True)
class Place:
    """Where the record of one checkpoint lies."""

    stream: str
    number: int
    key: str


def places(store: Store) -> list[Place]:
    """All records at a url, by stream and number."""
    return sorted(_places(store), key=lambda place: (place.stream, place.number))


def read(store: Store, place: Place) -> Checkpoint:
    """The record at a place. Raises StoreError if it is none, or of a newer format."""
    try:
        return decode(store.get(place.key))
    except NotFound as error:
        raise StoreError(f"checkpoint {place.number} of {place.stream} was removed meanwhile") from error
    except StoreError as error:
        raise type(error)(f"{store.url}/{place.key}: {error}", hint=error.hint) from error


def find(store: Store, stream: str | None, number: int | None) -> Place:
    """The record of checkpoint `number` (None: the newest) of `stream` (None: the only one there is).

    Raises UsageError, which says what there is, if that is not one.
    """
    found = places(store)
    streams = sorted({place.stream for place in found})
    if not streams:
        raise UsageError(f"{store.url}: there is no checkpoint", hint="Is it the url that the spec says?")
    if stream is None and len(streams) > 1:
        raise UsageError(f"{store.url} holds checkpoints of {', '.join(streams)}", hint="Choose with --from STREAM.")
    stream = stream or streams[0]
    if stream not in streams:
        raise UsageError(f"{store.url}: there is no checkpoint of {stream} (there is {', '.join(streams)})")
    of_stream = [place for place in found if place.stream == stream]
    if number is None:
        return of_stream[-1]
    for place in of_stream:
        if place.number == number:
            return place
    raise UsageError(
        f"{store.url}: there is no checkpoint {number} of {stream} "
        f"(there are {of_stream[0].number} to {of_stream[-1].number})"
    )


def _places(store: Store) -> Iterator[Place]:
    for found in store.list(CONTROL):
        parts = found.key.split("/")  # .osmo/<stream>/log/<number>.json
        number = log_number(found.key)
        if len(parts) == 4 and parts[2] == "log" and number is not None:
            yield Place(parts[1], number, found.key)
