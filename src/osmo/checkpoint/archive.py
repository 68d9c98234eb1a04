"""One stream in its store, as its writer sees it: what is there, and what may be done with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from osmo.checkpoint import listing, log, neighbours, tidy
from osmo.checkpoint.epoch import Epoch, Fenced, Place
from osmo.checkpoint.inventory import Inventory
from osmo.checkpoint.key import escaped, key_of
from osmo.checkpoint.manifest import Checkpoint, Claim, Listing, Mark, Record, Writer
from osmo.checkpoint.mirror import Mirror, Resend
from osmo.checkpoint.table import Files, Table
from osmo.checkpoint.tree import Stat
from osmo.clock import Clock
from osmo.errors import NotFound, StoreError, Unavailable
from osmo.store.base import Store

_FULL_TIDY_EVERY = 100


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known of an attempt's checkpoints: the newest number that was noted (0: none was), and how its files
    looked on this machine."""

    number: int
    stats: Mapping[str, Stat]


@dataclass(frozen=True, slots=True)
class Next:
    """What is known of the next checkpoint before it is made: see `Checkpoint`."""

    mark: Mark
    writer: Writer
    prefix: str
    alone: bool
    number: int
    prev: Mark | None
    spared: Mark | None
    files: Files
    listing: Listing | None
    behind: tuple[str, ...]


