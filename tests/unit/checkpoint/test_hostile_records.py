"""A log in which somebody has changed what they like: each reader and each writer goes on, or says what is wrong."""

import copy
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import is_dataclass, replace
from datetime import datetime
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from osmo.checkpoint import history, log, manifest, neighbours, tidy, upkeep
from osmo.checkpoint.decoding import decode, decode_listing
from osmo.checkpoint.encoding import encode, encode_listing
from osmo.checkpoint.manifest import FileRecord, Listing, Mark, Record
from osmo.checkpoint.restore import Onlooker, restore
from osmo.checkpoint.table import Files, Unread
from osmo.checkpoint.tree import UNFINISHED
from osmo.checkpoint.verify import verify
from osmo.errors import OsmoError, StoreError
from support.clock import FakeClock
from support.memory import MemoryStore
from unit.checkpoint.records import STREAM, TWO, checkpoint, claim, close, file, put
from unit.checkpoint.rig import Rig

OBJECT = f".osmo/{STREAM}/objects/00000002-00000001-1"
LISTING = f".osmo/{STREAM}/objects/00000003-00000001-1"
A, B = file("a", b"good"), file("d/b", b"good")
OWN = file("o", b"good", OBJECT)
LISTED = b"".join(encode_listing(Files.of([A, B])))
RECORDS: tuple[Record, ...] = (
    claim(1),
    checkpoint(2, files=[A, OWN]),
    checkpoint(
        3,
        files=[A, OWN],
        prev=Mark(1, 2),
        listing=Listing(LISTING, blake3(LISTED).hexdigest(), len(LISTED), 1, Files.of([A, B])),
        behind=("o",),
        left_out=("x",),
        unsent=("y",),
        problems={"z": "a socket"},
        exit_code=3,
        spared=Mark(1, 2),
    ),
    close(4, behind=("o",)),
    claim(5, 2, TWO),
)
TEXTS = (
    *("", "a", "o", "/", "..", "../x", "/etc/passwd", "a/../../x", ".", "a//b", "d", "a/b", "o/c", "\0", "\n"),
    *("\ud800", "\udcff", "é" * 600, "x" * 5000, "\x1b[31m", ".osmo", ".osmo-part.x", ".osmo-restore.x", "ckpt/"),
    *("claim", "checkpoint", "close", "listing", "2026-01-01T00:00:00", "0001-01-01T00:00:00+23:59", LISTING, OBJECT),
)
NUMBERS = (
    0,
    1,
    2,
    3,
    4,
    5,
    99,
    2**31,
    2**53,
    2**63 - 1,
    -1,
    2**63,
    10**30,
    1.5,
    float("nan"),
    float("inf"),
    True,
    False,
)
OTHERS: tuple[Any, ...] = (
    None,
    [],
    {},
    [[]],
    [None],
    [1, 2],
    [1, 2, 3],
    ["a", "a"],
    {"a": 1},
    [[1, 2]],
    {"": ""},
    [{"a": []}],
)
THEIRS = {"other": b"theirs", "zz/other": b"theirs"}


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of everything that lies in a parsed line."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from paths(each, (*path, key))


def mutated(draw: st.DrawFn, body: bytes) -> bytes:
    lines = [json.loads(line) for line in body.splitlines()]
    for _ in range(draw(st.integers(1, 3))):
        number = draw(st.integers(0, len(lines) - 1))
        line = copy.deepcopy(lines[number])
        *above, last = draw(st.sampled_from([*paths(line)]))
        holder = line
        for key in above:
            holder = holder[key]
        match draw(st.integers(0, 9)):
            case 0:
                del holder[last]
            case 1:
                lines.insert(number, line)
            case 2 if isinstance(holder, dict):
                holder[draw(st.sampled_from(["apart", "gone", "listing", "exit_code", "flags", "blocks"]))] = 1
            case _:
                holder[last] = draw(st.sampled_from(instead(holder[last])))
        lines[number] = line
    return b"\n".join(json.dumps(line).encode() for line in lines) + b"\n"


