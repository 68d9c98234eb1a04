"""After a command and its last checkpoints: what is in `{{output}}` goes to the task's urls."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from osmo.agent.config import OutputSpec
from osmo.agent.errand import Errand
from osmo.clock import Clock
from osmo.errors import StoreError
from osmo.logs.write import Log
from osmo.store.base import Store
from osmo.transfer.names import matcher
from osmo.transfer.run import Report
from osmo.transfer.upload import upload
from osmo.transfer.walk import Source, walk

_NAMES_SAID = 3


@dataclass(frozen=True, slots=True)
class Outputs:
    """What one task leaves. folder: where. confined: a link counts only if what it leads to lies in the folder, too,
    for the task saw other folders than we do."""

    outputs: Sequence[OutputSpec]
    folder: Path
    confined: bool
    open_it: Callable[[str], Store]
    log: Log
    clock: Clock

    def __bool__(self) -> bool:
        return bool(self.outputs)

    def send(self) -> Errand:
        """Begin. A store that says no is asked again until it is stopped: by now there is nobody to ask what to do."""
        errand = Errand("outputs", self._send, self.log, self.clock)
        errand.start()
        return errand

    def by_hand(self, why: str) -> str:
        """What a person is told if it did not get there."""
        urls = " ".join(output.url for output in self.outputs)
        return (
            f"the output is not in {urls}: {why}; the files are still on this machine: "
            f"upload them by hand with `osmo data upload {self.outputs[0].url} '{self.folder}/*'`"
        )

    def _send(self, errand: Errand) -> str:
        self.log.ours("Upload Start")
        for output in self.outputs:
            if why := self._to(errand, output):
                return why
        self.log.ours("All Outputs Uploaded")
        return ""

    def _to(self, errand: Errand, output: OutputSpec) -> str:
        sources = list(self._sources(output.regex))
        if not sources:
            matching = f" match {output.regex!r}" if output.regex else ""
            self.log.ours(f"No Files in Output Folder{matching}: nothing to upload to {output.url}")
            return ""
        self.log.ours(f"Uploading {output.url}")
        files, passage = len(sources), errand.passage(sum(source.size for source in sources))
        while not errand.stop.is_set():
            try:
                store = self.open_it(output.url)  # anew: credentials may have been mended meanwhile
                report = upload(store, sources, progress=passage, clock=self.clock, stop=errand.stop)
            except StoreError as error:
                errand.rest(f"{error}. {error.hint}".rstrip() if error.hint else str(error))
                continue
            failed = {name for name, _ in report.failed}
            if errand.stop.is_set():
                break
            if not failed:
                self.log.ours(f"Uploaded {output.url}: {passage.end(files)}")
                return ""
            if failed and not report.unanswered:  # nothing that time mends
                return _first_of(report)
            sources = [source for source in sources if str(source.path) in failed]
            errand.rest(_first_of(report))
        return "stopped"

    def _sources(self, regex: str) -> Iterator[Source]:
        left_out = []
        for source in walk(f"{self.folder}/*", matcher(regex)) if self.folder.is_dir() else ():
            found = self._confined(source) if self.confined else source
            if found.problem and found.path.is_symlink():
                left_out.append(f"{found.key} ({found.problem})")
            else:
                yield found
        if left_out:
            self.log.ours(f"Left out of the output: {_listed(left_out)}")

    def _confined(self, source: Source) -> Source:
        if source.problem or not source.path.is_symlink():
            return source
        inside = os.path.realpath(source.path).startswith(f"{os.path.realpath(self.folder)}/")
        return source if inside else replace(source, problem="a link that leads out of the folder")


def _first_of(report: Report) -> str:
    return _listed([why for _, why in report.failed])


def _listed(items: Iterable[str]) -> str:
    found = list(items)
    more = len(found) - _NAMES_SAID
    return f"{'; '.join(found[:_NAMES_SAID])}{f' and {more:,} more' if more > 0 else ''}"