class Archive:
    """The records, objects and plain files of one stream. For one thread.

    open_store: called again after an error that new credentials might mend. earlier: what a process before this one
    left of the same attempt, if there was one. inventory: the files that need not be sent. base: the newest checkpoint.
    """

    def __init__(
        self, place: Place, writer: Writer, open_store: Callable[[], Store], clock: Clock, earlier: Earlier | None
    ) -> None:
        self.place = place
        self.writer = writer
        self.inventory = Inventory()
        self.inherited: Checkpoint | None = None  # of an earlier run; nobody goes on from it
        self._open_store = open_store
        self._clock = clock
        self._earlier = earlier
        self._store: Store | None = None
        self._reader = log.Reader(place.stream, place.at_once)
        self._epoch: Epoch | None = None
        self._mirror: Mirror | None = None
        self._listed = False  # what lies at the plain files
        self._commits = 0

    @property
    def store(self) -> Store:
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def reopen(self) -> None:
        """Open the store anew at the next request."""
        self._store = None

    @property
    def epoch(self) -> Epoch:
        assert self._epoch is not None, "not claimed yet"
        return self._epoch

    @property
    def claimed(self) -> bool:
        return self._epoch is not None

    @property
    def is_behind(self) -> bool:
        """Whether plain files are older than the base."""
        return self._epoch is not None and bool(self._epoch.behind)

    @property
    def goes_on(self) -> bool:
        """Whether a process before this one made checkpoints of the same attempt."""
        return self._earlier is not None

    @property
    def base(self) -> Checkpoint | None:
        return self.epoch.base

    @property
    def unread(self) -> StoreError | None:
        """Why it is not known what the base names: then it counts as one without files. None if it is known."""
        return self.epoch.unread.get(self.base.mark) if self.base is not None else None

    def claim(self) -> Writer | None:
        """Own the stream from now on, and learn what it holds. Returns another run that wrote there and did not say
        that it had ended. Raises StoreError, Fenced among them: it is another run's by now, or a newer attempt's."""
        if self._earlier is not None:
            self._check_heirs(list(self._reader.all(self.store).values()))
        exclusive = self.store.excludes()
        epoch = Epoch(self.place, self.writer, self._clock, self._reader, exclusive=exclusive)
        epoch.claim(self.store)
        self._epoch = epoch
        if epoch.base is not None:
            self._learn(epoch.base)
        former = epoch.former
        return former if former is not None and former.run != self.writer.run else None

    def others(self) -> list[tuple[str, Checkpoint]]:
        """If this stream holds no checkpoint, and no earlier attempt of the run began it: the others that may have been
        meant. Asked before the claim, which would look like a beginning. Raises StoreError."""
        records = self._reader.all(self.store).values()
        if log.checkpoints(records) or any(self._went_before(record.writer) for record in records):
            return []
        return neighbours.others(self.store, self.place.stream, self.place.prefix, self.writer.run)

    def restored(self, stats: Mapping[str, Stat]) -> Checkpoint:
        """The files of the base are on this machine again, and look like this: the run goes on from it."""
        self.inherited = None
        assert self.base is not None
        self.inventory.commit(_saved(self.base, stats))
        return self.base

    def _went_before(self, writer: Writer) -> bool:
        return writer.run == self.writer.run and writer.attempt < self.writer.attempt

    def settle(self) -> bool:
        """Find out how the last commit ended, if that is open. Whether it was, and the record is there."""
        return self._epoch is not None and self._epoch.settle(self.store)

    @property
    def _spared(self) -> Mark | None:
        """The checkpoint of an earlier run that has to stay."""
        if self.inherited is not None:
            return self.inherited.mark
        return self.base.spared if self.base is not None and self.base.writer.run == self.writer.run else None

    def etags(self, prefix: str, *, is_file: bool) -> dict[str, str]:
        """What is in the store now, by key: the objects, and what lies beneath `prefix`, or at it if it is a file."""
        found = {each.key: each.etag for each in self.store.list(log.folder(self.place.stream, "objects"))}
        place = escaped(prefix)
        if not is_file:
            return found | {each.key: each.etag for each in self.store.list(place.rstrip("/"))}
        try:  # a listing would go through all that others have at the url
            return found | {place: self.store.head(place).etag}
        except NotFound:
            return found

    def look_around(self, prefix: str, *, is_file: bool) -> None:
        """Before files that are new are written to their keys at once: see what lies there already, and whether
        somebody else writes there by now. Raises StoreError."""
        names = self.epoch.names
        names.alone = names.alone and self.epoch.stays_alone(self.store)
        if names.alone and not self._listed:
            names.take(self.etags(prefix, is_file=is_file))
            names.take(key_of(each.folder, name) for each in self.epoch.kept for name in each.files.table.names())
            self._listed = True

    def next(self, table: Table, *, urgent: bool) -> Next:
        """What a checkpoint of these files would be. What its record builds upon is in the store once this returns.
        urgent: nothing is sent that can wait. Raises StoreError."""
        epoch, base = self.epoch, self.base
        return Next(
            mark=epoch.next_mark,
            writer=self.writer,
            prefix=self.place.prefix,
            alone=epoch.names.alone,
            number=1 if base is None else base.number + 1,
            prev=None if base is None else base.mark,
            spared=self._spared,
            files=Files(table),
            listing=self._listing(table, urgent=urgent),
            behind=epoch.will_be_behind(table),
        )

    def _listing(self, table: Table, *, urgent: bool) -> Listing | None:
        if not listing.needed(table):
            return None
        if (found := listing.follows(self.base, table, at_any_cost=urgent)) is not None:
            return found
        place = self.epoch.names.object(self.epoch.next_mark.number)
        try:
            return listing.write(self.store, place, table)
        except Unavailable:
            self.epoch.clear = False
            raise

    def commit(self, checkpoint: Checkpoint) -> None:
        """Write the record of `epoch.next_mark`. Raises StoreError: then `settle` tells whether it is there."""
        self.epoch.commit(self.store, checkpoint)

    def follow(self, resend: Resend, hurried: Callable[[], bool]) -> StoreError | None:
        """Bring the plain files up to the base. Why that could not be done, if it could not. Raises Fenced."""
        if self._mirror is None:
            self._mirror = Mirror(self.epoch, self.place.at_once)
        try:
            return self._mirror.follow(self.store, resend, hurried)
        except Fenced:
            raise
        except StoreError as error:
            return error

    def tidy(self) -> None:
        """Remove what no kept checkpoint needs. What cannot be removed stays for the next time."""
        epoch = self.epoch
        self._commits += 1
        given = epoch.names.given()
        try:
            if self._commits % _FULL_TIDY_EVERY == 1:
                garbage = tidy.find(self.store, self._reader, self.place.keep)
                if epoch.former is not None:  # what ended well has left nothing
                    tidy.abort_uploads(self.store, self.place.stream, self.place.prefix, epoch.epoch)
            else:
                keys = tidy.after_commit(epoch.dropped, epoch.kept, given, epoch.unread)
                records = self._reader.keys_of(each.mark for each in epoch.dropped)
                garbage = tidy.Garbage(tuple(records), tuple(keys))
                self._reader.drop(records)
            tidy.remove(self.store, garbage, self.place.at_once)
        except StoreError:
            return

    def close(self) -> None:
        """Nothing more will be written. Raises StoreError."""
        if self._epoch is not None:
            self._epoch.close(self.store)

    def _learn(self, base: Checkpoint) -> None:
        """What the base names need not be sent. How its files look here is known only of our own attempt."""
        knows = self._earlier is not None and base.number == self._earlier.number
        ours = base.writer.run == self.writer.run or knows  # it noted one of another run: that was restored
        stats: Mapping[str, Stat] = {}
        if self._earlier is not None and ours and base.number >= self._earlier.number:
            stats = self._earlier.stats
            self._earlier = Earlier(self._earlier.number, {})  # a million of them, that nobody asks for again
        self.inventory.commit(_saved(base, stats))
        if not ours:
            self.inherited = base

    def _check_heirs(self, records: list[Record]) -> None:
        """A process that takes over from another one of its attempt does not take back what others claimed since."""
        claims = [record for record in records if isinstance(record, Claim)]
        mine, last = self.writer, claims[-1].writer if claims else None
        if last is None or not any(claim.writer.run == mine.run for claim in claims):
            return
        if last.run != mine.run or last.attempt > mine.attempt:
            raise Fenced(last)


def _saved(base: Checkpoint, stats: Mapping[str, Stat]) -> Table:
    """Its files, and how those of them look here of which that is known."""
    return base.files.table.looking(stats)
