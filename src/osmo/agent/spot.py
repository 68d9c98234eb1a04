"""Asking the cloud's metadata address whether this machine is about to be taken away.

`http.client` does that: the agent has it loaded already (its store reads a bucket's region with it), it follows no
redirect, and it never goes through a proxy, which `urllib.request` would if the environment named one.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from http.client import HTTPConnection, HTTPException
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

from osmo.clock import Clock

METADATA = "http://169.254.169.254"
PERIOD_S = 5.0
_PROBE_S = 1.0
_ANSWER_S = 5.0
_LARGEST = 256 * 1024
_TOKEN_TTL_S = 6 * 3600
_TOKEN_LENGTH = 1024


class Cloud(Enum):
    """Whose machine this is; the value is for people."""

    AWS = "AWS"
    GCP = "GCP"
    AZURE = "Azure"


@dataclass(frozen=True, slots=True)
class Notice:
    """This machine is about to be taken away.

    what: `terminate`, `stop`, `hibernate` or `preempt`. at: when, in UTC; None if the cloud does not say, or says now.
    """

    cloud: Cloud
    what: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What an address answered."""

    status: int
    body: bytes = b""
    flavor: str = ""


# What an answer says: pure functions. Whatever is odd is no notice: a false one costs hours, a missed one is followed
# by SIGTERM.


def aws_notice(reply: Reply) -> Notice | None:
    """Of `spot/instance-action`, which is 404 until there is one. `events/recommendations/rebalance` is not asked for:
    such a machine may run on for days."""
    said = _object(reply)
    action = said.get("action")
    if action not in ("terminate", "stop", "hibernate"):
        return None
    return Notice(Cloud.AWS, action, _moment(said.get("time")))


def gcp_notice(reply: Reply) -> Notice | None:
    """Of `instance/preempted`. Google does not say when; it is half a minute. `instance/maintenance-event` is not asked
    for: it comes up to an hour ahead, most often for a migration that nobody notices, and SIGTERM follows the others.
    """
    preempted = reply.status == 200 and reply.body.strip() == b"TRUE"
    return Notice(Cloud.GCP, "preempt", None) if preempted else None


def azure_notice(reply: Reply, machine: str) -> Notice | None:
    """Of `scheduledevents`: the soonest of those that take `machine` away. Every machine of a scale set sees the events
    of all of them, so an event counts only if it names this one. Reboots and freezes do not count."""
    events = _object(reply).get("Events")
    found = [
        Notice(Cloud.AZURE, str(event["EventType"]).lower(), _moment(event.get("NotBefore")))
        for event in (events if isinstance(events, list) else [])
        if isinstance(event, dict)
        and event.get("EventType") in ("Preempt", "Terminate")
        and _concerns(machine, event.get("Resources"))
    ]
    # No time: it has begun.
    return min(found, key=lambda notice: notice.at or datetime.min.replace(tzinfo=UTC), default=None)


def azure_machine(reply: Reply) -> str:
    """The name of this machine, of `instance/compute`. Empty if that is not Azure's answer."""
    said = _object(reply)
    name = said.get("name")
    return name if isinstance(name, str) and said.get("vmId") else ""


def aws_token(reply: Reply) -> str | None:
    """A session's token, of `api/token`. None if that is not AWS's answer."""
    token = reply.body.decode("latin-1")
    plausible = (
        0 < len(token) <= _TOKEN_LENGTH and token.isascii() and token.isprintable() and not set(token) & {*" <>"}
    )
    return token if reply.status == 200 and plausible else None


def _concerns(machine: str, resources: object) -> bool:
    return isinstance(resources, list) and machine.lower() in {str(name).lower() for name in resources}


def _object(reply: Reply) -> dict[str, Any]:
    """The JSON object of an answer, empty if there is none."""
    try:
        said = json.loads(reply.body) if reply.status == 200 else None
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _moment(text: object) -> datetime | None:
    """AWS writes ISO 8601, Azure as mail does. UTC where no zone is said."""
    if not isinstance(text, str) or not text:
        return None
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
    return None


class Ask(Protocol):
    """One request, straight to `base`. None for no answer: nobody there, too late, not HTTP. Raises nothing."""

    def __call__(
        self, base: str, path: str, headers: dict[str, str], *, method: str = "GET", timeout_s: float = _ANSWER_S
    ) -> Reply | None: ...


def ask(
    base: str, path: str, headers: dict[str, str], *, method: str = "GET", timeout_s: float = _ANSWER_S
) -> Reply | None:
    """See `Ask`."""
    try:
        at = urlsplit(base)
        connection = HTTPConnection(at.hostname or "", at.port or 80, timeout=timeout_s)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return Reply(response.status, response.read(_LARGEST), response.getheader("Metadata-Flavor", ""))
        finally:
            connection.close()
    except (OSError, HTTPException, ValueError):
        return None


