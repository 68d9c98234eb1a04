"""How the store of a bucket asks: with credentials that are found by then, and with errors that are ours and say what
was asked, of what, and with which credentials."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from osmo.errors import AccessDenied, NoCredentials, StoreError, UnknownHost, WrongCredentials
from osmo.store.answers import Asked, our_boto_errors, our_errors
from osmo.store.aws import Place
from osmo.store.boto import BotoClients
from osmo.store.clients import Clients, Purpose
from osmo.store.credentials import Credentials, Finding
from osmo.store.hints import UNKNOWN_HOST, lacking
from osmo.store.keys import check_key
from osmo.store.multipart import AT_ONCE, Multipart
from osmo.store.notes import Notes
from osmo.store.ranges import Ranges
from osmo.store.url import StoreUrl

if TYPE_CHECKING:
    from obstore.store import ObjectStore

R = TypeVar("R")


class Asking:
    """What a store makes its requests with. After an `AccessDenied` the credentials are looked for anew."""

    def __init__(
        self,
        url: StoreUrl,
        place: Place,
        credentials: Finding,
        clients: Clients | None = None,
        notes: Notes | None = None,
    ) -> None:
        self._url, self._place, self._credentials = url, place, credentials
        self._notes = notes or Notes(None)
        self._clients = clients or Clients(url.bucket, url.path, place, credentials)
        self._multipart: Multipart | None = None
        self._ranges: Ranges | None = None
        if isinstance(credentials, Credentials):
            boto = BotoClients(url.bucket, place, credentials, 2 * AT_ONCE)
            self._multipart, self._ranges = Multipart(url, boto), Ranges(url, boto)

    @property
    def url(self) -> str:
        return self._url.text

    @contextlib.contextmanager
    def _asking_boto(self, key: str, asked: Asked = Asked.PLAIN) -> Iterator[None]:
        """Inside the block botocore is asked. Every error of it comes out as ours."""
        subject = self._subject(key)
        with self._renewing(subject), self._explained(asked):
            self._find_credentials(subject)
            with our_boto_errors(subject, asked, source=self._source):
                yield

    @property
    def _source(self) -> str:
        return self._credentials.source

    @property
    def _bucket(self) -> tuple[str, str]:
        return self._place.endpoint, self._url.bucket

    def _ask(
        self, request: "Callable[[ObjectStore], R]", purpose: Purpose, size: int, key: str, asked: Asked = Asked.PLAIN
    ) -> R:
        """Make one request. Every error of it comes out as ours."""
        subject = self._subject(key)
        try:
            self._find_credentials(subject)
            return request(self._clients.get(purpose, size))
        except Exception:  # only now: for a small file, to be ready for it took longer than all else here
            with (
                self._renewing(subject),
                self._explained(asked),
                our_errors(subject, asked, self._clients.taken, source=self._source),
            ):
                raise

    @contextlib.contextmanager
    def _renewing(self, subject: str) -> Iterator[None]:
        """If credentials are refused inside the block, others are looked for next time."""
        try:
            yield
        except AccessDenied as error:
            self._credentials.forget()
            self._clients.forget()
            failure = self._credentials.failure() if isinstance(error, NoCredentials) else None
            if failure is not None:
                raise _about(subject, failure) from failure
            raise

    @contextlib.contextmanager
    def _explained(self, asked: Asked) -> Iterator[None]:
        """An unknown host is another mistake where the url names the host; and what a refusal is about depends on what
        was asked."""
        try:
            yield
        except UnknownHost as error:
            raise UnknownHost(str(error), hint=UNKNOWN_HOST.get(self._url.scheme, "")) from error
        except AccessDenied as error:
            if isinstance(error, NoCredentials | WrongCredentials):
                raise
            hint = vars(error).get("hint") or lacking(self._url.scheme, asked.name, s3=self._multipart is not None)
            raise AccessDenied(str(error), hint=hint) from error

    def _find_credentials(self, subject: str) -> None:
        try:
            self._credentials.find()
        except StoreError as error:
            raise _about(subject, error) from error

    def _subject(self, key: str) -> str:
        """What a message begins with. Refuses a key that cannot be stored as it is."""
        if key:
            check_key(f"{self._url.path}/{key}" if self._url.path else key, self._url.root)
        at = f" at {self._place.shown}" if self._place.custom else ""
        return f"{self.url}{'/' if key else ''}{key}{at}"


def _about(subject: str, error: StoreError) -> StoreError:
    """The same error, saying of what."""
    return type(error)(f"{subject}: {error}", hint=error.hint)
