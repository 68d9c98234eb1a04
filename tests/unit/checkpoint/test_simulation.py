"""Whatever order the requests of several writers come in, no checkpoint that is kept gets lost.

The short form takes about a second. A long one: `OSMO_SIM_SCHEDULES=2500 scripts/test
tests/unit/checkpoint/test_simulation.py`, eight times so many schedules; OSMO_SIM_SEED=2500 goes on from there.
OSMO_SIM_SWITCHES=2 tries every order of two small writers with so many switches between them, and a lost answer.
"""

import os
import random
from itertools import count
from pathlib import Path

import pytest

from osmo.checkpoint.verify import verify
from support.schedules import at_random, crowd, every_order, script
from support.simulation import Files, World

SCHEDULES = int(os.environ.get("OSMO_SIM_SCHEDULES", "3"))
SEED = int(os.environ.get("OSMO_SIM_SEED", "0"))
SWITCHES = int(os.environ.get("OSMO_SIM_SWITCHES", "0"))

WHOLE = 16 * 1024 * 1024
NEVER = 64 * 1024 * 1024
IN_PARTS = 4
MANY_FILES = 4000
NO_FILES = -1


@pytest.fixture(autouse=True)
def one_request_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osmo.checkpoint.restore._FILES_AT_ONCE", 1)
    monkeypatch.setattr("osmo.checkpoint.history._AT_ONCE", 1)


def _sizes(monkeypatch: pytest.MonkeyPatch, rng: random.Random) -> None:
    """Which files count as large, and of which of them only what changed is sent: blocks are a byte then. And how many
    files are so many that records build upon a listing."""
    monkeypatch.setattr("osmo.checkpoint.listing._WORTH_IT", rng.choice((NO_FILES, NO_FILES, 2, MANY_FILES)))
    monkeypatch.setattr("osmo.checkpoint.upload.WHOLE", rng.choice((IN_PARTS, WHOLE)))
    monkeypatch.setattr("osmo.checkpoint.blocks.LEAST", rng.choice((1, 1, NEVER)))
    monkeypatch.setattr("osmo.checkpoint.blocks.BLOCK", 1)


@pytest.mark.parametrize("create_only", [True, False], ids=["create-only", "ignored"])
@pytest.mark.parametrize("keep", [1, 3])
@pytest.mark.parametrize("losses", [0, 2])
def test_no_order_of_requests_loses_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, create_only: bool, keep: int, losses: int
) -> None:
    for number in range(SEED, SEED + SCHEDULES):
        rng = random.Random(f"{number} {create_only} {keep} {losses}")
        _sizes(monkeypatch, rng)
        world = crowd(tmp_path / str(number), rng, keep, create_only=create_only)
        at_random(world, rng, losses, crashes=rng.randrange(2))
        world.end()


@pytest.mark.parametrize("shared", [True, False], ids=["they know of each other", "they do not"])
def test_tasks_with_the_same_plain_files_lose_nothing_that_verify_does_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    """Those that know of each other lose nothing at all."""
    for number in range(SEED, SEED + SCHEDULES):
        rng = random.Random(f"{number} {shared}")
        _sizes(monkeypatch, rng)
        world = World(tmp_path / str(number), create_only=rng.random() < 0.6, etag_per_write=rng.random() < 0.5)
        for name, task in (("X", "train0"), ("Y", "train1"), ("Z", "train0"))[: rng.choice((2, 2, 3))]:
            world.writer(name, *script(rng, name.lower(), restores=False), task=task, shared=shared)
        at_random(world, rng, rng.choice((0, 0, 2)), crashes=rng.randrange(2))
        for task in ("train0", "train1"):
            if world.kept(task):
                lost = {name for name, text in world.contents(task=task).items() if text is None}
                newest = world.kept(task)[-1]
                told = verify(world.server, f"{task}.ckpt", newest, deep=False, report=lambda _: None)
                assert told.keys() == lost, str(world)
                assert not (shared and lost)


_BEGIN: Files = {"a": "A0"}
_SMALL: dict[str, tuple[list[Files], list[Files]]] = {
    "overwritten and new": ([_BEGIN, {"a": "of Z", "n": "of Z"}], [{"a": "of S", "n": "of S"}]),
    "there and back again": ([_BEGIN, {"a": "B"}], [{"a": "A0"}, {"a": "C"}]),
    "swapped and renamed": ([{"a": "X", "b": "Y"}, {"a": "Y", "b": "X"}], [{"b": "X", "c": "Y"}]),
}


@pytest.mark.parametrize(
    ("name", "create_only"),
    [("overwritten and new", True), ("there and back again", True), ("swapped and renamed", False)],
    ids=["overwritten and new", "there and back again", "swapped and renamed, create-only ignored"],
)
def test_every_order_with_few_switches(tmp_path: Path, name: str, create_only: bool) -> None:
    folders = count()
    first, second = _SMALL[name]

    def make() -> World:
        world = World(tmp_path / str(next(folders)), keep=1 if create_only else 3, create_only=create_only)
        world.writer("Z", *first)
        world.writer("S", *second)
        return world

    found = every_order(make, switches=max(1, SWITCHES), losses=1 if SWITCHES else 0, end=False)
    assert found.broken is None, str(found.broken)
    assert found.schedules > 20
