import pytest

from osmo.checkpoint.inventory import Inventory
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.table import Table
from osmo.checkpoint.tree import Stat
from osmo.errors import Unavailable


def saved(name: str, etag: str = "1") -> Saved:
    return Saved(Stat(1, 1, 1, 1, 1), FileRecord(name, 1, 1, 1, "d", f"key/{name}", etag))


def these(*names: str) -> Table:
    return Table.of(map(saved, names))


def send(inventory: Inventory, file: Saved) -> None:
    with inventory.sending() as draft:
        draft.put(file)


def test_what_was_sent_last_lies_in_the_store() -> None:
    inventory = Inventory()
    inventory.commit(these("a", "b"))
    send(inventory, saved("a", "2"))
    send(inventory, saved("c"))
    assert {name: one.record.etag for name, one in inventory.all.items()} == {"a": "2", "b": "1", "c": "1"}
    assert inventory.committed.keys() == {"a", "b"}
    inventory.commit(Table.of([saved("a", "2")]))
    assert inventory.all is inventory.committed


def test_a_file_that_is_forgotten_is_so_in_every_form() -> None:
    inventory = Inventory()
    inventory.commit(these("a", "b"))
    send(inventory, saved("a", "2"))
    inventory.forget({"a", "never"})
    assert inventory.all.keys() == {"b"}


def test_what_was_given_out_does_not_change() -> None:
    inventory = Inventory()
    inventory.commit(these("a"))
    before = inventory.all
    inventory.forget({"a"})
    send(inventory, saved("b"))
    assert before.keys() == {"a"}


def test_what_was_sent_before_an_error_lies_in_the_store_too() -> None:
    inventory = Inventory()

    def fail() -> None:
        with inventory.sending() as draft:
            draft.put(saved("a"))
            assert not inventory.all
            raise Unavailable("no answer")

    with pytest.raises(Unavailable):
        fail()
    assert inventory.all.keys() == {"a"}


def test_the_store_is_right_about_what_it_has() -> None:
    inventory = Inventory()
    inventory.commit(these(*"abc"))
    send(inventory, saved("d"))
    inventory.compare({"key/a": "1", "key/b": "other", "key/x": "1"})
    assert inventory.all.keys() == {"a"}
