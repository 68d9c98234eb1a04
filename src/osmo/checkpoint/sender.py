"""The files of one stream on their way into the store."""

from collections.abc import Callable, Mapping

from osmo.checkpoint import diff
from osmo.checkpoint.archive import Archive
from osmo.checkpoint.blocks import Shelf
from osmo.checkpoint.budget import ByteBudget
from osmo.checkpoint.cycle import Cycle
from osmo.checkpoint.live import LiveNames
from osmo.checkpoint.meter import Flow
from osmo.checkpoint.mirror import Resend
from osmo.checkpoint.opener import Opener
from osmo.checkpoint.pool import Outcome, Pool
from osmo.checkpoint.saved import Saved
from osmo.checkpoint.settings import Settings
from osmo.checkpoint.source import Source
from osmo.checkpoint.throttle import Throttle
from osmo.checkpoint.tree import Stat
from osmo.checkpoint.upload import Uploader
from osmo.checkpoint.window import Window
from osmo.clock import Clock


class Sender:
    """Sends what the cycles of one stream found at rest, many files at once. What it sent is in the inventory.

    For one thread. It learns over the cycles how much the store takes at a time. deadline: when what is not sent yet
    is given up, in the clock's monotonic seconds.
    """

    def __init__(
        self,
        source: Source,
        archive: Archive,
        is_live: LiveNames,
        budget: ByteBudget,
        settings: Settings,
        clock: Clock,
        deadline: Callable[[], float],
    ) -> None:
        self._source = source
        self._archive = archive
        self._is_live = is_live
        self._budget = budget
        self._settings = settings
        self._clock = clock
        self._flow = Flow(clock)
        self._throttle = Throttle(settings.at_once, settings.most_at_once, clock)
        self._window = Window(clock, deadline)
        self._shelf = Shelf()

    @property
    def flowed_at(self) -> float:
        """When bytes last got into the store, in the clock's monotonic seconds."""
        return self._flow.at

    def send(self, this: Cycle, files: Mapping[str, Stat]) -> None:
        """Send them, end markers last. Raises the first StoreError that no other file would escape."""
        if not files:
            return
        inventory = self._archive.inventory
        self._archive.epoch.names.look = lambda: self._archive.look_around(
            self._source.plain, is_file=self._source.tree.is_file
        )
        this.meter.expect(sum(stat.size for stat in files.values()))
        pool = Pool(self._uploader(this, files), self._clock, self._settings.most_at_once, self._throttle, this)
        others: list[Outcome] = []

        def take(outcome: Outcome) -> None:
            if outcome.doubtful:
                self._doubt()
            if isinstance(outcome.result, Saved):
                draft.put(outcome.result)
            else:
                others.append(outcome)

        known = inventory.all
        with inventory.sending() as draft:  # whatever happens, what is in the store is not sent again
            this.unsent |= pool.send(files, known, take)
        for outcome in others:
            if outcome.fatal is not None:
                raise outcome.fatal
            this.take_down(outcome.name, outcome.result, self._source.tree.path(outcome.name))

    def resend(self, this: Cycle) -> Resend:
        """Sends a file of the cycle to another key, too."""
        return self._uploader(this, {}).resend

    def _uploader(self, this: Cycle, files: Mapping[str, Stat]) -> Uploader:
        tree, scratch = self._source.tree, self._settings.scratch
        epoch = self._archive.epoch
        sizes = {stat.size for stat in files.values()}
        known = self._archive.inventory.committed.of_sizes(sizes)  # the base's, but what is lost
        return Uploader(
            self._archive.store,
            Opener(tree, scratch, self._is_live, this.scan.databases, this.unsettled, this.at_rest),
            self._source.prefix,
            self._budget,
            this.meter,
            self._flow,
            self._window,
            epoch.names,
            epoch.next_mark.number,
            diff.by_size(known, files.values()),
            self._doubt,
            self._shelf,
            self._throttle,
        )

    def _doubt(self) -> None:
        self._archive.epoch.clear = False