class _Metadata(Protocol):
    """A cloud's metadata server."""

    def __init__(self, ask: Ask, base: str) -> None: ...

    def there(self) -> bool:
        """Whether it answers as itself. Asked once, before all else."""

    def notice(self) -> Notice | None: ...


class _Aws:
    def __init__(self, ask: Ask, base: str) -> None:
        self._ask, self._base = ask, base
        self._token: str | None = None

    def there(self) -> bool:
        return self._renew(_PROBE_S)

    def notice(self) -> Notice | None:
        reply = self._action() if self._token else None
        if self._token is None or (reply and reply.status == 401):  # it has expired
            reply = self._action() if self._renew(_ANSWER_S) else None
        return aws_notice(reply) if reply else None

    def _action(self) -> Reply | None:
        path = "/latest/meta-data/spot/instance-action"
        return self._ask(self._base, path, {"X-aws-ec2-metadata-token": self._token or ""})

    def _renew(self, timeout_s: float) -> bool:
        ttl = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_TTL_S)}
        reply = self._ask(self._base, "/latest/api/token", ttl, method="PUT", timeout_s=timeout_s)
        self._token = aws_token(reply) if reply else None
        return self._token is not None


class _Gcp:
    def __init__(self, ask: Ask, base: str) -> None:
        self._ask, self._base = ask, base

    def there(self) -> bool:
        return self._preempted(_PROBE_S) is not None

    def notice(self) -> Notice | None:
        reply = self._preempted(_ANSWER_S)
        return gcp_notice(reply) if reply else None

    def _preempted(self, timeout_s: float) -> Reply | None:
        path, headers = "/computeMetadata/v1/instance/preempted", {"Metadata-Flavor": "Google"}
        reply = self._ask(self._base, path, headers, timeout_s=timeout_s)
        return reply if reply and reply.flavor == "Google" else None


class _Azure:
    _HEADERS: ClassVar = {"Metadata": "true"}

    def __init__(self, ask: Ask, base: str) -> None:
        self._ask, self._base = ask, base
        self._machine = ""

    def there(self) -> bool:
        # Not the events: the first time somebody asks for them, the answer may take two minutes.
        path = "/metadata/instance/compute?api-version=2021-02-01"
        reply = self._ask(self._base, path, self._HEADERS, timeout_s=_PROBE_S)
        self._machine = azure_machine(reply) if reply else ""
        return bool(self._machine)

    def notice(self) -> Notice | None:
        reply = self._ask(self._base, "/metadata/scheduledevents?api-version=2020-07-01", self._HEADERS)
        return azure_notice(reply, self._machine) if reply else None


_CLOUDS: dict[Cloud, type[_Metadata]] = {Cloud.AWS: _Aws, Cloud.GCP: _Gcp, Cloud.AZURE: _Azure}


class Watch(threading.Thread):
    """Tells of a termination notice: calls `tell` with the first one, from this thread, and ends.

    Every `PERIOD_S` seconds it asks those who answered at the start, for as long as it takes, whether they still answer
    or not; if nobody did, it ends. Nothing that is answered, or not, is raised.
    """

    def __init__(
        self,
        tell: Callable[[Notice], None],
        clock: Clock,
        *,
        bases: Mapping[Cloud, str] | None = None,
        ask: Ask = ask,
    ) -> None:
        """bases: whom to ask, and where; all three at `METADATA` if not given."""
        super().__init__(name="spot", daemon=True)
        self._tell = tell
        self._clock = clock
        self._bases = dict.fromkeys(Cloud, METADATA) if bases is None else bases
        self._ask = ask
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ask no more, and tell nothing any more. Returns at once; the thread may still be waiting for an answer."""
        self._stopped.set()

    def run(self) -> None:
        clouds = self._who_is_there()
        while clouds and not self._stopped.is_set():
            notice = next(filter(None, (cloud.notice() for cloud in clouds)), None)
            if notice is not None:
                self._tell_once(notice)
            self._clock.wait(self._stopped, PERIOD_S)

    def _tell_once(self, notice: Notice) -> None:
        if not self._stopped.is_set():
            self._stopped.set()
            self._tell(notice)

    def _who_is_there(self) -> list[_Metadata]:
        # All three share an address: where nobody answers anything, one second is lost, not three.
        answering = {base for base in set(self._bases.values()) if self._ask(base, "/", {}, timeout_s=_PROBE_S)}
        clouds = [_CLOUDS[cloud](self._ask, base) for cloud, base in self._bases.items() if base in answering]
        return [cloud for cloud in clouds if cloud.there()]
