import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from osmo.agent.spot import (
    METADATA,
    PERIOD_S,
    Cloud,
    Notice,
    Reply,
    Watch,
    aws_notice,
    aws_token,
    azure_machine,
    azure_notice,
    gcp_notice,
)
from support.clock import FakeClock

AT = datetime(2026, 9, 18, 8, 22, tzinfo=UTC)
ODD = [
    b"",
    b"null",
    b"[]",
    b"7",
    b'"terminate"',
    b"{",
    b"<html>terminate</html>",
    b"\xff\xfe",
    b"[" * 100_000,
    b"9" * 10_000,
    b'{"action": ["terminate"], "Events": {"EventType": "Preempt"}}',
    b'{"action": {}, "Events": [null, 7, [], {}, {"EventType": []}, {"EventType": "Preempt", "Resources": "me"}]}',
]


def aws(action: str, at: datetime | None = AT) -> Notice:
    return Notice(Cloud.AWS, action, at)


@pytest.mark.parametrize(
    ("status", "body", "want"),
    [
        (200, {"action": "terminate", "time": "2026-09-18T08:22:00Z"}, aws("terminate")),
        (200, {"action": "stop", "time": "2026-09-18T10:22:00+02:00"}, aws("stop")),
        (200, {"action": "hibernate", "time": "2026-09-18T08:22:00"}, aws("hibernate")),
        (200, {"action": "terminate"}, aws("terminate", None)),
        (200, {"action": "terminate", "time": "soon"}, aws("terminate", None)),
        (200, {"action": "terminate", "time": 1789000000}, aws("terminate", None)),
        (200, {"action": "terminate", "time": "0001-01-01T00:00:00+14:00"}, aws("terminate", None)),
        (200, {"action": "dance", "time": "2026-09-18T08:22:00Z"}, None),
        (200, {"noticeTime": "2026-09-18T08:22:00Z"}, None),  # a rebalance recommendation
        (404, {"action": "terminate", "time": "2026-09-18T08:22:00Z"}, None),
        (500, {"action": "terminate", "time": "2026-09-18T08:22:00Z"}, None),
    ],
)
def test_what_aws_says(status: int, body: dict, want: Notice | None) -> None:
    assert aws_notice(Reply(status, json.dumps(body).encode())) == want


@pytest.mark.parametrize(
    ("reply", "want"),
    [
        (Reply(200, b"TRUE"), Notice(Cloud.GCP, "preempt", None)),
        (Reply(200, b"TRUE\n"), Notice(Cloud.GCP, "preempt", None)),
        (Reply(200, b"FALSE"), None),
        (Reply(200, b"NONE"), None),
        (Reply(200, b"TERMINATE_ON_HOST_MAINTENANCE"), None),
        (Reply(404, b"TRUE"), None),
    ],
)
def test_what_google_says(reply: Reply, want: Notice | None) -> None:
    assert gcp_notice(reply) == want


def event(kind: str, *names: str, at: str = "Fri, 18 Sep 2026 08:22:00 GMT") -> dict:
    return {"EventType": kind, "ResourceType": "VirtualMachine", "Resources": list(names), "NotBefore": at}


@pytest.mark.parametrize(
    ("events", "want"),
    [
        ([], None),
        ([event("Preempt", "train_0")], Notice(Cloud.AZURE, "preempt", AT)),
        ([event("Preempt", "train_1", "TRAIN_0")], Notice(Cloud.AZURE, "preempt", AT)),
        ([event("Preempt", "train_0", at="2026-09-18T08:22:00Z")], Notice(Cloud.AZURE, "preempt", AT)),
        ([event("Preempt", "train_0", at="")], Notice(Cloud.AZURE, "preempt", None)),  # it has begun
        ([event("Terminate", "train_0")], Notice(Cloud.AZURE, "terminate", AT)),
        ([event("Preempt", "train_1")], None),  # another one of the scale set
        ([event("Preempt")], None),
        ([event("Freeze", "train_0"), event("Reboot", "train_0"), event("Redeploy", "train_0")], None),
        (
            [event("Terminate", "train_0", at="Fri, 18 Sep 2026 08:30:00 GMT"), event("Preempt", "train_0")],
            Notice(Cloud.AZURE, "preempt", AT),
        ),
        ([event("Preempt", "train_0"), event("Terminate", "train_0", at="")], Notice(Cloud.AZURE, "terminate", None)),
    ],
)
def test_what_azure_says(events: list, want: Notice | None) -> None:
    body = json.dumps({"DocumentIncarnation": 1, "Events": events}).encode()
    assert azure_notice(Reply(200, body), "train_0") == want


