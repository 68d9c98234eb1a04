"""From a url to a store, and the question whether it will do."""

import os
import threading
from collections.abc import Mapping
from pathlib import Path

from osmo.errors import AccessDenied, NoBucket, NoCredentials, Unavailable
from osmo.store import credentials
from osmo.store.aws import place_of
from osmo.store.base import Store
from osmo.store.clients import Clients
from osmo.store.credentials import Credentials
from osmo.store.file import FileStore
from osmo.store.obs import ObsStore
from osmo.store.url import StoreUrl, parse

_MAY_LIST = "The store must let you list it (s3:ListBucket). If it only lets you write: submit with --no-check."


def open_store(url: str, environ: Mapping[str, str]) -> Store:
    """The store of a url. `StoreError` if the url or the endpoint is not one; nothing else is asked yet.

    Credentials are looked for at the first request. Of a bucket at AWS whose region nothing names, AWS is asked for
    the region (5 s at most).
    """
    parsed = parse(url)
    if parsed.scheme == "file":
        return FileStore(parsed)
    place = place_of(parsed.bucket, environ)
    return ObsStore(parsed, place, Credentials(environ))


def prepare(url: str, environ: Mapping[str, str]) -> None:
    """Import now what the store of a url may need later. Asks nobody. Whoever lives for days calls it at the start."""
    if parse(url).scheme == "s3":
        credentials.prepare(environ)


def probe(url: str, environ: Mapping[str, str], timeout_s: float = 5.0) -> None:
    """Ask a store once whether it can be used, within about `timeout_s`, without changing anything there.

    `NoCredentials`, `AccessDenied`, `NoBucket`, `UnknownHost`, or a plain `StoreError`: it cannot. `Unavailable`: no
    answer, perhaps later. Each says in one line what was asked, and in `hint` what to do.
    """
    parsed = parse(url)
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            _ask_directory(parsed) if parsed.scheme == "file" else _ask_bucket(parsed, environ, timeout_s)
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


def _ask_bucket(url: StoreUrl, environ: Mapping[str, str], timeout_s: float) -> None:
    place = place_of(url.bucket, environ)
    found = Credentials(environ)
    clients = Clients(url.bucket, url.path, place, found, at_most_s=timeout_s)
    try:
        next(iter(ObsStore(url, place, found, clients).list("")), None)
    except NoCredentials:
        raise
    except AccessDenied as error:
        raise AccessDenied(str(error), hint=error.hint or _MAY_LIST) from error


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
