"""What is asked of S3, seen at the edge of botocore: the wire is replaced, nothing is sent."""

import threading
from collections.abc import Mapping
from itertools import pairwise, product
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from osmo.store.aws import Place
from osmo.store.base import Object
from osmo.store.boto import BotoClients
from osmo.store.clients import Purpose
from osmo.store.credentials import Credentials
from osmo.store.multipart import COMPLETE, Multipart, ranges
from osmo.store.url import parse

MIB = 1024**2
KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}
BEGUN = "<Initiated>2026-01-02T03:04:05.000Z</Initiated>"


@pytest.mark.parametrize(
    ("size", "part_size", "want"),
    [
        (0, 5, []),
        (1, 5, [(0, 0)]),
        (5, 5, [(0, 4)]),
        (6, 5, [(0, 4), (5, 5)]),
        (15, 5, [(0, 4), (5, 9), (10, 14)]),
    ],
)
def test_the_parts_are_all_of_an_object(size: int, part_size: int, want: list[tuple[int, int]]) -> None:
    assert ranges(size, part_size) == want


@pytest.mark.parametrize("size", [10_000 * MIB, 10_000 * MIB + 1, 50 * 10**12])
def test_there_are_never_more_than_10_000(size: int) -> None:
    parts = ranges(size, MIB)
    assert len(parts) <= 10_000
    assert parts[0][0] == 0
    assert parts[-1][1] == size - 1
    assert all(left[1] + 1 == right[0] for left, right in pairwise(parts))
    assert max(last - first + 1 for first, last in parts) <= 5 * 1024**3  # S3's limits: 50 TB in parts of 5 GiB


class Wire:
    """Takes what botocore would send, and answers by what stands in the request's first line."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self._answers = answers
        self._lock = threading.Lock()
        self.sent: list[tuple[str, dict[str, str]]] = []

    def __call__(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        line = f"{request.method} {request.url.partition('9/')[2]}"
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        with self._lock:
            self.sent.append((line, headers))
        body = next(body for sign, body in self._answers.items() if sign in line)
        return AWSResponse(request.url, 200, {}, _Raw(body.encode()))


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> list[bytes]:
        return [self._body]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def over(wire: Wire) -> Multipart:
    clients = BotoClients("bkt", Place("http://127.0.0.1:9", "eu", custom=True), Credentials(KEYS), 4)
    for purpose, size in product(Purpose, (0, COMPLETE)):
        clients.get(purpose, size).meta.events.register("before-send", wire)
    return Multipart(parse("s3://bkt/a b"), clients)


def test_each_part_is_copied_only_as_long_as_the_source_is_the_same() -> None:
    wire = Wire(
        {
            "?uploads": "<R><UploadId>id</UploadId></R>",
            "partNumber=1": "<R><ETag>one</ETag></R>",
            "partNumber=2": "<R><ETag>two</ETag></R>",
            "POST bkt/a%20b/to?uploadId=id": "<R><ETag>whole</ETag></R>",
        }
    )
    over(wire).copy(Object("é/k", 7, "abc"), "to", 5, 1)
    names = ("x-amz-copy-source", "x-amz-copy-source-if-match", "x-amz-copy-source-range")
    parts = {line: [headers[name] for name in names] for line, headers in wire.sent if line.startswith("PUT")}
    assert parts == {
        "PUT bkt/a%20b/to?uploadId=id&partNumber=1": ["bkt/a%20b/%C3%A9/k", '"abc"', "bytes=0-4"],
        "PUT bkt/a%20b/to?uploadId=id&partNumber=2": ["bkt/a%20b/%C3%A9/k", '"abc"', "bytes=5-6"],
    }
    assert [line for line, _ in wire.sent if line.startswith("POST")] == [
        "POST bkt/a%20b/to?uploads",
        "POST bkt/a%20b/to?uploadId=id",
    ]


def test_uploads_elsewhere_in_the_bucket_are_nobodys_business() -> None:
    """Not every server heeds the prefix."""
    keys = ("a b/in/1", "a b/inner", "other/in/2")
    each = "".join(f"<Upload><Key>{key}</Key><UploadId>{key}</UploadId>{BEGUN}</Upload>" for key in keys)
    wire = Wire({"uploads": f"<R><IsTruncated>false</IsTruncated>{each}</R>"})
    assert [(upload.key, upload.id) for upload in over(wire).unfinished("in")] == [("in/1", "a b/in/1")]
