"""The rules of the protocol, taken out of our own code one at a time: to show that the simulation sees it."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from osmo.checkpoint import archive, diff, epoch, listing, log, mirror, names, sender, tidy, upload
from osmo.checkpoint.key import key_of
from osmo.checkpoint.manifest import Claim, Close, Mark
from osmo.store.base import Store
from support.orders import OBJECTS, OLD
from support.stores import Wrapper

Patch = pytest.MonkeyPatch
Remove = Callable[[Patch], None]


class Overwriting(Wrapper):
    def put_new(self, key: str, body: bytes) -> str:
        return self.inner.put(key, body)


def during(patch: Patch, owner: type, name: str, change: Callable[[Any], None], back: Callable[[Any], None]) -> None:
    """While this method runs, its object is changed."""
    real = getattr(owner, name)

    def changed(self: Any, *args: Any, **kwargs: Any) -> Any:
        change(self)
        try:
            return real(self, *args, **kwargs)
        finally:
            back(self)

    patch.setattr(owner, name, changed)


def every_writer_is_alone(patch: Patch) -> None:
    patch.setattr(epoch, "closed_well", lambda records: True)


def alone_is_who_follows_a_close(patch: Patch) -> None:
    patch.setattr(epoch, "closed_well", lambda records: not records or isinstance(records[-1], Close))


def a_name_for_each_cycle(patch: Patch) -> None:
    during(patch, sender.Sender, "_uploader", lambda s: setattr(s._archive.epoch.names, "_count", 0), lambda s: None)


def objects_are_named_by_their_content(patch: Patch) -> None:
    real = upload.Uploader._send

    def send(self: upload.Uploader, file: Any, known: Any) -> Any:
        digest = self._digest(file)

        def name(number: int) -> str:
            self.names._given.append(f"{OBJECTS}{digest}")
            return f"{OBJECTS}{digest}"

        by_content = SimpleNamespace(takes_directly=self.names.takes_directly, release=self.names.release, object=name)
        return real(replace(self, names=by_content), file, known)  # type: ignore[arg-type]

    patch.setattr(upload.Uploader, "_send", send)


def names_do_not_tell_the_epoch(patch: Patch) -> None:
    during(patch, names.Names, "_unique", lambda n: setattr(n, "_epoch", 1), lambda n: None)


def tidy_reads_the_log_first(patch: Patch) -> None:
    real = tidy.find

    def find(store: Store, reader: log.Reader, keep: int, **spare: bool) -> tidy.Garbage:
        records = reader.all(store)
        return real(store, SimpleNamespace(stream=reader.stream, all=lambda _: records), keep, **spare)  # type: ignore[arg-type]

    patch.setattr(tidy, "find", find)


def tidy_takes_what_is_newer(patch: Patch) -> None:
    patch.setattr(tidy, "mark_of", lambda key: Mark(0, 0))


def tidy_takes_claims(patch: Patch) -> None:
    patch.setattr(tidy, "Close", Close | Claim)


def tidy_does_not_mind_a_takeover(patch: Patch) -> None:
    patch.setattr(log, "is_exclusive", lambda key: True)


def a_claim_counts_at_once(patch: Patch) -> None:
    patch.setattr(epoch.Epoch, "_counts", lambda *_: True)


def records_are_overwritten(patch: Patch) -> None:
    real = epoch.Epoch._insist
    patch.setattr(epoch.Epoch, "_insist", lambda self, store, *rest: real(self, Overwriting(store), *rest))


def other_bytes_for_an_open_number(patch: Patch) -> None:
    def settle(self: epoch.Epoch, store: Store) -> bool:
        self._offer = None
        return False

    patch.setattr(epoch.Epoch, "settle", settle)


def tidy_does_not_know_of_listings(patch: Patch) -> None:
    patch.setattr(tidy, "_objects", lambda checkpoint: checkpoint.files.table.objects())


def listings_have_one_name(patch: Patch) -> None:
    real, name = listing.write, f"{OBJECTS}00000001-00000001-0"
    patch.setattr(listing, "write", lambda store, _place, table: real(store, name, table))


def a_listing_is_sent_after_the_record(patch: Patch) -> None:
    class Later(Wrapper):
        def put(self, key: str, body: bytes) -> str:
            waiting.append((key, body))
            return "etag"

    waiting: list[tuple[str, bytes]] = []
    write, commit = listing.write, archive.Archive.commit
    patch.setattr(listing, "write", lambda store, place, table: write(Later(store), place, table))

    def late(self: archive.Archive, checkpoint: Any) -> None:
        mine, waiting[:] = waiting.copy(), []
        commit(self, checkpoint)
        for key, body in mine:
            self.store.put(key, body)

    patch.setattr(archive.Archive, "commit", late)


def a_listing_that_the_base_does_not_name_is_built_upon(patch: Patch) -> None:
    def follows(self: archive.Archive, table: Any, *, urgent: bool) -> Any:
        base = self.base.listing if self.base is not None else None
        older = [each.listing for each in self.epoch.kept if each.listing is not None]
        return next((each for each in older if base is not None and each.place != base.place), None) or real(
            self, table, urgent=urgent
        )

    real = archive.Archive._listing
    patch.setattr(archive.Archive, "_listing", follows)


def plain_files_before_the_commit(patch: Patch) -> None:
    real = upload.Uploader._send

    def send(self: upload.Uploader, file: Any, known: Any) -> Any:
        saved = real(self, file, known)
        self._put(file, key_of(self.prefix, file.name))
        return saved

    patch.setattr(upload.Uploader, "_send", send)


def nothing_is_copied_away(patch: Patch) -> None:
    patch.setattr(mirror.Mirror, "_preserve", lambda *_: None)


def old_ones_have_one_name(patch: Patch) -> None:
    patch.setattr(names.Names, "old", lambda self, digest, number: f"{OLD}/{digest}.x")


def old_ones_have_one_name_for_all_tries(patch: Patch) -> None:
    patch.setattr(names.Names, "old", lambda self, digest, number: f"{OLD}/{digest}.{number:08}-{self._epoch:08}-0")


def content_of_any_kept_checkpoint_is_named_again(patch: Patch) -> None:
    real = sender.Sender._uploader

    def uploader(self: sender.Sender, meter: Any, files: Any) -> upload.Uploader:
        records = [file for checkpoint in self._archive.epoch.kept for file in checkpoint.files]
        return replace(real(self, meter, files), same_size=diff.by_size(records, files.values()))

    patch.setattr(sender.Sender, "_uploader", uploader)


def a_copy_is_not_looked_at(patch: Patch) -> None:
    real = upload.Uploader._reached

    def reached(self: upload.Uploader, twin: Any, name: str) -> Any:
        class Trusting(Wrapper):
            def head(self, key: str) -> Any:
                return SimpleNamespace(etag=twin.etag) if key == twin.place else self.inner.head(key)

        return real(replace(self, store=Trusting(self.store)), twin, name)

    patch.setattr(upload.Uploader, "_reached", reached)


def another_files_key_is_named(patch: Patch) -> None:
    patch.setattr(upload.Uploader, "_reached", lambda self, twin, name: (twin.place, twin.etag))


def it_is_closed_anyway(patch: Patch) -> None:
    during(patch, epoch.Epoch, "close", lambda e: setattr(e, "clear", True), lambda e: None)


def a_key_is_written_directly_again(patch: Patch) -> None:
    patch.setattr(names.Names, "takes_directly", lambda self, key: self.alone and key not in self._taken)


def nobody_looks_what_is_there(patch: Patch) -> None:
    patch.setattr(archive.Archive, "look_around", lambda *_, **__: None)


def what_the_mirror_wrote_is_not_noted(patch: Patch) -> None:
    during(
        patch,
        mirror.Mirror,
        "_bring",
        lambda m: setattr(m._epoch.names, "take", lambda keys: None),
        lambda m: delattr(m._epoch.names, "take"),
    )


def the_base_is_not_written_again(patch: Patch) -> None:
    was: list[bool] = []

    def change(self: epoch.Epoch) -> None:
        was.append(self.exclusive)
        self.exclusive = True

    during(patch, epoch.Epoch, "_begin", change, lambda e: setattr(e, "exclusive", was.pop()))


def nobody_lists_after_a_commit(patch: Patch) -> None:
    during(
        patch,
        epoch.Epoch,
        "_insist",
        lambda e: setattr(e, "check", lambda store: None),
        lambda e: delattr(e, "check"),
    )
