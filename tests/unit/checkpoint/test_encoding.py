import gzip
import json
import os
import tracemalloc
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo.checkpoint.decoding import decode
from osmo.checkpoint.encoding import encode
from osmo.checkpoint.manifest import Checkpoint, Claim, Close, FileRecord, Mark, Record, Trigger, Writer
from osmo.checkpoint.room import Room
from osmo.checkpoint.table import Files
from osmo.errors import NoRecord, StoreError
from support.clock import START
from unit.checkpoint.records import checkpoint, claim

WRITER = Writer("uuid", "train-1", "train", 0, "here", "0a0b")
FILE = FileRecord("a", 3, 0o644, 7, "digest", "ckpt/a", "etag")
CHECKPOINT = Checkpoint(
    mark=Mark(2, 6),
    writer=WRITER,
    prefix="ckpt",
    alone=True,
    number=5,
    prev=Mark(1, 4),
    spared=None,
    trigger=Trigger.FINAL,
    path="/ckpt",
    folder="ckpt/",
    begun=START,
    committed=START,
    files=Files.of([FILE]),
    behind=("a",),
    left_out=("b",),
    problems={"c": "a socket"},
    exit_code=0,
)


def test_a_record_says_all_that_a_reader_needs() -> None:
    header, *files = map(json.loads, encode(CHECKPOINT).splitlines())
    assert header == {
        "format": 2,
        "kind": "checkpoint",
        "log": 6,
        "checkpoint": 5,
        "epoch": 2,
        "alone": True,
        "prefix": "ckpt",
        "prev": [1, 4],
        "spared": None,
        "writer": {"run": "uuid", "run_id": "train-1", "task": "train", "attempt": 0, "host": "here", "id": "0a0b"},
        "trigger": "final",
        "path": "/ckpt",
        "folder": "ckpt/",
        "begun": "2025-04-22T23:57:13+00:00",
        "committed": "2025-04-22T23:57:13+00:00",
        "count": 1,
        "size": 3,
        "behind": ["a"],
        "left_out": ["b"],
        "complete": True,
        "unsent": [],
        "problems": {"c": "a socket"},
        "exit_code": 0,
    }
    assert files == [["a", 3, 0o644, 7, "digest", "ckpt/a", "etag"]]


def test_flags_are_written_only_where_there_are_any() -> None:
    files = (
        replace(FILE, name="a", deferred=True),
        replace(FILE, name="b", torn_possible=True, live=True, blocks="k"),
        FILE,
    )
    header, *lines = map(json.loads, encode(replace(CHECKPOINT, files=Files.of(files[:2]))).splitlines())
    assert [line[7:] for line in lines] == [
        [{"flags": ["deferred"]}],
        [{"flags": ["torn_possible", "live"], "blocks": "k"}],
    ]
    header, *lines = map(
        json.loads, encode(replace(CHECKPOINT, files=Files.of(files[2:]), exit_code=None)).splitlines()
    )
    assert [line[7:] for line in lines] == [[]]
    assert "exit_code" not in header


def test_what_a_later_version_says_of_a_file_besides_is_passed_over() -> None:
    body = encode(CHECKPOINT).replace(b',"etag"]', b',"etag",{"colour":"red","flags":["live","bright"]},7]')
    read = decode(body)
    assert isinstance(read, Checkpoint)
    assert [*read.files] == [replace(FILE, live=True)]


def many(count: int) -> Files:
    return Files.of(replace(FILE, name=f"{number:0200}") for number in range(count))


def test_a_large_record_is_compressed_and_always_to_the_same_bytes() -> None:
    large = replace(CHECKPOINT, files=many(6000))
    body = encode(large)
    assert body[:2] == b"\x1f\x8b"
    assert body[4:8] == b"\0\0\0\0", "the time of compression is in it"
    assert encode(large) == body
    assert len(gzip.decompress(body).splitlines()) == 6001
    assert decode(body) == large


# Every record comes back as it was

