"""Cases of storing a folder: for the first time, and again after something happened to it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import data
from bench.measure import Cost, Failed
from bench.rig import Result, Rig, attempt, in_turn, row_of, say
from bench.site import Live, site
from bench.tools import Peer

_CYCLE = "osmo: a cycle of a process that lives on, as its agent does; the others: the command"


@dataclass(frozen=True, slots=True)
class Cold:
    """Nothing is in the store yet."""

    name: str
    title: str
    target: str
    make: Callable[[Path, Rig], None]

    def __call__(self, rig: Rig) -> list[Result]:
        folder = rig.directory / "data"
        self.make(folder, rig)
        result = Result(self.name, self.title, self.target, note="osmo: `osmo checkpoint run … -- true`, all of it")

        def run(tool: Peer, _number: int = 0, *, count: bool = False) -> Cost:
            with site(rig.directory, tool, count=count) as here:
                here.prepare(folder)
                cost = here.run(folder, tool.cold)
                here.check(folder)
                return cost

        in_turn(result, {tool.name: partial(run, tool) for tool in rig.tools}, rig.runs)
        for tool in rig.tools:
            say(f"{self.name}: {tool.name}: counting")
            attempt(row_of(result, tool.name), partial(run, tool, count=True), counted=True)
        shutil.rmtree(folder)
        return [result]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens to a folder that is stored already."""

    name: str
    title: str
    target: str
    change: Callable[[Path, int, Rig], None]


@dataclass(frozen=True, slots=True)
class Again:
    """A folder that is stored, changed and stored again, in several ways. All tools see the same changes."""

    name: str
    make: Callable[[Path, Rig], None]
    steps: tuple[Step, ...]
    copies_parts: bool = False
    tools: tuple[str, ...] = ()

    def __call__(self, rig: Rig) -> list[Result]:
        folder = rig.directory / "data"
        self.make(folder, rig)
        results = [Result(step.name, step.title, step.target, note=_CYCLE) for step in self.steps]
        tools = [tool for tool in rig.tools if tool.updates and (not self.tools or tool.name in self.tools)]
        rounds = iter(range(1_000_000))
        with ExitStack() as stack:
            runs: dict[str, Callable[[], Cost]] = {}
            for tool in tools:
                say(f"{self.name}: {tool.name}: storing the folder")
                runs[tool.name] = self._begin(stack, rig, folder, tool, results)
            for step, result in zip(self.steps, results, strict=True):
                self._measure(step, result, rig, folder, runs, rounds)
        with ExitStack() as stack:
            for tool in tools:
                say(f"{self.name}: {tool.name}: storing the folder through the proxy")
                runs[tool.name] = self._begin(stack, rig, folder, tool, results, count=True)
            for step, result in zip(self.steps, results, strict=True):
                step.change(folder, next(rounds), rig)
                for name, run in runs.items():
                    attempt(row_of(result, name), run, counted=True)
        shutil.rmtree(folder)
        return results

    def _begin(
        self, stack: ExitStack, rig: Rig, folder: Path, tool: Peer, results: list[Result], *, count: bool = False
    ) -> Callable[[], Cost]:
        """Store the folder for the first time. What stores it again."""
        here = stack.enter_context(site(rig.directory, tool, count=count, copies_parts=self.copies_parts))
        if tool.name == "osmo":
            live = Live(here, folder)
            stack.callback(live.close)
            run = live.cycle
        else:
            here.prepare(folder)
            run = partial(here.run, folder)

        def checked() -> Cost:
            cost = run()
            here.check(folder)
            return cost

        try:
            checked()
        except Failed as error:
            for result in results:
                row_of(result, tool.name).failed = str(error)
        return checked

    def _measure(
        self,
        step: Step,
        result: Result,
        rig: Rig,
        folder: Path,
        runs: dict[str, Callable[[], Cost]],
        rounds: Iterator[int],
    ) -> None:
        """The change comes before the first tool of each round."""
        changed = -1

        def one(number: int, run: Callable[[], Cost]) -> Cost:
            nonlocal changed
            if number != changed:
                step.change(folder, next(rounds), rig)
                changed = number
            return run()

        in_turn(result, {name: partial(_swapped, one, run) for name, run in runs.items()}, rig.runs)


def _swapped(one: Callable[[int, Callable[[], Cost]], Cost], run: Callable[[], Cost], number: int) -> Cost:
    return one(number, run)


def _small(folder: Path, rig: Rig) -> None:
    data.small(folder, rig.sizes.files)


def _small_and_whole(folder: Path, rig: Rig) -> None:
    data.small(folder, rig.sizes.files - rig.sizes.some)
    data.small(folder / "whole", rig.sizes.some)


def _large(folder: Path, rig: Rig) -> None:
    data.one_large(folder, rig.sizes.large)


def _last(folder: Path, _rig: Rig) -> None:
    data.several(folder, 2)


def _copied(folder: Path, number: int, _rig: Rig) -> None:
    """A new best epoch, and `last.ckpt` is the same."""
    data.fill(folder / f"epoch-{number}.ckpt", 64 * data.MIB, seed=number)
    shutil.copyfile(folder / f"epoch-{number}.ckpt", folder / "last.ckpt")


COLD = (
    Cold("cold-small", "first upload, 10,000 small files", "0.7 (0.6) × s5cmd", _small),
    Cold("cold-large", "first upload, a file of 1 GiB", "0.95 (0.8) × s5cmd, 0.7 × rclone", _large),
    Cold(
        "cold-middle",
        "first upload, 64 files of 16 MiB",
        "0.95 (0.8) × s5cmd, 0.7 × rclone",
        lambda folder, rig: data.several(folder, rig.sizes.middle),
    ),
)
AGAIN = (
    Again(
        "again",
        _small_and_whole,
        (
            Step(
                "changed",
                "1 % of 10,000 files changed",
                "0.15 (0.1) × s5cmd sync",
                lambda folder, number, _: data.change_one_in_a_hundred(folder, number),
            ),
            Step("unchanged", "nothing changed, 10,000 files", "no request, ≤ 60 ms of CPU", lambda *_: None),
            Step(
                "more",
                "1,000 files appended at once",
                "",
                lambda folder, number, rig: data.append_files(folder, rig.sizes.some, number),
            ),
            Step(
                "renamed",
                "a folder of 1,000 files renamed",
                "",
                lambda folder, *_: data.rename(folder),
            ),
        ),
    ),
    Again(
        "duplicate",
        _last,
        (Step("duplicate", "`last.ckpt` is a copy of a new `epoch-N.ckpt` of 64 MiB", "", _copied),),
    ),
    Again(
        "append",
        _large,
        (
            Step(
                "append",
                "1 MiB appended to a file of 1 GiB",
                "≤ 24 MiB on the wire",
                lambda folder, number, _: data.append(folder / "large.pt", data.MIB, number),
            ),
        ),
        copies_parts=True,
        tools=("osmo", "s5cmd sync"),
    ),
)
