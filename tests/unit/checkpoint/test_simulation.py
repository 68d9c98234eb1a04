"""Whatever order the requests of several writers come in, no checkpoint that is kept gets lost."""

import os
import random
from pathlib import Path

import pytest

from support.schedules import at_random, script
from support.simulation import World

SCHEDULES = int(os.environ.get("OSMO_SIM_SCHEDULES", "8"))
SEED = int(os.environ.get("OSMO_SIM_SEED", "0"))


@pytest.mark.parametrize("create_only", [True, False], ids=["create-only", "ignored"])
@pytest.mark.parametrize("keep", [1, 3])
@pytest.mark.parametrize("losses", [0, 2])
def test_no_order_of_requests_loses_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, create_only: bool, keep: int, losses: int
) -> None:
    for number in range(SEED, SEED + SCHEDULES):
        rng = random.Random(f"{number} {create_only} {keep} {losses}")
        relay = rng.random() < 0.3
        world = World(
            tmp_path / str(number),
            keep,
            create_only,
            etag_per_write=rng.random() < 0.5,
            relay=relay,
            overnight=relay and rng.random() < 0.5,
        )
        monkeypatch.setattr("osmo.checkpoint.upload.SMALLEST_PART", rng.choice((4, 2**23)))
        monkeypatch.setattr("osmo.checkpoint.restore._FILES_AT_ONCE", 1)
        more = keep + rng.choice((0, 0, 2))  # than a person wants who prunes
        world.writer("Z", *script(rng, "z", restores=False), keep=more)
        for name in "ST"[: rng.randrange(1, 3)]:
            restores = rng.random() < 0.6
            world.writer(name, *script(rng, name.lower(), restores=restores), restores=restores, keep=more)
        if rng.random() < 0.5:
            world.pruner("P", keep)
        if rng.random() < 0.25:
            world.restorer("R")
        at_random(world, rng, losses, crashes=rng.randrange(2))
        world.end()