def instead(old: Any) -> tuple[Any, ...]:
    """Values to put in its place, most of them of its own kind."""
    same: tuple[Any, ...] = TEXTS if isinstance(old, str) else NUMBERS if isinstance(old, int | float) else OTHERS
    return (*same, *TEXTS[:2], *NUMBERS[:2], *OTHERS[:2])


@st.composite
def logs(draw: st.DrawFn) -> dict[int, bytes]:
    """By number, the records; one, or the listing, is not as it was. 0: the listing."""
    found = {record.mark.number: encode(record) for record in RECORDS[: draw(st.integers(3, 5))]}
    which = draw(st.sampled_from([0, *found]))
    if which:
        return {0: LISTED} | found | {which: mutated(draw, found[which])}
    listed = mutated(draw, LISTED)
    listing = Listing(LISTING, blake3(listed).hexdigest(), len(listed), 1, Files.of([A, B]))
    return found | {0: listed, 3: encode(replace(RECORDS[2], listing=listing))}  # type: ignore[arg-type]


def filled(memory: MemoryStore, bodies: dict[int, bytes], stream: str = STREAM) -> None:
    for key in ("ckpt/a", "ckpt/d/b", OBJECT):
        memory.put(key, b"good")
    for key, body in THEIRS.items():
        memory.put(key, body)
    memory.put(LISTING, bodies[0])
    for record in RECORDS:
        if record.mark.number in bodies:
            key = log.log_key(stream, record.mark, record.writer.id, exclusive=memory.create_only)
            memory.put(key, bodies[record.mark.number])


def changes(body: bytes) -> Iterator[bytes]:
    """Each thing in each line gone, there twice, and every other value in its place."""
    lines = [json.loads(line) for line in body.splitlines()]
    for number, line in enumerate(lines):
        for *above, last in paths(line):
            holder = lines[number] = copy.deepcopy(line)
            for key in above:
                holder = holder[key]
            for value in (*TEXTS, *NUMBERS, *OTHERS):
                holder[last] = value
                yield b"\n".join(json.dumps(each).encode() for each in lines)
            del holder[last]
            yield b"\n".join(json.dumps(each).encode() for each in lines)
        lines[number] = line
        yield b"\n".join(json.dumps(each).encode() for each in (*lines, line))


def is_of(value: Any, hint: Any) -> bool:
    """Whether a value has the type that is written down for it."""
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        return any(is_of(value, each) for each in get_args(hint))
    if get_origin(hint) is tuple:
        return type(value) is tuple and all(is_of(each, get_args(hint)[0]) for each in value)
    if get_origin(hint) is dict:
        return type(value) is dict and all(type(each) is str for pair in value.items() for each in pair)
    if isinstance(value, Files):
        return isinstance(value, Unread) or all(is_of(each, FileRecord) for each in value)
    if isinstance(value, datetime):
        return hint is datetime and value.tzinfo is not None
    if type(value) is not hint or (hint is int and not -(2**63) <= value < 2**63):
        return False
    known = {"Files": Files, **vars(manifest)}
    parts = get_type_hints(hint, known) if is_dataclass(hint) or hint is Mark else {}
    return all(is_of(getattr(value, name), inner) for name, inner in parts.items())


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: f"{record.mark.number}-{type(record).__name__}")
def test_whatever_is_changed_it_is_no_record_or_one_of_the_right_types(record: Record) -> None:
    taken = 0
    for body in changes(encode(record)):
        try:
            found = decode(body, lambda place, digest, size: Files.of([A, B]))
        except StoreError:
            continue
        taken += 1
        assert is_of(found, type(record)), body
    assert taken > 100


def test_whatever_is_changed_it_is_no_listing_or_one_of_files() -> None:
    for body in changes(LISTED):
        with suppress(StoreError):
            assert is_of(decode_listing(body), Files), body


