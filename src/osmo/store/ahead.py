"""The bytes of one object in order, some of them fetched ahead."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from osmo.errors import NoRanges
from osmo.store.base import Store

RANGE = 8 * 1024 * 1024


def pieces(store: Store, key: str, size: int, start: int, at_once: int) -> Iterator[bytes]:
    """The bytes of an object of `size` from `start` on. Raises what the store raises.

    In ranges, `at_once` of them are under way while the caller has one more; as one stream from a store that has no
    ranges.
    """
    if start == 0 and 0 < size <= RANGE:  # one request for all of it; some servers take that for no range
        yield b"".join(_in_order(store, key, size, start))
        return
    try:
        yield from _in_ranges(store, key, size, start, at_once)
    except NoRanges:  # said of the first one
        yield from _in_order(store, key, size, start)


def _in_order(store: Store, key: str, size: int, start: int) -> Iterator[bytes]:
    position = 0
    for data in store.stream(key, size):
        if position + len(data) > start:
            yield data[max(0, start - position) :]
        position += len(data)
        if position > size:
            return


def _in_ranges(store: Store, key: str, size: int, start: int, at_once: int) -> Iterator[bytes]:
    def get(offset: int) -> bytes:
        return store.get_range(key, offset, min(RANGE, size - offset))

    offsets = iter(range(start, size, RANGE))
    if at_once == 1 or size - start <= RANGE:
        yield from map(get, offsets)
        return
    with ThreadPoolExecutor(at_once, thread_name_prefix="range") as threads:
        ahead = [threads.submit(get, offset) for offset in islice(offsets, at_once)]
        while ahead:
            data = ahead.pop(0).result()
            ahead += [threads.submit(get, offset) for offset in islice(offsets, 1)]
            yield data
