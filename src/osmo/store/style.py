"""Where a server of its own address wants the bucket's name: in the path, or in the host name.

Path style is what every server for one's own machines speaks (MinIO, Ceph, rclone); some clouds refuse it. A server is
asked once, without credentials, in both styles if need be; what it says is noted for a day.
"""

import ipaddress
import re
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from osmo.store.aws import NoRedirect, Place
from osmo.store.notes import Fact, notes_of

_TIMEOUT_S = 5.0
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9.]{1,64})\s*</Code>")
# What clouds say that know of no path style: Alibaba's OSS, Volcengine's TOS, Tencent's COS.
_NO_PATHS = {"SecondLevelDomainForbidden", "InvalidPathAccess", "PathStyleDomainForbidden", "InvalidURI"}


@dataclass(frozen=True, slots=True)
class Said:
    """What a server said to a request that was not signed. status: 0, if nothing."""

    status: int = 0
    code: str = ""

    @property
    def knows_the_bucket(self) -> bool:
        return self.status in (200, 401, 403) and self.code not in _NO_PATHS


class _Known:
    """What was found out in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._styles: dict[tuple[str, str], str] = {}

    def get(self, asked: tuple[str, str]) -> str:
        with self._lock:
            return self._styles.get(asked, "")

    def put(self, asked: tuple[str, str], style: str) -> None:
        with self._lock:
            self._styles[asked] = style


KNOWN = _Known()


def style_of(place: Place, bucket: str, environ: Mapping[str, str]) -> str:
    """`path` or `virtual`. Asks the server if its address leaves room for both; `path` if it does not answer."""
    if not may_be_virtual(place.endpoint, bucket):
        return "path"
    notes, named = notes_of(environ), (place.endpoint, bucket)
    style = KNOWN.get(named) or notes.get(Fact.STYLE, named)
    if style not in ("path", "virtual"):
        by_path = ask(f"{place.endpoint}/{quote(bucket)}", place.ca, environ)
        if not by_path.status:
            return "path"  # nothing is remembered: the next one may hear more
        by_host = Said() if decided(by_path) else ask(place.with_bucket(bucket).endpoint, place.ca, environ)
        style = choice(by_path, by_host)
        notes.put(Fact.STYLE, named, style)
    KNOWN.put(named, style)
    return style


def may_be_virtual(endpoint: str, bucket: str) -> bool:
    """Whether a bucket's name can stand before this host's: not before a number, nor a name without dots."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        dotted = "." in host and host != "localhost.localdomain"
        return dotted and not parts.path.strip("/") and not (parts.scheme == "https" and "." in bucket)
    return False


def decided(by_path: Said) -> bool:
    return by_path.knows_the_bucket


def choice(by_path: Said, by_host: Said) -> str:
    """Path style wherever it works: it needs no name of its own for each bucket."""
    if by_path.code in _NO_PATHS:
        return "virtual"
    return "virtual" if not by_path.knows_the_bucket and by_host.knows_the_bucket else "path"


def ask(address: str, ca: str, environ: Mapping[str, str]) -> Said:
    """One request without credentials."""
    context = ssl.create_default_context(cafile=ca or None) if address.startswith("https") else None
    proxies = {each: environ.get(f"{each}_proxy") or environ.get(f"{each.upper()}_PROXY") for each in ("http", "https")}
    through = ProxyHandler({name: one for name, one in proxies.items() if one})
    opener = build_opener(through, NoRedirect, HTTPSHandler(context=context))
    request = Request(f"{address}/?list-type=2&max-keys=0")  # noqa: S310  # checked: http or https
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as response:
            found = _CODE.search(response.read(4096))
            return Said(response.status, found[1].decode() if found else "")
    except HTTPError as error:
        return Said(error.code)
    except (OSError, ValueError):
        return Said()