@pytest.mark.parametrize("body", ODD)
def test_what_is_odd_is_no_notice(body: bytes) -> None:
    reply = Reply(200, body)
    assert (aws_notice(reply), gcp_notice(reply), azure_notice(reply, "me"), azure_machine(reply)) == (None,) * 3 + (
        "",
    )


@pytest.mark.parametrize(
    ("reply", "want"),
    [
        (Reply(200, b"AQAEAKdNOQx-3w=="), "AQAEAKdNOQx-3w=="),
        (Reply(404, b"AQAEAKdNOQx-3w=="), None),
        (Reply(200, b""), None),
        (Reply(200, b"<html>Log in to the Wi-Fi</html>"), None),
        (Reply(200, b"x\r\nX-Injected: y"), None),
        (Reply(200, b"x" * 5000), None),
    ],
)
def test_a_token_looks_like_one(reply: Reply, want: str | None) -> None:
    assert aws_token(reply) == want


@pytest.mark.parametrize(
    ("body", "want"),
    [
        (b'{"name": "train_0", "vmId": "02aab8a4"}', "train_0"),
        (b'{"name": "train_0"}', ""),
        (b'{"name": 7, "vmId": "02aab8a4"}', ""),
    ],
)
def test_azure_says_who_it_is(body: bytes, want: str) -> None:
    assert azure_machine(Reply(200, body)) == want


@dataclass
class Google:
    """Google's metadata address. `says` is its answers in turn, the last one for ever."""

    says: list[Reply | None]
    asked: list[str] = field(default_factory=list)

    def __call__(
        self, base: str, path: str, headers: dict[str, str], *, method: str = "GET", timeout_s: float = 1
    ) -> Reply | None:
        assert base == METADATA
        assert timeout_s <= 5
        self.asked.append(path)
        if path == "/":
            return Reply(404) if self.says[0] else None
        if "computeMetadata" not in path or method != "GET" or headers != {"Metadata-Flavor": "Google"}:
            return Reply(404)
        return self.says.pop(0) if len(self.says) > 1 else self.says[0]


NO, YES = Reply(200, b"FALSE", "Google"), Reply(200, b"TRUE", "Google")


def told(google: Google, clock: FakeClock) -> list[Notice]:
    notices: list[Notice] = []
    watch = Watch(notices.append, clock, ask=google)

    def meanwhile() -> None:
        if len(clock.waits) > 20:
            watch.stop()

    clock.meanwhile = meanwhile
    watch.run()
    return notices


def test_it_asks_every_five_seconds_and_tells_once() -> None:
    clock = FakeClock()
    assert told(Google([NO, NO, NO, NO, YES]), clock) == [Notice(Cloud.GCP, "preempt", None)]
    assert clock.waits[:3] == [PERIOD_S] * 3
    assert clock.monotonic() == FakeClock().monotonic() + 3 * PERIOD_S


def test_an_address_that_goes_away_and_comes_back_is_asked_on() -> None:
    odd = Reply(500, b"TRUE", "Google")
    assert told(Google([NO, None, None, odd, YES]), FakeClock()) == [Notice(Cloud.GCP, "preempt", None)]


def test_where_nobody_answers_at_the_start_nobody_is_asked_again() -> None:
    nobody, clock = Google([None, YES]), FakeClock()
    assert told(nobody, clock) == []
    assert (nobody.asked, clock.waits) == (["/"], [])


def test_who_does_not_answer_as_itself_is_not_asked_again() -> None:
    other, clock = Google([Reply(200, b"TRUE")]), FakeClock()
    assert told(other, clock) == []
    assert clock.waits == []


def test_a_stop_ends_it() -> None:
    clock = FakeClock()
    assert told(Google([NO]), clock) == []
    assert len(clock.waits) == 21