numbers = st.integers(0, 2**63 - 1)
marks = st.builds(Mark, numbers, numbers)
names = st.binary(min_size=1, max_size=20).map(os.fsdecode)  # also what is not UTF-8, as surrogates
texts = st.text(st.characters(codec="utf-8"), max_size=10)
times = st.datetimes(timezones=st.just(UTC))
files = st.builds(
    FileRecord,
    names,
    numbers,
    st.integers(0, 2**16 - 1),
    st.integers(-(2**63) + 1, 2**63 - 1),
    texts,
    texts,
    texts,
    deferred=st.booleans(),
    torn_possible=st.booleans(),
    live=st.booleans(),
    blocks=texts,
)
common: dict[str, st.SearchStrategy[Any]] = {
    "mark": marks,
    "writer": st.builds(Writer, texts, texts, texts, numbers, texts, texts),
    "prefix": names,
    "alone": st.booleans(),
}
several = st.lists(names, max_size=3).map(tuple)
records = st.one_of(
    st.builds(Claim, **common, made=times, base=st.none() | marks),
    st.builds(Close, **common, made=times, behind=several),
    st.builds(
        Checkpoint,
        **common,
        number=numbers,
        prev=st.none() | marks,
        spared=st.none() | marks,
        trigger=st.sampled_from(Trigger),
        path=names,
        folder=names,
        begun=times,
        committed=times,
        files=st.lists(files, max_size=3).map(Files.of),
        behind=several,
        left_out=several,
        problems=st.dictionaries(names, texts, max_size=3),
        exit_code=st.none() | st.integers(0, 255),
        unsent=several,
    ),
)


@given(records)
def test_any_record_comes_back_as_it_was(record: Record) -> None:
    assert decode(encode(record)) == record


# What is no record


def changed(record: Record, **facts: object) -> bytes:
    header, *files = encode(record).splitlines()
    return b"\n".join([json.dumps(json.loads(header) | facts).encode(), *files])


