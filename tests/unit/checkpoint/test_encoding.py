import gzip
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osmo.checkpoint import encoding
from osmo.checkpoint.encoding import decode, encode
from osmo.checkpoint.manifest import Checkpoint, Claim, Close, FileRecord, Mark, Record, Trigger, Writer
from osmo.checkpoint.table import Files
from osmo.errors import StoreError
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
        (changed(CHECKPOINT, count=10**12), "more than this machine has the memory for"),
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


def test_a_small_record_that_unpacks_to_a_very_large_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    body = gzip.compress(changed(claim(1), padding=" " * 10**6))
    assert decode(body) == claim(1)
    monkeypatch.setattr(encoding, "_LARGEST", 10**6)
    with pytest.raises(StoreError, match="more than 1000000 bytes"):
        decode(body)


def test_times_are_those_of_their_zone() -> None:
    made = datetime.fromisoformat("2025-04-22T23:57:13+02:00")
    read = decode(encode(replace(claim(1), made=made)))
    assert isinstance(read, Claim)
    assert read.made == made
