"""Whatever order the requests of several writers come in, no checkpoint that is kept gets lost."""

import os
import random
from pathlib import Path

import pytest

from support.simulation import Files, World

SCHEDULES = int(os.environ.get("OSMO_SIM_SCHEDULES", "12"))
SEED = int(os.environ.get("OSMO_SIM_SEED", "0"))
TEXTS = ("A", "B", "C", "longer", "longer still")


def script(rng: random.Random, tag: str, *, restore: bool) -> list[Files]:
    """What a folder of a few files looks like in turn: rewritten, swapped, renamed, gone, back again."""
    looks: list[dict[str, str]] = [dict.fromkeys("ab", "BASE") if restore else {"a": "A", "b": f"B{tag}"}]
    for number in range(rng.randrange(1, 4)):
        files = dict(looks[-1])
        for _ in range(rng.randrange(1, 3)):
            name = rng.choice("abcd")
            match rng.randrange(6):
                case 0:
                    files.pop(name, None)
                case 1:
                    files[name] = rng.choice(TEXTS)
                case 2 if len(files) > 1:
                    one, other = rng.sample(sorted(files), 2)
                    files[one], files[other] = files[other], files[one]
                case 3 if name in files:
                    files[rng.choice("abcd")] = files.pop(name)
                case _:
                    files[name] = f"{tag}{number}"
        looks.append(files)
    return looks


@pytest.mark.parametrize("create_only", [True, False], ids=["create-only", "ignored"])
@pytest.mark.parametrize("keep", [1, 3])
@pytest.mark.parametrize("losses", [0, 2])
def test_no_order_of_requests_loses_a_checkpoint(tmp_path: Path, create_only: bool, keep: int, losses: int) -> None:
    for number in range(SEED, SEED + SCHEDULES):
        rng = random.Random(f"{number} {create_only} {keep} {losses}")
        world = World(tmp_path / str(number), keep, create_only, etag_per_write=rng.random() < 0.5)
        world.writer("Z", script(rng, "z", restore=False))
        for name in "ST"[: rng.randrange(1, 3)]:
            restore = rng.random() < 0.6
            world.writer(name, script(rng, name.lower(), restore=restore), restore=restore)
        if rng.random() < 0.5:
            world.pruner("P", keep)
        world.run(rng, losses, crashes=rng.randrange(2))
        world.end()
