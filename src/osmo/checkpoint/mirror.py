"""The plain files, which any other tool reads: they follow the newest checkpoint by copies that the server makes.

Nothing that can be restored depends on them, but for files that lie nowhere else; those are never overwritten without
a copy of what an older checkpoint still needs.
"""

from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from osmo.checkpoint.diff import is_end_marker
from osmo.checkpoint.epoch import Epoch
from osmo.checkpoint.key import key_of
from osmo.checkpoint.manifest import FileRecord
from osmo.checkpoint.names import is_own
from osmo.errors import NoCopy, NotFound, StoreError, Unavailable
from osmo.store.base import Store

Resend = Callable[[FileRecord, str], bool]


class Mirror:
    """Brings plain files up to the base of one epoch. For one thread. at_once: requests at a time."""

    def __init__(self, epoch: Epoch, at_once: int) -> None:
        self._epoch = epoch
        self._at_once = at_once
        self._preserved: set[tuple[str, str]] = set()  # (key, digest)

    def follow(self, store: Store, resend: Resend, hurried: Callable[[], bool]) -> StoreError | None:
        """Copy what is behind. What could not be copied stays in `epoch.behind`; the first reason is returned.

        resend: sends a local file to a key, if it still is what the record says; whether it was. hurried: nothing more
        is to be begun. Raises Fenced, and StoreError if the store cannot be asked who owns it.
        """
        epoch = self._epoch
        if not epoch.behind or epoch.base is None:
            return None
        epoch.check(store)
        folder = epoch.base.folder
        behind = (epoch.base.files.get(name) for name in sorted(epoch.behind))
        todo = {key_of(folder, file.name): file for file in behind if file is not None}
        # What a record says is not trusted: none of osmo's own is a plain file.
        todo = {key: file for key, file in todo.items() if file.place != key and not is_own(key)}
        of_old = self._needed_by_older(todo.keys())
        errors: list[StoreError] = []
        done: set[str] = set()

        def one(item: tuple[str, FileRecord]) -> None:
            key, file = item
            if hurried() or any(isinstance(error, Unavailable) for error in errors):
                return
            try:
                if self._bring(store, key, file, of_old.get(key, {}), resend):
                    done.add(file.name)
            except StoreError as error:
                if isinstance(error, Unavailable):
                    epoch.clear = False
                errors.append(error)

        markers = [item for item in todo.items() if is_end_marker(item[1].name)]
        self._each(one, [item for item in todo.items() if not is_end_marker(item[1].name)])
        if not errors and not hurried():  # they say that what they stand for is there
            self._each(one, markers)
        epoch.behind = {file.name for file in todo.values()} - done
        return errors[0] if errors else None

    def _each(self, work: Callable[[tuple[str, FileRecord]], None], items: list[tuple[str, FileRecord]]) -> None:
        if self._at_once == 1 or len(items) <= 1:
            for item in items:
                work(item)
            return
        with ThreadPoolExecutor(min(self._at_once, len(items)), thread_name_prefix="mirror") as threads:
            list(threads.map(work, items))

    def _bring(self, store: Store, key: str, file: FileRecord, of_old: dict[str, int], resend: Resend) -> bool:
        """Whether the plain file is that of the record now. Raises StoreError."""
        try:
            for digest, size in of_old.items():
                self._preserve(store, key, digest, size)
        except NoCopy:  # then it stays until no kept checkpoint needs what lies there
            return False
        self._epoch.names.take((key,))
        try:
            store.copy(file.place, key, file.size)
        except NoCopy:
            return resend(file, key)
        return True

    def _preserve(self, store: Store, key: str, digest: str, size: int) -> None:
        """Copy what lies at the key away. It need not be what an older checkpoint wants: digests tell, at a restore."""
        if (key, digest) not in self._preserved:
            name = self._epoch.names.old(digest, self._epoch.number)
            with suppress(NotFound):
                store.copy(key, name, size)
                self._check(store, name)
            self._preserved.add((key, digest))

    def _check(self, store: Store, name: str) -> None:
        """What is about to be overwritten is there a second time: an answer alone has been wrong before."""
        try:
            store.head(name)
        except NotFound as error:
            raise Unavailable(f"{name}: not there after its copy") from error

    def _needed_by_older(self, keys: Set[str]) -> dict[str, dict[str, int]]:
        """By plain file: the contents (digest to size) that older kept checkpoints have nowhere else."""
        needed: dict[str, dict[str, int]] = {}
        for checkpoint in self._epoch.kept[:-1]:
            for file in checkpoint.files.table.at(keys):
                needed.setdefault(file.place, {})[file.digest] = file.size
        return needed
