"""Who is next: drawn at random, or every order there is."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from support.simulation import Broken, Files, World
from support.turns import Actor

_MOST = 3000
_TEXTS = ("A", "B", "C", "longer", "longer still")


def at_random(world: World, rng: random.Random, losses: int = 0, crashes: int = 0) -> None:
    """An order that is drawn from `rng`. losses: how many times, at most, somebody gets no answer, to one request or to
    several in a row. crashes: how many of them stop for ever, at most."""
    stick = rng.choice((0.0, 0.5, 0.8, 0.95))
    arrives = rng.choice((0.03, 0.15))
    outages = dict.fromkeys((actor.name for actor in world.actors), 0)
    last: Actor | None = None
    with world.running():
        for _ in range(_MOST):
            ready = world.ready()
            if not ready and not world.late:
                return
            if world.late and (not ready or rng.random() < arrives):
                world.arrive(rng.randrange(len(world.late)))
                continue
            actor = last if last in ready and rng.random() < stick else rng.choice(ready)
            assert actor is not None
            assert actor.pending is not None
            last = actor
            if crashes and rng.random() < 0.03:
                crashes -= 1
                world.crash(actor, arrives=rng.random() < 0.5)
            elif outages[actor.name] and actor.pending.writes:
                outages[actor.name] -= 1
                world.lose(actor, arrives=rng.random() < 0.8)
            elif losses and actor.pending.writes and rng.random() < 0.15:
                losses -= 1
                outages[actor.name] = rng.choice((0, 0, 3, 8))
                world.lose(actor, arrives=rng.random() < 0.8)
            else:
                world.go(actor)
        raise AssertionError(f"it does not end\n{world}")


def script(rng: random.Random, tag: str, *, restores: bool, names: str = "abcd") -> list[Files]:
    """What a folder of a few files looks like in turn: rewritten, swapped, renamed, gone, back again."""
    looks: list[dict[str, str]] = [dict.fromkeys(names[:2], "BASE") if restores else {"a": "A", "b": f"B{tag}"}]
    for number in range(rng.randrange(1, 4)):
        files = dict(looks[-1])
        for _ in range(rng.randrange(1, 3)):
            name = rng.choice(names)
            match rng.randrange(6):
                case 0:
                    files.pop(name, None)
                case 1:
                    files[name] = rng.choice(_TEXTS)
                case 2 if len(files) > 1:
                    one, other = rng.sample(sorted(files), 2)
                    files[one], files[other] = files[other], files[one]
                case 3 if name in files:
                    files[rng.choice(names)] = files.pop(name)
                case _:
                    files[name] = f"{tag}{number}"
        looks.append(files)
    return [*looks]


def crowd(folder: Path, rng: random.Random, keep: int, *, create_only: bool) -> World:
    """A few writers of one stream, at the same time or one after the other; perhaps somebody prunes or restores."""
    relay = rng.random() < 0.3
    world = World(
        folder,
        keep,
        create_only,
        etag_per_write=rng.random() < 0.5,
        relay=relay,
        overnight=relay and rng.random() < 0.5,
    )
    more = keep + rng.choice((0, 0, 2))  # than a person wants who prunes
    world.writer("Z", *script(rng, "z", restores=False), keep=more)
    for name in "ST"[: rng.randrange(1, 3)]:
        restores = rng.random() < 0.6
        world.writer(name, *script(rng, name.lower(), restores=restores), restores=restores, keep=more)
    if rng.random() < 0.5:
        world.pruner("P", keep)
    if rng.random() < 0.25:
        world.restorer("R")
    return world


@dataclass(frozen=True, slots=True)
class _Move:
    """At a step: whose turn it is (empty: that of a late request), and whether it gets no answer."""

    step: int
    who: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Explored:
    """schedules: how many were tried. broken: what the first bad one broke."""

    schedules: int
    broken: Broken | None


def every_order(make: Callable[[], World], switches: int, losses: int = 0, *, end: bool = True) -> Explored:
    """Each schedule with at most so many switches from one who could go on to another, and so many lost answers.

    make: the same world, anew each time. end: also see what is left at the end. What a crash leaves behind is seen
    also: it is a switch, until somebody switches back.
    """
    todo: list[tuple[_Move, ...]] = [()]
    tried = 0
    while todo:
        moves = todo.pop()
        world = make()
        tried += 1
        try:
            others = list(_replay(world, moves, switches, losses))
            if end:
                world.end()
        except Broken as error:
            return Explored(tried, error)
        todo += [(*moves, move) for move in others]
    return Explored(tried, None)


def _replay(world: World, moves: tuple[_Move, ...], switches: int, losses: int) -> Iterator[_Move]:
    """Run it: everybody goes on until he ends, but for the moves. Yields the further moves that there could be."""
    lost = sum(move.lost for move in moves)
    can_switch, can_lose = len(moves) - lost < switches, lost < losses
    planned = {move.step: move for move in moves}
    begin = max(planned, default=-1) + 1
    current: Actor | None = None
    with world.running():
        step = 0
        while world.late or world.ready():
            ready = world.ready()
            if current not in ready:
                current, free = (ready[0] if ready else None), True
            else:
                free = False
            if (move := planned.get(step)) is not None:
                current = next((actor for actor in ready if actor.name == move.who), None)
            elif step >= begin:
                assert current is None or current.pending is not None
                if can_switch or free:
                    yield from (_Move(step, each.name) for each in ready if each is not current)
                    yield from (_Move(step, "") for _ in world.late[:1] if current is not None)
                if can_lose and current is not None and current.pending is not None and current.pending.writes:
                    yield _Move(step, current.name, lost=True)
            if current is None:
                world.arrive()
            elif move is not None and move.lost:
                world.lose(current)
            else:
                world.go(current)
            step += 1
