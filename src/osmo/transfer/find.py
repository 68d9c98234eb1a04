"""What lies at a url: all that is beneath it, or the one object that it is."""

from collections.abc import Callable

from osmo.errors import NotFound, StoreError
from osmo.store.base import Object, Store
from osmo.transfer.names import Takes, wanted


def find(url: str, open_it: Callable[[str], Store], takes: Takes, *, own: bool = False) -> tuple[Store, list[Object]]:
    """The store, and what is wanted of it. A url that is one object itself is a store of its folder, and that object.

    own: osmo's own records, too. Raises StoreError.
    """
    store = open_it(url)
    found = wanted(store.list(""), takes, own=own)
    parent, _, name = url.rpartition("/")
    if found or parent.endswith(("/", ":")) or "://" not in parent:
        return store, found
    try:
        above = open_it(parent)
    except StoreError:  # a bucket has nothing above it
        return store, found
    try:
        return above, [above.head(name)] if takes(name) else []
    except NotFound:
        return store, []
