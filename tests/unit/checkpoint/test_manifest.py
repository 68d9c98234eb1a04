import gzip
import json
import os
from dataclasses import replace

import pytest

from osmo.checkpoint.manifest import Checkpoint, FileRecord, Trigger, Writer, encode, log_key, log_number
from support.clock import START

FILE = FileRecord("a", 3, 0o644, 7, "digest", "ckpt/a", "etag")
CHECKPOINT = Checkpoint(
    5, 4, Writer("uuid", "train-1", "train", 0, "here"), Trigger.FINAL, "/ckpt", START, START, (FILE,), ("b",), {}, 0
)


def test_a_record_says_all_that_a_reader_needs() -> None:
    record = json.loads(encode(CHECKPOINT))
    assert record == {
        "format": 1,
        "kind": "checkpoint",
        "log": 5,
        "checkpoint": 5,
        "epoch": 0,
        "alone": False,
        "prev": 4,
        "writer": {"run": "uuid", "run_id": "train-1", "task": "train", "attempt": 0, "host": "here"},
        "trigger": "final",
        "path": "/ckpt",
        "begun": "2025-04-22T23:57:13+00:00",
        "committed": "2025-04-22T23:57:13+00:00",
        "count": 1,
        "size": 3,
        "behind": [],
        "left_out": ["b"],
        "complete": True,
        "unsent": [],
        "problems": {},
        "exit_code": 0,
        "files": [
            {
                "name": "a",
                "size": 3,
                "mode": 0o644,
                "mtime_ns": 7,
                "digest": "digest",
                "place": "ckpt/a",
                "etag": "etag",
            }
        ],
    }


def test_flags_are_written_only_where_there_are_any() -> None:
    files = (replace(FILE, deferred=True), replace(FILE, torn_possible=True), FILE)
    record = json.loads(encode(replace(CHECKPOINT, files=files, exit_code=None)))
    assert [file.get("flags") for file in record["files"]] == [["deferred"], ["torn_possible"], None]
    assert "exit_code" not in record


def test_a_large_record_is_compressed_and_always_to_the_same_bytes() -> None:
    large = replace(CHECKPOINT, files=tuple(replace(FILE, name=f"{number:0200}") for number in range(5000)))
    body = encode(large)
    assert body[:2] == b"\x1f\x8b"
    assert body[4:8] == b"\0\0\0\0", "the time of compression is in it"
    assert encode(large) == body
    assert len(json.loads(gzip.decompress(body))["files"]) == 5000


def test_a_name_that_is_not_utf8_comes_back_as_it_was() -> None:
    name = os.fsdecode(b"\xff\n")
    record = json.loads(encode(replace(CHECKPOINT, files=(replace(FILE, name=name),))))
    assert os.fsencode(record["files"][0]["name"]) == b"\xff\n"


@pytest.mark.parametrize(
    ("key", "want"),
    [
        (log_key("train.ckpt", 42), 42),
        (".osmo/t.c/log/123456789.json", 123456789),
        (".osmo/t.c/log/00000042.json.gz", None),
        (".osmo/t.c/log/x.json", None),
        (".osmo/t.c/log/00000042", None),
    ],
)
def test_a_record_is_known_by_its_number(key: str, want: int | None) -> None:
    assert log_number(key) == want


def test_the_log_of_a_stream_of_any_name_has_a_key() -> None:
    assert log_key("train.a\nb", 1) == ".osmo/train.a%0Ab/log/00000001.json"
