"""One writer's ownership of a stream: begun by a claim, ended by a close or by the next claim.

The records of a stream are one sequence that is only written create-only. So the commit is itself the fence: the number
that a writer needs is gone as soon as somebody else has claimed the stream.
"""

import random
import threading
from dataclasses import dataclass, replace
from datetime import datetime

from osmo.checkpoint import log
from osmo.checkpoint.decoding import decode
from osmo.checkpoint.encoding import encode
from osmo.checkpoint.manifest import Checkpoint, Claim, Close, Mark, Record, Writer
from osmo.checkpoint.names import Names, is_own
from osmo.checkpoint.neighbours import SILENT_S, closed_well, quiet, shares, streams
from osmo.checkpoint.room import fetch
from osmo.checkpoint.schedule import PAUSES_S
from osmo.checkpoint.table import EMPTY, Files, Table, Unread
from osmo.clock import Clock
from osmo.errors import AlreadyExists, NotFound, StoreError, Unavailable
from osmo.store.base import Store

_CLAIMS = 20  # tries, of which each but the last lost against another claim


class Fenced(StoreError):
    """The stream belongs to another writer now. `by`: to whom."""

    def __init__(self, by: Writer) -> None:
        super().__init__(f"fenced by {by}")
        self.by = by


@dataclass(frozen=True, slots=True)
class Place:
    """Which stream a writer is to own, and how. prefix: the first segment of every key of its plain files, empty if
    they lie at the url itself. shared: other streams are known to write there, too. keep: how many checkpoints stay
    restorable. at_once: requests at a time."""

    stream: str
    prefix: str
    shared: bool = False
    keep: int = 1
    at_once: int = 16


@dataclass(frozen=True, slots=True)
class _Offer:
    """A record that was sent, or is about to be, and whose outcome is not known yet. begun_s: since when."""

    key: str
    record: Record
    body: bytes
    begun_s: float


