"""Ranges that a server sends as if they were whole objects, seen at the edge of botocore: nothing is sent."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ResponseStreamingError
from urllib3.exceptions import ProtocolError

from osmo.errors import NoRanges
from osmo.store.aws import Place
from osmo.store.boto import BotoClients
from osmo.store.clients import Purpose
from osmo.store.credentials import Credentials
from osmo.store.ranges import Ranges
from osmo.store.url import parse

KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}


class Body:
    """What comes of an answer's bytes; `breaks` before the last of them."""

    def __init__(self, data: bytes, *, breaks: bool = False) -> None:
        self._data = data
        self._breaks = breaks
        self.was_read = False
        self.closed = False

    def read(self, _count: int | None = None) -> bytes:
        self.was_read = True
        if self._breaks:
            raise ProtocolError("the connection broke")
        return self._data

    def close(self) -> None:
        self.closed = True


class Wire:
    """Answers every request with status 200 and the next of these bodies."""

    def __init__(self, said: dict[str, str], bodies: Iterable[Body]) -> None:
        self._said = said
        self._bodies: Iterator[Body] = iter(bodies)
        self.asked: list[str] = []

    def __call__(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        asked = request.headers["Range"]
        self.asked.append(asked.decode() if isinstance(asked, bytes) else asked)
        return AWSResponse(request.url, 200, self._said, next(self._bodies))


def over(wire: Wire) -> Ranges:
    clients = BotoClients("bkt", Place("http://127.0.0.1:9", "eu", custom=True), Credentials(KEYS), 4)
    clients.get(Purpose.READ, 4).meta.events.register("before-send", wire)
    return Ranges(parse("s3://bkt/a"), clients)


@pytest.mark.parametrize(("last", "data"), [(5, b"cdef"), (3, b"cd")], ids=["all of it", "up to the object's end"])
def test_a_range_is_what_the_server_says_that_it_sent(last: int, data: bytes) -> None:
    wire = Wire({"content-range": f"bytes 2-{last}/{last + 1}"}, [Body(data)])
    assert over(wire).read("k", 2, 4) == data
    assert wire.asked == ["bytes=2-5"]


@pytest.mark.parametrize("said", ["", "bytes 0-3/10", "bytes 2-9/10", "bytes */10"])
def test_other_bytes_than_those_that_were_asked_for_are_not_read(said: str) -> None:
    body = Body(b"0123456789")
    with pytest.raises(NoRanges):
        over(Wire({"content-range": said} if said else {}, [body])).read("k", 2, 4)
    assert (body.was_read, body.closed) == (False, True)


def test_a_range_that_breaks_off_is_asked_for_again() -> None:
    wire = Wire({"content-range": "bytes 2-5/10"}, [Body(b"", breaks=True), Body(b"cdef")])
    assert over(wire).read("k", 2, 4) == b"cdef"


def test_a_range_that_breaks_off_again_and_again_is_given_up() -> None:
    wire = Wire({"content-range": "bytes 2-5/10"}, (Body(b"", breaks=True) for _ in itertools.count()))
    with pytest.raises(ResponseStreamingError):
        over(wire).read("k", 2, 4)
    assert len(wire.asked) == 1 + Purpose.READ.value
