"""Cases of bringing a folder back: osmo's own upload, whose plain files all tools can read."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import data
from bench.measure import Cost
from bench.rig import Result, Rig, attempt, in_turn, row_of, say
from bench.site import Site, compare, site
from bench.tools import THE_OSMO, Peer


@dataclass(frozen=True, slots=True)
class Restore:
    """One folder, into an empty one. osmo and restic verify every byte, rclone MD5 sums."""

    name: str
    title: str
    make: Callable[[Path, Rig], None]

    def __call__(self, rig: Rig) -> list[Result]:
        folder, back = rig.directory / "data", rig.directory / "back"
        self.make(folder, rig)
        result = Result(self.name, self.title, "0.95 (0.85) × s5cmd cp")
        with ExitStack() as stack:
            shared = _stored(stack, rig, folder, THE_OSMO)
            counted = _stored(stack, rig, folder, THE_OSMO, count=True)

            def fetch(at: Site, tool: Peer, _number: int = 0) -> Cost:
                shutil.rmtree(back, ignore_errors=True)
                cost = Site(tool, at.server, at.directory, at.wire).run(back, tool.fetch)
                compare(folder, back / str(folder).lstrip("/") if tool.name == "restic" else back, tool.name)
                shutil.rmtree(back)
                return cost

            own = {
                tool.name: (_stored(stack, rig, folder, tool), _stored(stack, rig, folder, tool, count=True))
                for tool in rig.tools
                if not tool.plain
            }
            where = {tool.name: own.get(tool.name, (shared, counted)) for tool in rig.tools}
            runs = {tool.name: partial(fetch, where[tool.name][0], tool) for tool in rig.tools}
            in_turn(result, runs, rig.runs)
            for tool in rig.tools:
                say(f"{self.name}: {tool.name}: counting")
                attempt(row_of(result, tool.name), partial(fetch, where[tool.name][1], tool), counted=True)
        shutil.rmtree(folder)
        return [result]


def _stored(stack: ExitStack, rig: Rig, folder: Path, tool: Peer, *, count: bool = False) -> Site:
    here = stack.enter_context(site(rig.directory, tool, count=count))
    say(f"{tool.name}: storing the folder")
    here.prepare(folder)
    here.run(folder)
    return here


ALL = (
    Restore("restore-small", "restore, 10,000 small files", lambda folder, rig: data.small(folder, rig.sizes.files)),
    Restore("restore-large", "restore, a file of 1 GiB", lambda folder, rig: data.one_large(folder, rig.sizes.large)),
    Restore(
        "restore-middle",
        "restore, 64 files of 16 MiB",
        lambda folder, rig: data.several(folder, rig.sizes.middle),
    ),
)