class Epoch:
    """What a writer knows from its claim on. For one thread, but for `names`.

    base: the newest checkpoint. kept: those that stay restorable, oldest first. dropped: those that did until the last
    commit. behind: the files of the base whose plain file may be older. clear: every request that wrote got an answer,
    as far as this knows.
    """

    def __init__(self, place: Place, writer: Writer, clock: Clock, reader: log.Reader, *, exclusive: bool) -> None:
        self.place = place
        self.writer = writer
        self.exclusive = exclusive
        self.epoch = self.number = 0
        self.base: Checkpoint | None = None
        self.former: Writer | None = None  # who owned the stream before, and did not close it
        self.kept: list[Checkpoint] = []
        self.dropped: list[Checkpoint] = []
        self.behind: set[str] = set()
        self.unread: dict[Mark, StoreError] = {}  # checkpoints of which nobody knows what they name, and why
        self.clear = True
        self.names = Names(place.stream, 0)
        self._clock = clock
        self._reader = reader
        self._offer: _Offer | None = None
        self._streams: tuple[str, ...] = ()
        self._shares = False
        self._heard_s = 0.0  # when the youngest of its records was begun
        self._never = threading.Event()

    @property
    def next_mark(self) -> Mark:
        return Mark(self.epoch, self.number + 1)

    def will_be_behind(self, table: Table) -> tuple[str, ...]:
        """The names among these files whose plain file will be older, once they are the base."""
        known = self.base.files.table if self.base is not None else EMPTY
        found = {name for name in self.behind if is_own(_place(table, name))}
        for name in table.differs(known):
            if not table.is_plain(name):  # as almost all are, of a million in the first
                place = _place(table, name)
                if is_own(place) and place != _place(known, name):
                    found.add(name)
        return tuple(sorted(found))

    def commit(self, store: Store, checkpoint: Checkpoint) -> None:
        """Write the record; it is the base once this returns. checkpoint: of `next_mark`.

        Raises Fenced. After any other StoreError its outcome is open: `settle`, and nothing else, may follow.
        """
        self._make(store, checkpoint)

    def settle(self, store: Store) -> bool:
        """Find out how the last commit ended, by offering the same bytes again. Whether there was one open, which is
        the base now. Raises StoreError if that is still not known; Fenced if its number went to somebody else."""
        if self._offer is None:
            return False
        self._insist(store, self._offer)
        return True

    def close(self, store: Store) -> None:
        """End the epoch. Says nothing to the store if some request may still be on its way."""
        if self.clear and self._offer is None:
            alone, behind = self.names.alone, tuple(sorted(self.behind))
            made = self._clock.now()
            close = Close(self.next_mark, self.writer, self.place.prefix, alone, made, behind)
            self._make(store, close, pauses_s=())  # whoever comes next can do without it

    def check(self, store: Store) -> None:
        """Raises Fenced if somebody else has claimed the stream since."""
        open_key = self._offer.key if self._offer is not None else ""  # one's own, if it got through
        slots = log.slots(store, self.place.stream)
        above = [slot for slot in slots if slot.key != open_key and self._may_be_above(slot)]
        for slot in sorted(above, key=lambda slot: slot.number):  # the first is a claim, and claims are never removed
            record = log.read(store, slot)
            if record.mark.epoch > self.epoch:
                raise Fenced(record.writer)
        if open_key and not self.exclusive and all(slot.key != open_key for slot in slots):
            raise Unavailable(f"{store.url}/{open_key}: written, and not listed")

    def claim(self, store: Store) -> None:
        """Take the stream over. Raises StoreError."""
        tries: list[Claim] = []
        for tried in range(_CLAIMS):
            if tried > 1:
                self._clock.wait(self._never, random.random())
            listed = self._reader.all(store)
            records = list(listed.values())
            # One that was kept out once need not be next time: a number alone is trusted where it always was enough.
            self.exclusive = self.exclusive and all(map(log.is_exclusive, listed))
            self.epoch = max((record.mark.epoch for record in records), default=0) + 1
            self.number = max((record.mark.number for record in records), default=0)
            alone = not self.place.shared and closed_well(records)
            base = max((each.mark for each in log.checkpoints(records)), default=None)
            claim = Claim(self.next_mark, self.writer, self.place.prefix, alone, self._clock.now(), base)
            tries.append(claim)
            try:
                self._make(store, claim)
            except Fenced:  # somebody claims at the same time
                continue
            found = self._reader.all(store)
            if self._counts(claim, list(found.values())):
                self._begin(store, tries, found)
                return
        where = f"{store.url}/{log.folder(self.place.stream, 'log')}"
        raise StoreError(f"{where}: the store does not list all that it holds, or many writers begin at once")

    def _counts(self, claim: Claim, records: list[Record]) -> bool:
        """Whether nothing stands above the claim: its number might be one that a tidy had freed. A listing without the
        claim itself says nothing."""
        if claim not in records:
            return False
        if self.exclusive:
            return all(record.mark.number <= claim.mark.number for record in records)
        return all(record.mark.epoch < self.epoch or record.writer.id == self.writer.id for record in records)

    def _begin(self, store: Store, tries: list[Claim], records: dict[str, Record]) -> None:
        """tries: the claims of this call. The last one counts; one before it is nobody's end."""
        claim = tries[-1]
        before = [record for record in records.values() if record.mark < claim.mark and record not in tries]
        if before and not isinstance(before[-1], Close):
            self.former = before[-1].writer
        self.kept = [self._known(each) for each in log.kept(records.values(), self.place.keep)]
        self.base = self.kept[-1] if self.kept else None
        if self.base is not None:
            last = before[-1]
            self.behind = set(last.behind if isinstance(last, Close) else self.base.behind)
        self.names = Names(self.place.stream, self.epoch)
        self.names.fresh = lambda: self._clock.elapsed() - self._heard_s < SILENT_S
        self.names.alone = (
            not self.place.shared
            and (claim.alone or quiet(records, self._written(store), claim))
            and self.stays_alone(store)
        )
        if self.base is not None and not self.exclusive:  # so that what the former owner still writes counts as older
            behind = tuple(sorted(self.behind))
            self._make(store, replace(self.base, mark=self.next_mark, prev=self.base.mark, behind=behind))

    def _known(self, checkpoint: Checkpoint) -> Checkpoint:
        """One whose files cannot be read any more is no loss for whoever writes the next: that one names all of its
        own. But where the base has to be written again, it has to be known."""
        if not isinstance(checkpoint.files, Unread):
            return checkpoint
        if not self.exclusive:
            raise checkpoint.files.why
        self.unread[checkpoint.mark] = checkpoint.files.why
        return replace(checkpoint, files=Files(EMPTY), listing=None)

    def stays_alone(self, store: Store) -> bool:
        """Whether no other stream has its plain files here. Asks about each set of streams once. Raises StoreError."""
        if (found := streams(store)) != self._streams:
            self._shares = shares(store, self.place.stream, self.place.prefix, found)
            self._streams = found
        return not self._shares

    def _written(self, store: Store) -> dict[str, datetime | None]:
        return {slot.key: slot.modified for slot in log.slots(store, self.place.stream)}

    def _make(self, store: Store, record: Record, pauses_s: tuple[float, ...] = PAUSES_S) -> None:
        key = log.log_key(self.place.stream, record.mark, self.writer.id, exclusive=self.exclusive)
        self._offer = _Offer(key, record, encode(record), self._clock.elapsed())
        self._insist(store, self._offer, pauses_s)

    def _insist(self, store: Store, offer: _Offer, pauses_s: tuple[float, ...] = PAUSES_S) -> None:
        """Write the same bytes until there is an answer. A few tries; the caller may try again later."""
        for pause_s in (*pauses_s, None):
            try:
                store.put_new(offer.key, offer.body)
                break
            except AlreadyExists:  # ours, if an earlier answer was lost
                if (found := self._theirs(store, offer)) is None:
                    break
                self._offer = None
                raise Fenced(found.writer) from None
            except Unavailable:  # if it comes late: these bytes under this number do no harm
                if pause_s is None:
                    raise
                self._clock.wait(self._never, pause_s * (0.5 + random.random()))
        if not self.exclusive:
            self.check(store)
        self._accept(offer)

    def _theirs(self, store: Store, offer: _Offer) -> Record | None:
        """The record that lies at an offer's key; None if it is the one that was offered."""
        try:
            found = store.head(offer.key)
            body = fetch(store, offer.key, found.size)
        except NotFound as error:
            self.check(store)  # a tidy removed it: so there is a newer one
            raise StoreError(f"{offer.key} is there and is not: the store contradicts itself") from error
        return None if body == offer.body else decode(body)

    def _accept(self, offer: _Offer) -> None:
        self._offer = None
        self._heard_s = offer.begun_s
        self.number = offer.record.mark.number
        self._reader.add(offer.key, offer.record)
        if isinstance(offer.record, Checkpoint):
            before, self.base = self.kept, offer.record
            self.behind = set(offer.record.behind)
            self.kept = log.kept([*before, offer.record], self.place.keep)
            self.dropped = [each for each in before if each not in self.kept]

    def _may_be_above(self, slot: log.Slot) -> bool:
        """By its name, which has an epoch where its writer found that create-only does not hold."""
        return slot.number > self.number if slot.epoch is None else slot.epoch > self.epoch


def _place(table: Table, name: str) -> str:
    """Where the file's bytes are, empty if there is none of that name."""
    record = table.record(name)
    return "" if record is None else record.place