def with_file(*facts: object) -> bytes:
    return encode(CHECKPOINT).splitlines()[0] + b"\n" + json.dumps(facts).encode()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not a record"),
        (b"{}", "not a record"),
        (b"[1", "not a record"),
        (b"\xff\xfe", "not a record"),
        (b"[" * 100_000, "not a record"),
        (b"\x1f\x8bno gzip", "not a record"),
        (gzip.compress(encode(CHECKPOINT))[:-20], "cut short"),
        (b'{"format": 99}', "a record of format 99, this osmo knows 2"),
        (b'{"format": 1}', "of format 1, which this osmo does not read"),
        (changed(claim(1), kind="claims"), "of an unknown kind: 'claims'"),
        (changed(claim(1), epoch=1e999), "not a record"),
        (changed(claim(1), writer={"run": "x"}), "not a record"),
        (changed(claim(1), made="yesterday"), "not a record"),
        (changed(claim(1), base=[1, "x"]), "not a record"),
        (changed(checkpoint(1), prev=[1]), "not a record"),
        (changed(checkpoint(1), trigger="whim"), "not a record"),
        (changed(checkpoint(1), problems=["x"]), "not a record"),
        (changed(checkpoint(1), count=1), "not a record"),
        (changed(CHECKPOINT, count=0), "not a record"),
        (changed(CHECKPOINT, count=10**12), "it says 1000000000000 files"),
        (encode(CHECKPOINT) + encode(CHECKPOINT).splitlines()[1], "not a record"),
        (changed(CHECKPOINT, listing={"place": "x"}), "not a record"),
        (with_file(), "not a record"),
        (with_file("a", 3, 0o644, 7, "digest", "ckpt/a"), "not a record"),
        (with_file(5, 3, 0o644, 7, "digest", "ckpt/a", "etag"), "not a record"),
        (with_file("a", "3", 0o644, 7, "digest", "ckpt/a", "etag"), "not a record"),
        (with_file("a", -3, 0o644, 7, "digest", "ckpt/a", "etag"), "not a record"),
        (with_file("a", 2**63, 0o644, 7, "digest", "ckpt/a", "etag"), "not a record"),
        (with_file("a", 3, True, 7, "digest", "ckpt/a", "etag"), "not a record"),
        (with_file("a", 3, 2**16, 7, "digest", "ckpt/a", "etag"), "not a record"),
        (with_file("a", 3, 0o644, 7, "d" * 2**16, "ckpt/a", "etag"), "not a record"),
        (with_file("a", 3, 0o644, 7, "digest", "ckpt/a", "etag", 5), "not a record"),
        (with_file("a", 3, 0o644, 7, "digest", "ckpt/a", "etag", {"blocks": 5}), "the blocks of a file are 5"),
    ],
)
def test_what_is_no_record_is_an_error_of_the_store(body: bytes, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        decode(body)


def test_a_newer_format_says_what_to_do() -> None:
    with pytest.raises(StoreError) as caught:
        decode(changed(claim(1), format=3))
    assert caught.value.hint == "Use a newer version of osmo."


# Bombs: small, but of no end


def packed(*pieces: tuple[bytes, int]) -> bytes:
    """Each piece so many times, as gzip."""
    packer = zlib.compressobj(level=1, wbits=31)
    return b"".join(packer.compress(piece) for piece, times in pieces for _ in range(times)) + packer.flush()


FIRST = changed(CHECKPOINT, count=10**9).splitlines()[0] + b"\n"
LINE = encode(CHECKPOINT).splitlines()[1] + b"\n"
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (packed((b" " * MIB, 64)), "a line of more than"),
        (packed((b'{"format":2,"kind":"', 1), (b"x" * MIB, 64)), "a line of more than"),
        (packed((b"\n" * MIB, 64)), "not a record"),
        (packed((FIRST, 1), (b"\n" * MIB, 64)), "not a record"),
        (packed((FIRST, 1), (b'["', 1), (b"a" * MIB, 64)), "a line of more than"),
        (packed((FIRST, 1), (b"[" * MIB, 64)), "a line of more than"),
        (packed((FIRST, 1), (b"[[[[[[[[\n" * 100_000, 64)), "not a record"),
        (packed((FIRST, 1), (b"0,\n" * 300_000, 64)), "not a record"),
        (packed((FIRST, 1), (b"[0,0,0,0,0,0,0,0]\n" * 60_000, 64)), "a file that is"),
        (packed((FIRST, 1), (LINE * (MIB // len(LINE)), 64)), "names others, or one twice"),
        (FIRST + b'["a",' + b"9" * 5000 + b',0,0,"","",""]', "not a record"),
        (FIRST + b'["a",' + b"9" * MIB + b',0,0,"","",""]', "a line of more than"),
        (b'{"format":' + b"[" * 200_000, "not a record"),
        (b'{"format":2,"a":' + b'{"a":' * 40_000, "not a record"),
        (b'{"format":2,"a":' + b"9" * 200_000 + b"}", "not a record"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_of_a_record_of_no_end_little_is_read(body: bytes, message: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(NoRecord, match=message):
            decode(body)
        assert tracemalloc.get_traced_memory()[1] < 24 * MIB
    finally:
        tracemalloc.stop()


def test_names_that_would_make_the_first_line_long_have_lines_of_their_own() -> None:
    names = tuple(f"{number:0200}" for number in range(2000))
    large = replace(CHECKPOINT, behind=names, left_out=("x",), unsent=names[:3], problems=dict.fromkeys(names, "why"))
    body = encode(large)
    assert len(body.splitlines()) == 1 + 2000 + 1 + 3 + 2000 + 1
    assert max(map(len, body.splitlines())) < 1000
    assert decode(encode(large)) == large
    end = Close(Mark(2, 7), WRITER, "ckpt", True, START, names)
    assert decode(encode(end)) == end


def test_the_longest_lines_that_a_writer_makes_are_read() -> None:
    """A name of such bytes as JSON writes with six letters; a problem of a folder far down."""
    odd = "\udcff" * 341
    file = replace(FILE, name=odd, place="\x01" * 1024, etag="e" * 1024, blocks="\x01" * 1024)
    deep = "/".join(["\udcff" * 255] * 200)
    large = replace(CHECKPOINT, files=Files.of([file]), behind=(odd,) * 1000, problems={deep: deep})
    read = decode(encode(large))
    assert isinstance(read, Checkpoint)
    assert read.files == large.files
    assert read.behind == large.behind
    assert read.problems == {deep[:4096]: deep[:4096]}


def test_names_that_are_not_there_are_missed() -> None:
    body = changed(CHECKPOINT, apart=2) + b"\n"
    with pytest.raises(NoRecord):
        decode(body)
    with pytest.raises(NoRecord, match="more names than there are"):
        decode(body.splitlines()[0] + b'\n["behind","a"]')


def test_files_for_which_there_is_no_room_are_not_read() -> None:
    """All that the first line says is there: the checkpoint can be listed."""
    room = Room(100_000)
    large = replace(CHECKPOINT, files=many(1000))
    read = decode(encode(large), room=room)
    assert isinstance(read, Checkpoint)
    assert (len(read.files), read.files.size, read.number) == (1000, 3000, 5)
    assert room.taken == 0
    with pytest.raises(StoreError, match="the files of checkpoint 5: it takes more than the 100,000 bytes of memory"):
        iter(read.files).__next__()
    read = decode(encode(large), room=Room(10_000_000))
    assert read == large


def test_a_record_says_how_much_room_it_took() -> None:
    room = Room(10_000_000)
    decode(encode(replace(CHECKPOINT, files=many(1000))), room=room)
    assert 300_000 < room.taken < 2_000_000


def test_times_are_those_of_their_zone() -> None:
    made = datetime.fromisoformat("2025-04-22T23:57:13+02:00")
    read = decode(encode(replace(claim(1), made=made)))
    assert isinstance(read, Claim)
    assert read.made == made
