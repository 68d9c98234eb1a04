from collections.abc import Callable

import pytest

from osmo.errors import AccessDenied, NoBucket, NoCopy
from osmo.store.base import Store
from osmo.store.capabilities import Access, capabilities, enough
from support.memory import MemoryStore
from support.stores import Flaky, Overwriting, Recording, Request, Wrapper


def answers(store: Store, access: Access | None = None) -> dict[str, bool | None]:
    return {found.what: found.able for found in capabilities(store, access)}


ALL = {"list": True, "write": True, "read": True, "create-only": True, "copy": True, "versioning": None, "delete": True}


def test_a_store_that_can_do_all_of_it() -> None:
    store = MemoryStore()
    assert answers(store) == ALL
    assert store.objects == {}


def test_to_read_changes_nothing() -> None:
    store = Recording(MemoryStore())
    assert answers(store, Access.READ) == {"list": True, "read": None}
    store.inner.put("k", b"x")
    assert answers(store, Access.READ) == {"list": True, "read": True}
    assert {request.method for request in store.requests} <= {"list", "stream", "get"}


def test_a_server_that_ignores_the_condition() -> None:
    assert answers(Overwriting(MemoryStore())) == {**ALL, "create-only": False}


class NoCopies(Wrapper):
    def copy(self, source: str, key: str, size: int) -> None:
        raise NoCopy("no")


def test_a_server_that_copies_nothing() -> None:
    assert answers(NoCopies(MemoryStore())) == {**ALL, "copy": False}


def refusing(*methods: str) -> Store:
    return Flaky(MemoryStore(), 99, lambda request: request.method in methods, AccessDenied)


@pytest.mark.parametrize(
    ("store", "access", "want", "good"),
    [
        (refusing("put", "delete"), None, {"list": True, "write": False, "read": None}, False),
        (refusing("put", "delete"), Access.READ, {"list": True, "read": None}, True),
        (refusing("delete"), None, {**ALL, "delete": False}, True),
        (refusing("delete"), Access.WRITE, {"list": True, "write": True, "read": True}, True),
        (refusing("delete"), Access.DELETE, {"list": True, "write": True, "read": True, "delete": False}, False),
        (refusing("get"), Access.WRITE, {"list": True, "write": True, "read": False}, False),
        (refusing("list"), Access.READ, {"list": False, "read": False}, False),
    ],
)
def test_what_is_refused(store: Store, access: Access | None, want: dict[str, bool | None], good: bool) -> None:
    found = list(capabilities(store, access))
    assert {each.what: each.able for each in found if each.what in want} == want
    assert enough(found, access) is good
    assert all(isinstance(each.error, AccessDenied) for each in found if each.able is False)


def test_without_a_bucket_nothing_else_is_asked() -> None:
    store = Recording(Flaky(MemoryStore(), 99, error=NoBucket))
    with pytest.raises(NoBucket):
        answers(store)
    assert len(store.requests) == 1


def test_what_was_written_goes_also_if_the_rest_fails() -> None:
    class Ends(Exception):
        pass

    def ending(request: Request) -> None:
        if request.method == "copy":
            raise Ends

    memory = MemoryStore()
    with pytest.raises(Ends):
        answers(Recording(memory, ending))
    assert memory.objects == {}


def test_every_answer_has_a_meaning() -> None:
    stores: list[Callable[[], Store]] = [
        MemoryStore,
        lambda: NoCopies(MemoryStore()),
        lambda: refusing("put", "get", "list"),
    ]
    for store in stores:
        assert all(found.means for found in capabilities(store()))