@pytest.mark.parametrize("fact", ["name", "place", "digest"])
@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_nothing_outside_the_folder_is_written_and_no_other_bytes_are_taken(
    tmp_path: Path, fact: str, text: str
) -> None:
    memory = MemoryStore()
    changed = replace(OWN, **{fact: text})  # type: ignore[arg-type]
    put(memory, claim(1), checkpoint(2, files=[A, changed]))
    for key in (A.place, OBJECT):
        memory.put(key, b"good")
    with suppress(OsmoError):
        restore(memory, STREAM, None, tmp_path / "in" / "back", Onlooker(), partial=True)
    written = [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith(UNFINISHED)]
    assert all(path.is_relative_to(tmp_path / "in" / "back") for path in written)
    assert all(path.read_bytes() == b"good" for path in written)


def test_no_record_is_overwritten_because_another_one_calls_it_a_plain_file() -> None:
    memory = MemoryStore()
    theirs = log.log_key("other.ckpt", Mark(1, 1), "", exclusive=True)
    put(memory, claim(1), stream="other.ckpt")
    before = memory.get(theirs)
    evil = replace(OWN, name=theirs.removeprefix(".osmo/"))
    put(memory, claim(1), checkpoint(2, files=[evil], folder=".osmo/", behind=(evil.name,)))
    memory.put(OBJECT, b"good")
    with upkeep.owned(memory, STREAM, "who", "here", FakeClock(), force=True) as epoch:
        upkeep.bring_up(memory, epoch)
    assert memory.get(theirs) == before


@settings(max_examples=25)
@given(logs(), st.booleans())
def test_whoever_reads_it_says_what_is_wrong_and_changes_nothing_else(bodies: dict[int, bytes], older: bool) -> None:
    memory = MemoryStore()
    filled(memory, bodies)
    outside = Path(tempfile.mkdtemp())
    try:
        for number in (None, 2) if older else (3, 1):
            with suppress(OsmoError):
                restore(memory, STREAM, number, outside / "in" / "back", Onlooker(), partial=older)
            with suppress(OsmoError):
                verify(memory, STREAM, history.find(memory, None, number)[1], deep=older, report=lambda _: None)
        found = [path for path in outside.rglob("*") if path.is_file() and not path.name.startswith(UNFINISHED)]
        assert all(path.is_relative_to(outside / "in" / "back") for path in found)
        assert all(path.read_bytes() in (b"good", b"") for path in found)
    finally:
        shutil.rmtree(outside)
    with suppress(OsmoError):
        neighbours.owners(memory, "another")
    with suppress(OsmoError):
        tidy.remove(memory, tidy.find(memory, log.Reader(STREAM), 1), 1)
    with suppress(OsmoError), upkeep.owned(memory, STREAM, "who", "here", FakeClock(), force=True) as epoch:
        upkeep.bring_up(memory, epoch)
    assert {key: memory.get(key) for key in THEIRS} == THEIRS


@settings(max_examples=40)
@given(logs(), st.booleans(), st.integers(1, 3))
def test_whoever_goes_on_from_it_makes_whole_checkpoints(
    bodies: dict[int, bytes], create_only: bool, keep: int
) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        rig = Rig(folder, create_only=create_only, keep=keep)
        filled(rig.memory, bodies, rig.stream.name)
        rig.grow({"a": "good", "o": "other", "new": "new"})
        with suppress(StoreError):
            rig.cycle()
            rig.grow({"a": "changed"})
            rig.clock.wait(rig.stop, 100)
            rig.finish()
            rig.stream.close()
            newest = history.checkpoints(rig.memory, rig.stream.name)[-1]
            restorable = {each.name: rig.memory.get(each.place) for each in newest.files}
            assert restorable == {path.name: path.read_bytes() for path in rig.folder.iterdir()}
        assert {key: rig.memory.get(key) for key in THEIRS} == THEIRS
    finally:
        shutil.rmtree(folder)
