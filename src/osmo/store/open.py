"""From a url to a store, and the question whether it will do."""

import math
import os
import secrets
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from osmo.errors import AccessDenied, NoBucket, NoCredentials, StoreError, Unavailable
from osmo.store import credentials, hints
from osmo.store.azure import AzureClients, AzureCredentials
from osmo.store.base import Store
from osmo.store.clients import Clients
from osmo.store.condition import PROBE
from osmo.store.credentials import Credentials, Finding
from osmo.store.file import FileStore
from osmo.store.google import GoogleClients, GoogleCredentials
from osmo.store.limit import Bandwidth, Limited
from osmo.store.notes import notes_of
from osmo.store.obs import ObsStore
from osmo.store.profiles import profile_of
from osmo.store.reach import reached
from osmo.store.url import StoreUrl, parse


def open_store(url: str, environ: Mapping[str, str], bandwidth: Bandwidth | None = None) -> Store:
    """The store of a url. `StoreError` if the url, the endpoint or the file of credentials is none.

    Credentials are looked for at the first request. AWS is asked for a bucket's region if nothing names it, and an
    endpoint that may take the bucket's name in two places is asked in which: without credentials, 5 s at most.
    bandwidth: what writes have to share.
    """
    parsed = parse(url)
    store: Store = FileStore(parsed) if parsed.scheme == "file" else _bucket(parsed, environ)
    return Limited(store, bandwidth) if bandwidth is not None and bandwidth.rate else store


def _bucket(url: StoreUrl, environ: Mapping[str, str], at_most_s: float = math.inf) -> ObsStore:
    profile = profile_of(url, environ)
    place = reached(url, environ, profile)
    found: Finding
    clients: Clients
    if url.scheme == "azure":
        found = AzureCredentials(url, environ, profile)
        clients = AzureClients(url.bucket, url.path, place, found, at_most_s=at_most_s)
        clients.account = url.host
    elif url.scheme == "gs" and not profile.keys:
        found = GoogleCredentials(profile, environ)
        clients = GoogleClients(url.bucket, url.path, place, found, at_most_s=at_most_s)
    else:
        found = Credentials(environ, url=url)
        clients = Clients(url.bucket, url.path, place, found, at_most_s=at_most_s)
    return ObsStore(url, place, found, clients, notes_of(environ))


def prepare(url: str, environ: Mapping[str, str]) -> None:
    """Import now what the store of a url may need later. Asks nobody. Whoever lives for days calls it at the start."""
    parsed = parse(url)
    if parsed.scheme != "file":
        profile_of(parsed, environ)
        credentials.prepare(environ, parsed)


def probe(url: str, environ: Mapping[str, str], timeout_s: float = 5.0, *, writes: bool = False) -> None:
    """Ask a store once whether it can be used, within about `timeout_s`, without changing anything there. writes: try
    that, too, by an object of its own that is removed again.

    `NoCredentials`, `AccessDenied`, `NoBucket`, `UnknownHost`, or a plain `StoreError`: it cannot. `Unavailable`: no
    answer, perhaps later. Each says in one line what was asked, and in `hint` what to do.
    """
    parsed = parse(url)
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            if parsed.scheme == "file":
                _ask_directory(parsed)
            else:
                _ask_bucket(parsed, environ, timeout_s, writes=writes)
        except BaseException as error:  # noqa: BLE001  # raised again below, in the caller's thread
            failures.append(error)

    # A thread, because neither a name server, nor a credential helper, nor a network file system keeps to our time.
    thread = threading.Thread(target=ask, name=f"probe {url}", daemon=True)
    thread.start()
    thread.join(timeout_s + 0.5)
    if thread.is_alive():
        raise Unavailable(f"{parsed.text}: no answer within {timeout_s:g} s")
    if failures:
        raise failures[0]


def _ask_bucket(url: StoreUrl, environ: Mapping[str, str], timeout_s: float, *, writes: bool) -> None:
    store = _bucket(url, environ, timeout_s)
    try:
        next(iter(store.list("")), None)
    except NoCredentials:
        raise
    except AccessDenied as error:
        raise type(error)(
            str(error), hint=vars(error).get("hint") or hints.MAY_LIST.get(url.scheme, hints.MAY_LIST_S3)
        ) from error
    if writes:
        key = f"{PROBE}{secrets.token_hex(8)}"
        store.put(key, b"osmo was here to see whether it may write")
        with suppress(StoreError):  # who may not delete leaves it there
            store.delete(key)


def _ask_directory(url: StoreUrl) -> None:
    """The directory, or the nearest one above it that exists, can be written to."""
    place = Path(url.path)
    try:
        while not place.exists():
            place = place.parent
    except OSError as error:
        raise AccessDenied(f"{url.text}: {place} cannot be read: {error.strerror}") from error
    if not place.is_dir():
        raise NoBucket(f"{url.text}: {place} is not a directory", hint="Correct the url.")
    if not os.access(place, os.W_OK | os.X_OK):
        raise AccessDenied(f"{url.text}: {place} cannot be written to", hint="Correct the url, or its permissions.")
