"""botocore clients that reach a bucket as obstore's do: same endpoint, credentials, certificates, style of addresses.

For the few requests that obstore has no name for. botocore is imported when the first of them is made, not by
`open.prepare`: with its S3 client it costs 36 MiB and a quarter of a second (measured), and most runs need neither.
Should it be gone by then, because the package was replaced beneath a run that lasts for days, `Unloadable` says so,
and the caller does without: nothing that a restore needs is done here, only what makes one faster.
"""

import os
import ssl
import threading
from typing import Any

from osmo.errors import StoreError
from osmo.store.aws import Place
from osmo.store.clients import CONNECT_TIMEOUT, Purpose, timeout_s
from osmo.store.credentials import Credentials, isolated_session
from osmo.store.options import headers


class Unloadable(StoreError):
    """botocore, or what it needs, cannot be imported any more."""


class BotoClients:
    """Makes clients when they are first needed. Safe to use from many threads."""

    def __init__(self, bucket: str, place: Place, credentials: Credentials, at_once: int) -> None:
        self._bucket, self._place = bucket, place
        self._credentials = credentials
        self._at_once = at_once
        self._lock = threading.Lock()
        self._session: Any = None
        self._made: dict[tuple[Purpose, int], Any] = {}

    def get(self, purpose: Purpose, size: int = 0) -> Any:
        """The client for requests that take as long as one with a body of `size` bytes. Raises `Unloadable`."""
        asked = purpose, timeout_s(size)
        with self._lock:
            if asked not in self._made:
                try:
                    self._made[asked] = self._make(*asked)
                except Exception as error:
                    said = f"botocore cannot be loaded ({type(error).__name__})"
                    raise Unloadable(said, hint="Was osmo replaced while this ran? Start it again.") from error
            return self._made[asked]

    def _make(self, purpose: Purpose, seconds: int) -> Any:
        from botocore.config import Config

        place = self._place
        if self._session is None:
            self._session = isolated_session()
            self._session.register_component("credential_provider", _Provider(self._credentials))
        config = Config(
            region_name=place.region,
            connect_timeout=CONNECT_TIMEOUT.total_seconds(),
            read_timeout=seconds,
            retries={"mode": "standard", "total_max_attempts": 1 + purpose.value},
            max_pool_connections=self._at_once,
            s3={"addressing_style": "virtual" if place.virtual_hosted else "path"},
            request_checksum_calculation="when_required",  # many servers refuse the newer headers
            response_checksum_validation="when_required",
        )
        if place.options.anonymous:
            from botocore import UNSIGNED

            config.signature_version = UNSIGNED
        endpoint = place.without(self._bucket)
        client = self._session.create_client("s3", endpoint_url=endpoint, config=config, verify=_trusted(place))
        client.meta.events.register("before-call.s3", self._add_headers)
        return client

    def _add_headers(self, model: Any, params: dict[str, Any], **_: Any) -> None:
        params["headers"].update(headers(self._place.options, model.name))


def _trusted(place: Place) -> str | bool:
    """The certificates that obstore trusts: the given ones, or the system's."""
    system = ssl.get_default_verify_paths().cafile
    return place.ca or (system if system and os.path.exists(system) else True)


class _Provider:
    """Our credentials as botocore's session wants to find them. They are asked for at each request."""

    method = "osmo"

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def load_credentials(self) -> "_Provider":
        return self

    def get_frozen_credentials(self) -> Any:
        from botocore.credentials import ReadOnlyCredentials

        found = self._credentials()
        return ReadOnlyCredentials(found["access_key_id"], found["secret_access_key"], found.get("token"))

    def get_deferred_property(self, _name: str) -> Any:
        return lambda: None
