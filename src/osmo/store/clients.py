"""obstore clients by what they are for and how long a request of theirs may take.

obstore's timeouts and retries belong to a client, ours to a request: so there are a few clients for one store.
"""

import math
import threading
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from obstore.store import S3Store

from osmo.errors import StoreError
from osmo.store.aws import Place
from osmo.store.options import Options

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig, S3Config

CONNECT_TIMEOUT = timedelta(seconds=5)
_LEAST_S = 60
_SLOWEST = 250_000  # bytes a second: slower than this counts as hanging


class Purpose(Enum):
    """What a client is for: its value is how often obstore may repeat a request.

    Nothing that writes is repeated: the caller decides, it knows what is safe. A part of a multipart upload is
    invisible until Complete, and the same bytes again under its number change nothing.
    """

    WRITE = 0
    READ = 2
    PARTS = 3


def timeout_s(size: int) -> int:
    """The most seconds that a request with a body of `size` bytes may take: 60, or a doubling of it that lets
    0.25 MB/s through. Few values, so few clients."""
    seconds = _LEAST_S
    while seconds * _SLOWEST < size:
        seconds *= 2
    return seconds


class Clients:
    """Makes clients when they are first needed. Safe to use from many threads.

    taken: what a create-only write is answered if the name is taken.
    """

    taken = 412

    def __init__(
        self, bucket: str, prefix: str, place: Place, credentials: Any, *, at_most_s: float = math.inf
    ) -> None:
        self._bucket, self._prefix = bucket, prefix
        self._place, self.credentials = place, credentials
        self._at_most_s = at_most_s
        self._certificates = _certificates(place.ca)
        self._lock = threading.Lock()
        self._made: dict[tuple[Purpose, float], ObjectStore] = {}

    def get(self, purpose: Purpose, size: int = 0) -> "ObjectStore":
        """The client for requests with bodies of up to `size` bytes."""
        seconds = min(self._at_most_s, timeout_s(size))
        with self._lock:
            client = self._made.get((purpose, seconds))
            if client is None:
                client = self._made[purpose, seconds] = self._make(purpose, seconds)
            return client

    def forget(self) -> None:
        """Make new clients from now on: obstore keeps a credential in each."""
        with self._lock:
            self._made.clear()

    def _make(self, purpose: Purpose, seconds: float) -> "ObjectStore":
        place = self._place
        options: ClientConfig = {
            "allow_http": place.endpoint.startswith("http://"),
            "connect_timeout": min(CONNECT_TIMEOUT, timedelta(seconds=seconds)),
            "timeout": timedelta(seconds=seconds),
        }
        if self._certificates:
            options["root_certificate"] = self._certificates
        retries: RetryConfig = {
            "max_retries": 0 if math.isfinite(self._at_most_s) else purpose.value,
            "retry_timeout": timedelta(seconds=30 if purpose is Purpose.READ else 2 * seconds),
        }
        return self._client(options, retries)

    def _client(self, options: "ClientConfig", retries: "RetryConfig") -> "ObjectStore":
        """S3's; another cloud's in a class of its own."""
        place = self._place
        # The endpoint twice: a variable of the process would else win over the one name or the other.
        config: S3Config = {
            "endpoint": place.endpoint,
            "aws_endpoint_url_s3": place.endpoint,
            "region": place.region,
            "virtual_hosted_style_request": place.virtual_hosted,
            "disable_bulk_delete": True,  # one DELETE: not every server has the other
        }
        return S3Store(
            self._bucket,
            prefix=self._prefix or None,
            config=config | _of(place.options),
            client_options=options,
            retry_config=retries,
            credential_provider=None if place.options.anonymous else self.credentials,
        )


def _of(options: Options) -> "S3Config":
    """Said whether wanted or not: a variable of the process would else say it."""
    config: S3Config = {"skip_signature": options.anonymous, "request_payer": options.requester_pays}
    if options.encryption:
        config["server_side_encryption"] = options.encryption
    if options.kms_key_id:
        config["sse_kms_key_id"] = options.kms_key_id
    if options.customer_key:
        config["sse_customer_key_base64"] = options.customer_key
    return config


def _certificates(path: str) -> bytes:
    if not path:
        return b""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        said = f"{path}: the certificates cannot be read: {error.strerror}"
        raise StoreError(said, hint="AWS_CA_BUNDLE or a credential's `ca` names it.") from error
